"""`grade run`: grade a class and write the reports."""

from __future__ import annotations

import os
from pathlib import Path

import click

from grader.cli.options import locating, showing
from grader.model import IsolationLevel


@click.command(short_help="Grade submissions and write reports (the default command).")
@locating
@click.option("-j", "--jobs", type=click.IntRange(1, 256), help="Submissions at a time.  [default: one for each core]")
@click.option("--fresh", is_flag=True, help="Examine again what was already examined.")
@click.option(
    "--isolation",
    type=click.Choice([level.value for level in IsolationLevel]),
    help="Refuse to run with less isolation than this.  [default: confined, for hidden checks]",
)
@showing
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
    open_page: bool,
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
        store=out / summary.ATTEMPTS,
        executor=lambda wanted: LocalExecutor(wanted, jobs=jobs or os.cpu_count() or 1, isolation=least),
        only_assignments=only,
        only_student=student,
        fresh=fresh,
        isolation=least,
    )
    with progress.observe(quiet=quiet or as_json) as observer:
        cohort = grading.run(request, observer)
    wish = summary.Wish(fail_under=fail_under, open_page=open_page, quiet=quiet, as_json=as_json)
    return summary.deliver(cohort, out, wish, reused=observer.reused)
