"""Options that several commands share: whose work on what, where reports go, and what is printed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

Command = Callable[..., Any]

_LOCATING: Final[tuple[Callable[[Command], Command], ...]] = (
    click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)),
    click.option("-a", "--assignment", "only", multiple=True, metavar="ID", help="Only this assignment (repeatable)."),
    click.option(
        "--assignments",
        default="assignments",
        show_default=True,
        type=click.Path(path_type=Path),
        help="Their folder.",
    ),
    click.option(
        "--solutions",
        default="solutions",
        show_default=True,
        type=click.Path(path_type=Path),
        help="The references' folder.",
    ),
    click.option(
        "-o",
        "--out",
        default="reports",
        show_default=True,
        type=click.Path(path_type=Path),
        help="Where reports go.",
    ),
    click.option("--only", "student", metavar="STUDENT", help="Only this student."),
)
_SHOWING: Final[tuple[Callable[[Command], Command], ...]] = (
    click.option(
        "--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Exit with 1 if a grade is below this."
    ),
    click.option("--open", "open_page", is_flag=True, help="Open the class page in a browser."),
    click.option("--quiet", is_flag=True, help="Print nothing but errors."),
    click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table."),
)


def locating(command: Command) -> Command:
    """PATH, `--assignment`, `--assignments`, `--solutions`, `--out` and `--only`."""
    return _with(command, _LOCATING)


def showing(command: Command) -> Command:
    """`--fail-under`, `--open`, `--quiet` and `--json`."""
    return _with(command, _SHOWING)


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
