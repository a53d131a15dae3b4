"""`grade doctor`: how well student code is walled in on this machine, and what to do for more."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

import click

from grader.cli.exits import Exit

if TYPE_CHECKING:
    from grader.walls import Walls


@click.command(short_help="Say how well student code is walled in here.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def doctor_command(as_json: bool) -> int:
    """Try out how well student code is walled in on this machine.

    A worker is started and locked as for a submission, and attacks files, processes and the network. What it could do
    decides the level.

    \b
    Exit codes: 0 hidden checks can be run, 1 they cannot (below `confined`), 2 nothing can be run here.
    """
    from grader import surroundings
    from grader.executors.inspection import inspect
    from grader.model import IsolationLevel

    walls = inspect()
    advice = surroundings.advice(surroundings.look(), walls)
    click.echo(_as_json(walls, advice) if as_json else _as_text(walls, advice))
    good = (IsolationLevel.SEALED, IsolationLevel.CONFINED)
    return Exit.DONE if IsolationLevel(walls.level) in good else Exit.ATTENTION


def _as_text(walls: Walls, advice: tuple[str, ...]) -> str:
    from grader.model import IsolationLevel
    from grader.reports.wording import ISOLATION_PROMISES

    lines = [f"Isolation: {walls.level}", *_wrapped(ISOLATION_PROMISES[IsolationLevel(walls.level)], "  "), ""]
    for layer in walls.layers:
        lines += _wrapped(f"{layer.name}: {layer.why}", "yes  " if layer.stands else "no   ")
    lines += ["", "What locked code could still do when it tried:"]
    lines += [f"  - {name}" for name in walls.open] or ["  nothing"]
    if advice:
        lines += ["", "For more:"]
        for line in advice:
            lines += _wrapped(line, "  - ")
    return "\n".join(lines)


def _as_json(walls: Walls, advice: tuple[str, ...]) -> str:
    import msgspec

    content = {**msgspec.to_builtins(walls), "missing": walls.missing, "advice": advice}
    return json.dumps(content, indent=2, ensure_ascii=False)


def _wrapped(text: str, prefix: str) -> list[str]:
    return textwrap.wrap(text, width=100, initial_indent=prefix, subsequent_indent=" " * len(prefix))
