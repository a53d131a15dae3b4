"""`grade build`: what other places need to run an assignment; and `grade autograde`, which is called there."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Final

import click

from grader.cli.exits import Exit
from grader.model import IsolationLevel

_PATH = click.Path(path_type=Path)
_ROOT: Final = "AUTOGRADER_ROOT"
_WHEN: Final = ("visible", "after_due_date", "after_published", "hidden")


@click.group(short_help="Build what another place needs to run an assignment.")
def build_command() -> None:
    """Build what another place needs to run an assignment."""


@build_command.command("gradescope", short_help="The zip for Gradescope's autograder.")
@click.argument("assignment", metavar="ASSIGNMENT")
@click.option("-o", "--out", metavar="FILE", type=_PATH, help="Where it goes.  [default: ASSIGNMENT-gradescope.zip]")
@click.option("--assignments", default="assignments", show_default=True, type=_PATH, help="Their folder.")
@click.option("--solutions", default="solutions", show_default=True, type=_PATH, help="The references' folder.")
@click.option(
    "--hidden-checks",
    type=click.Choice(_WHEN),
    default="visible",
    show_default=True,
    help="When students see the tests of hidden checks; while they do not, Gradescope shows them no total either.",
)
@click.option(
    "--isolation",
    type=click.Choice([level.value for level in IsolationLevel]),
    help="Put up with no less isolation than this.  [default: confined, for hidden checks]",
)
def gradescope_command(
    assignment: str, out: Path | None, assignments: Path, solutions: Path, hidden_checks: str, isolation: str | None
) -> int:
    """Build the zip that Gradescope makes an autograder of, for one ASSIGNMENT.

    It holds the grader, the assignment with its hidden checks and the reference solution: keep it from students. The
    same files give the same bytes.
    """
    from grader.assignments import load_all
    from grader.lms import autograder
    from grader.lms.gradescope import Visibility

    (loaded,) = load_all(assignments, solutions=solutions, only=(assignment,))
    settings = autograder.Settings(
        assignment=loaded.id,
        isolation=IsolationLevel(isolation) if isolation else None,
        hidden=Visibility(hidden_checks),
    )
    content = autograder.build(loaded, settings)
    target = out or Path(f"{loaded.id}-gradescope.zip")
    target.parent.mkdir(parents=True, exist_ok=True)
    _replace(target, content)
    click.echo(f"{target}: {len(content) >> 10} KiB, {loaded.max_points:g} points, {len(loaded.checks)} checks")
    if settings.hidden is not Visibility.VISIBLE and any(check.hidden for check in loaded.checks):
        click.echo("Students do not see their total before they see all tests.")
    return Exit.DONE


@click.command(hidden=True)
def autograde_command() -> int:
    """Grade the submission in a container of Gradescope's: its `run_autograder` calls this.

    A fault of ours writes no results: Gradescope then tells the instructor, and nobody gets a 0 for it.
    """
    from grader import grading
    from grader.cli import progress
    from grader.executors.local import LocalExecutor
    from grader.lms import autograder, gradescope

    began = time.monotonic()
    root = Path(os.environ.get(_ROOT, "/autograder"))
    results = root / "results"
    settings = autograder.read_settings(root / "source")
    delivery = gradescope.read_delivery(_content(root / "submission_metadata.json"))
    with tempfile.TemporaryDirectory(prefix="autograde-") as scratch:
        request = grading.Request(
            paths=(root / "submission",),
            assignments=root / "source" / "assignments",
            solutions=root / "source" / "solutions",
            store=Path(scratch) / "attempts.sqlite",
            executor=lambda wanted: LocalExecutor(wanted, jobs=1, isolation=settings.isolation),
            only_assignments=(settings.assignment,),
            own=delivery.name,
            isolation=settings.isolation,
        )
        cohort = grading.run(request, progress.Silent())
    if cohort.interrupted or len(cohort.grades) != 1:
        return Exit.OUR_FAULT
    rendered = gradescope.render(cohort, delivery=delivery, hidden=settings.hidden, seconds=time.monotonic() - began)
    results.mkdir(parents=True, exist_ok=True)
    for name, content in rendered.items():
        _replace(results / name, content)
    _report(cohort.isolation.level, cohort.assignments[0].max_points, delivery.total)
    return Exit.DONE


def _report(level: IsolationLevel, points: float, total: float | None) -> None:
    """Say for the instructor how it went; students do not see this."""
    click.echo(f"isolation: {level.value}")
    if total is not None and total != points:
        click.echo(f"points: {points:g}, stretched to the {total:g} that the assignment has here")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _replace(target: Path, content: bytes) -> None:
    """Write a file whole or not at all. Whatever stands there is replaced, and no link is followed."""
    descriptor, partial = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".partial")
    with open(descriptor, "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o644)
    os.replace(partial, target)
