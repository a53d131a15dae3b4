"""`grade run`: grade a class and write the reports."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli.exits import Exit
from grader.model import IsolationLevel

if TYPE_CHECKING:
    from grader.model import Cohort


@click.command(short_help="Grade submissions and write reports (the default command).")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option(
    "-a", "--assignment", "only", multiple=True, metavar="ID", help="Grade only this assignment (repeatable)."
)
@click.option(
    "--assignments", default="assignments", show_default=True, type=click.Path(path_type=Path), help="Their folder."
)
@click.option(
    "--solutions",
    default="solutions",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The references' folder.",
)
@click.option(
    "-o",
    "--out",
    default="reports",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where reports go.",
)
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Submissions at a time.  [default: one for each core]")
@click.option("--only", "student", metavar="STUDENT", help="Grade only this student.")
@click.option("--fresh", is_flag=True, help="Examine again what was already examined.")
@click.option(
    "--fail-under", type=click.FloatRange(0, 100), metavar="PERCENT", help="Exit with 1 if a grade is below this."
)
@click.option(
    "--isolation",
    type=click.Choice([level.value for level in IsolationLevel]),
    help="Refuse to run with less isolation than this.  [default: confined, for hidden checks]",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
def run_command(
    paths: tuple[Path, ...],
    only: tuple[str, ...],
    assignments: Path,
    solutions: Path,
    out: Path,
    jobs: int | None,
    student: str | None,
    fresh: bool,
    fail_under: float | None,
    isolation: str | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Grade every submission found in PATH.

    PATH is a folder with one sub-folder, .py file or notebook per student, or a single file. Reports go to the output
    folder, and so do stored attempts: a second run examines only what has changed.

    \b
    Exit codes: 0 all graded, 1 some need attention (or are below --fail-under),
    2 usage or configuration, 3 a fault of the grader, 130 stopped with Ctrl-C.
    """
    from grader import grading
    from grader.cli import progress, summary
    from grader.executors.local import LocalExecutor

    least = IsolationLevel(isolation) if isolation else None
    request = grading.Request(
        paths=paths,
        assignments=assignments,
        solutions=solutions,
        store=out / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=jobs or os.cpu_count() or 1, isolation=least),
        only_assignments=only,
        only_student=student,
        fresh=fresh,
        isolation=least,
    )
    with progress.observe(quiet=quiet or as_json) as observer:
        cohort = grading.run(request, observer)
    files = summary.write_reports(cohort, out)
    if as_json:
        click.echo(files["results.json"].decode(), nl=False)
    elif not quiet:
        summary.show(cohort, out, reused=observer.reused)
    return _exit_code(cohort, fail_under)


def _exit_code(cohort: Cohort, fail_under: float | None) -> int:
    from grader.model import Status

    if cohort.interrupted:
        return Exit.INTERRUPTED
    attention = any(grade.status in (Status.NEEDS_ATTENTION, Status.REJECTED) for grade in cohort.grades)
    below = fail_under is not None and any(
        100 * grade.points < fail_under * grade.max_points for grade in cohort.grades
    )
    return Exit.ATTENTION if attention or below else Exit.DONE
