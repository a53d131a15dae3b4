"""`grade ci`: grade a student's repository in a job of a CI service, and say it in the forms that services read."""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from grader.cli.exits import Exit
from grader.model import IsolationLevel, Status

if TYPE_CHECKING:
    from grader.model import Cohort
    from grader.reports.classroom import Handover

_PATH = click.Path(path_type=Path)
_TOKEN_BYTES: Final = 32


@click.command(short_help="Grade a student's repository in CI.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=_PATH)
@click.option("-a", "--assignment", "only", multiple=True, metavar="ID", help="Only this assignment (repeatable).")
@click.option("--assignments", default="assignments", show_default=True, type=_PATH, help="Their folder.")
@click.option("--solutions", default="solutions", show_default=True, type=_PATH, help="The references' folder.")
@click.option("-o", "--out", default="reports", show_default=True, type=_PATH, help="Where reports go.")
@click.option("--student", metavar="NAME", help="Whose work it is.  [default: the name of the repository]")
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    default=100,
    show_default=True,
    metavar="PERCENT",
    help="Exit with 1 if an assignment is below this.",
)
@click.option(
    "--isolation",
    type=click.Choice([level.value for level in IsolationLevel]),
    help="Refuse to run with less isolation than this.  [default: confined, for hidden checks]",
)
def ci_command(
    paths: tuple[Path, ...],
    only: tuple[str, ...],
    assignments: Path,
    solutions: Path,
    out: Path,
    student: str | None,
    fail_under: float,
    isolation: str | None,
) -> int:
    """Grade the repository that this is run in, or the files and folders at PATH, as one student's work.

    Everything that is written can be shown to the student: no report holds more than a student may read, and the
    inputs of the checks are drawn anew for each run and not kept. On GitHub Actions, the summary of the job,
    annotations and outputs are written as well.

    \b
    Exit codes: 0 graded, 1 below --fail-under or in need of attention, 2 usage or configuration,
    3 a fault of the grader, 130 stopped.
    """
    from grader import grading
    from grader.cli import progress
    from grader.executors.local import LocalExecutor

    least = IsolationLevel(isolation) if isolation else None
    handed_in = paths or (Path(),)
    with _unheard(os.environ), tempfile.TemporaryDirectory(prefix="grade-ci-") as scratch:
        request = grading.Request(
            paths=handed_in,
            assignments=assignments,
            solutions=solutions if solutions.is_dir() else None,
            store=Path(scratch) / "attempts.sqlite",  # holds the salt and what only instructors read: nothing to keep
            executor=lambda wanted: LocalExecutor(wanted, jobs=os.cpu_count() or 1, isolation=least),
            only_assignments=only,
            own=student or Path.cwd().name or "student",
            without=(assignments, solutions, out),
            isolation=least,
        )
        with progress.observe(quiet=False) as observer:
            cohort = grading.run(request, observer)
        _show(cohort, out)
    _deliver(cohort, out, _prefix(handed_in), os.environ)
    return _exit_code(cohort, fail_under)


@contextmanager
def _unheard(environment: Mapping[str, str]) -> Iterator[None]:
    """Have GitHub obey nothing that is printed meanwhile: whose text it is, nobody needs to know then."""
    if environment.get("GITHUB_ACTIONS") != "true":
        yield
        return
    token = secrets.token_hex(_TOKEN_BYTES)
    click.echo(f"::stop-commands::{token}")
    try:
        yield
    finally:
        click.echo(f"::{token}::")


def _show(cohort: Cohort, out: Path) -> None:
    from rich.console import Console

    from grader.reports.terminal import isolation_line, plain, render_table

    console = Console()
    console.print(render_table(cohort, width=console.width))
    console.print(isolation_line(cohort), highlight=False, soft_wrap=True, markup=False, emoji=False)
    console.print(plain(f"Reports: {out}"), highlight=False, soft_wrap=True, markup=False, emoji=False)


def _exit_code(cohort: Cohort, fail_under: float) -> Exit:
    if cohort.interrupted:
        return Exit.INTERRUPTED
    below = any(100 * grade.points < fail_under * grade.max_points for grade in cohort.grades)
    ours = any(grade.status is Status.NEEDS_ATTENTION for grade in cohort.grades)
    return Exit.ATTENTION if below or ours or cohort.ungraded else Exit.DONE


# -- what is written ---------------------------------------------------------------------------------------------------


def _deliver(cohort: Cohort, out: Path, prefix: str, environment: Mapping[str, str]) -> None:
    """Write all reports below `out`, and on GitHub Actions the job's summary, annotations and outputs."""
    from grader.cli.summary import write_files
    from grader.reports import classroom, github, junit, pages

    summary = environment.get("GITHUB_STEP_SUMMARY", "")
    written = Path(summary).stat().st_size if summary and Path(summary).is_file() else 0
    files = {
        **github.render(cohort, prefix=prefix, room=max(0, github.BUDGET - written)),
        **junit.render(cohort),
        **classroom.render(cohort, _handover(environment)),
        **pages.render(cohort),
    }
    write_files(files, out)
    if summary:
        _append(summary, files[github.SUMMARY])
    if environment.get("GITHUB_ACTIONS") == "true":
        click.echo(files[github.ANNOTATIONS].decode(), nl=False)
    if environment.get("GITHUB_OUTPUT"):
        points, most = (sum(getattr(each, name) for each in cohort.grades) for name in ("points", "max_points"))
        result = files[classroom.ENCODED].decode().strip()
        lines = f"result={result}\npoints={points:g}\nmax-points={most:g}\n"
        _append(environment["GITHUB_OUTPUT"], lines.encode())


def _append(path: str, content: bytes) -> None:
    with open(path, "ab") as file:
        file.write(content)


def _prefix(paths: tuple[Path, ...]) -> str:
    """What stands before a file's path in the repository: the graded folder's own path, or that of a graded file's."""
    if len(paths) != 1:
        return ""
    folder = paths[0] if paths[0].is_dir() else paths[0].parent
    relative = os.path.relpath(folder)
    return "" if relative == "." or relative.startswith("..") else f"{Path(relative).as_posix()}/"


def _handover(environment: Mapping[str, str]) -> Handover:
    """What Classroom 50 says of a push, and when its commit was made."""
    from grader.reports.classroom import Handover

    def told(*names: str) -> str:
        return next((environment[name] for name in names if environment.get(name)), "")

    return Handover(
        classroom=told("CLASSROOM"),
        assignment=told("ASSIGNMENT"),
        assignment_type=told("ASSIGNMENT_TYPE"),
        owner=told("OWNER", "USERNAME"),
        submission=told("SUBMISSION_TAG"),
        commit=told("COMMIT_URL"),
        release=told("RELEASE_URL"),
        review=told("REVIEW_URL"),
        committed=_committed(),
    )


def _committed() -> str:
    """When the commit was made that is checked out; empty outside of a repository, or without git."""
    command = ("git", "-c", "core.fsmonitor=false", "log", "-1", "--no-show-signature", "--format=%cI")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
