"""`python -m tests.hostile`: grade the corpus in every mode that is possible here, and print what went wrong.

A line for each mode; before it a table of everything that is not as it should be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import modes, verdicts
from .cases import CORPUS, Case, prepare, read

NOT_HOSTILE = "(the run)"


def main() -> int:
    """Exit code 0 when nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="another folder with cases")
    parser.add_argument("--mode", choices=modes.MODES, action="append", help="only this one (repeatable)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="only attacks with this in their name or group")
    parser.add_argument("--package", type=Path, default=modes.REPOSITORY / "grader", help="another grader")
    asked = parser.parse_args()
    cases = chosen(read(asked.corpus), asked.only)
    console, lines, wrong = Console(width=max(Console().width, 120)), [], 0
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        for name in asked.mode or modes.MODES:
            if reason := modes.why_not(name, Path(folder)):
                lines.append(f"mode {name} is not possible here: {reason}")
                continue
            run = modes.run(modes.MODES[name], prepare(cases, Path(folder, name)), package=asked.package)
            rows = list(problems(run))
            wrong += len(rows)
            if rows:
                console.print(table(name, rows))
            lines.append(f"{verdicts.summary(run)} in {run.seconds:.0f} s, isolation {run.level}")
    console.print("\n".join(lines), highlight=False, soft_wrap=True)
    return int(wrong > 0)


def chosen(cases: tuple[Case, ...], words: list[str] | None) -> tuple[Case, ...]:
    """The attacks that were asked for, and all that is honest."""
    return tuple(
        case
        for case in cases
        if not case.hostile or not words or any(word in f"{case.group}/{case.name}" for word in words)
    )


def problems(run: verdicts.Run) -> list[tuple[str, str, str]]:
    """Everything that is wrong: who, what kind of thing, what."""
    rows = [(NOT_HOSTILE, "isolation", text) for text in verdicts.weaker(run)[:1]]
    for case in run.attacks:
        rows += [(f"{case.group}/{case.name}", "forged", text) for text in verdicts.forged(run, case)]
    for student in sorted({grade.student for grade in run.grades}):
        rows += [(student, "leaked", text) for text in verdicts.leaked(run, student)]
    rows += [(NOT_HOSTILE, "leaked", text) for text in verdicts.leaked_at_large(run)]
    rows += [(NOT_HOSTILE, "survived", text) for text in run.survivors]
    for case in run.prepared.cases:
        rows += [(f"{case.group}/{case.name}", "unkept", text) for text in verdicts.unkept(run, case)]
    for student in run.prepared.correct:
        rows += [(student, "not perfect", text) for text in verdicts.imperfect(run, student)]
    return [*rows, *((NOT_HOSTILE, "changed", text) for text in verdicts.changed(run))]


def table(mode: str, rows: list[tuple[str, str, str]]) -> Table:
    """The problems of one mode."""
    made = Table("who", "what", "details", title=f"mode {mode}", title_justify="left")
    for row in rows:
        made.add_row(*(text[:300].encode("unicode_escape").decode() for text in row))
    return made


if __name__ == "__main__":
    sys.exit(main())
