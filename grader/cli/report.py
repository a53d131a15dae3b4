"""`grade report`: write the reports again from what is stored."""

from __future__ import annotations

from pathlib import Path

import click

from grader.cli.options import locating, showing


@click.command(short_help="Write the reports again, without grading.")
@locating
@showing
def report_command(
    paths: tuple[Path, ...],
    only: tuple[str, ...],
    assignments: Path,
    solutions: Path,
    out: Path,
    student: str | None,
    fail_under: float | None,
    open_page: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Write the reports of the submissions in PATH again, from the attempts that are stored in the output folder.

    Nothing is examined and no student code is run. What was not graded as it is now is left out, and counted.

    \b
    Exit codes: 0 all are in the reports, 1 some need attention (or are below --fail-under, or were not graded yet),
    2 usage or configuration, 3 a fault of the grader.
    """
    from grader import grading
    from grader.cli import summary

    wanted = grading.Wanted(
        paths=paths,
        assignments=assignments,
        solutions=solutions,
        store=out / summary.ATTEMPTS,
        only_assignments=only,
        only_student=student,
    )
    cohort = grading.recall(wanted)
    wish = summary.Wish(fail_under=fail_under, open_page=open_page, quiet=quiet, as_json=as_json)
    return summary.deliver(cohort, out, wish, reused=0)
