"""`python -m tests.diagnosis`: write wrong submissions, diagnose them, and print how often the name was right.

    python -m tests.diagnosis --kind singles --processes 2
    python -m tests.diagnosis --only softmax-dim-query --limit 5
    python -m tests.diagnosis --show singles/scale-missing/stacked/1

Below the tables, a line for each submission that was not named right.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from . import tables
from .scoring import Verdict, run
from .submissions import KINDS, Submission, of_kind


def main() -> int:
    """Exit code 0 when nothing was named wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.diagnosis", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these (repeatable)")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="only names with this in them (repeatable: all)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many of each kind")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth of each kind")
    parser.add_argument("--drawing", type=int, default=0, metavar="N", help="other submissions of the same kinds")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="at the same time")
    parser.add_argument(
        "--show", metavar="NAME", help="print the sources with this in their name, and diagnose nothing"
    )
    parser.add_argument("--list", action="store_true", help="print the names, and diagnose nothing")
    asked = parser.parse_args()
    words = [*(asked.only or []), *([asked.show] if asked.show else [])]
    submissions: list[Submission] = []
    for kind in asked.kind or KINDS:
        members = [made for made in of_kind(kind, asked.drawing) if all(word in made.name for word in words)]
        submissions += members[:: asked.every][: asked.limit]
    if asked.show or asked.list:
        for made in submissions:
            print(f"# {made.name}\n{made.source}" if asked.show else made.name)
        return 0
    verdicts = followed(submissions, asked.processes)
    report(verdicts)
    return int(any(verdict.wrong for verdict in verdicts))


def followed(submissions: Sequence[Submission], processes: int) -> list[Verdict]:
    """The verdicts, with a line that says how far it is."""
    verdicts = []
    for verdict in run(submissions, processes=processes):
        verdicts.append(verdict)
        if sys.stderr.isatty():
            print(f"\r{len(verdicts)} of {len(submissions)}", end="", file=sys.stderr, flush=True)
        elif len(verdicts) % 100 == 0:
            print(f"{len(verdicts)} of {len(submissions)}", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return verdicts


def report(verdicts: Sequence[Verdict]) -> None:
    """The tables, and what was not right."""
    console = Console(width=max(Console().width, 130), highlight=False)
    for table in (
        tables.by_mistake(verdicts),
        tables.by_style(verdicts),
        tables.by_kind(verdicts),
        tables.times(verdicts),
    ):
        if table.row_count:
            console.print(table)
    for verdict in verdicts:
        if verdict.outcome != "right":
            console.print(verdict.line(), markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
