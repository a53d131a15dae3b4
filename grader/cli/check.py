"""`grade check`: the public checks on one's own file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from grader.cli.exits import Exit
from grader.errors import ConfigurationError
from grader.text import clean

if TYPE_CHECKING:
    from grader.executors.local import Bench
    from grader.model import Assignment, Submission
    from grader.reports.selfcheck import Checked
    from grader.selfcheck import Plan

_PATH: Final = click.Path(path_type=Path)
_RULE: Final = "─" * 72


@click.command(short_help="Run the public checks on your own file.")
@click.argument("files", nargs=-1, metavar="[FILE]...", type=_PATH)
@click.option("-a", "--assignment", "only", multiple=True, metavar="ID", help="Only this assignment (repeatable).")
@click.option("--assignments", type=_PATH, metavar="FOLDER", help="Their folder.  [default: the nearest above]")
@click.option("--watch", is_flag=True, help="Check again whenever the file is saved, until Ctrl-C.")
@click.option("--open", "open_page", is_flag=True, help="Show the result as a page in a browser as well.")
def check_command(
    files: tuple[Path, ...], only: tuple[str, ...], assignments: Path | None, watch: bool, open_page: bool
) -> int:
    """Run the public checks on FILE, a .py file or a notebook, and say what is wrong.

    What is checked is found by what the file defines. Without FILE it is the only file here that defines such a class;
    several files are taken together, as when they are handed in. These are the public checks: when your work is graded,
    hidden checks look at more.

    \b
    Exit codes: 0 all public checks pass, 1 some do not, 2 usage, 3 a fault of the grader.
    """
    from grader import selfcheck
    from grader.executors.local import Bench

    near = [path.parent for path in files]
    known = selfcheck.assignments(assignments, near=near, only=only)
    chosen = selfcheck.choose(files, known, folder=Path())
    pages = _Pages() if open_page else None
    if watch:
        return _watch(chosen, known, explicit=bool(only), pages=pages)
    submission = selfcheck.read(chosen)
    wanted = selfcheck.plan(submission, known, explicit=bool(only))
    _require_jobs(wanted, submission)
    with Bench(tuple(job.assignment for job in wanted.jobs)) as bench:
        several = _examine(bench, wanted)
    _show(several, pages)
    return _exit_code(several)


def _require_jobs(wanted: Plan, submission: Submission) -> None:
    if not wanted.jobs:
        from grader.reports.wording import capital

        name = clean(submission.origin.name)
        message = "\n".join((f"there is nothing to check in {name}", *map(capital, wanted.reasons)))
        raise ConfigurationError(message, path=submission.origin, hint="`grade check --help` says what is looked for")


def _examine(bench: Bench, wanted: Plan) -> tuple[Checked, ...]:
    """Run the checks, and put what comes of them as a student may read it."""
    from grader.reports.selfcheck import checked
    from grader.scoring import score

    attempts = bench.examine(list(wanted.jobs)) if wanted.jobs else ()
    return tuple(
        checked(score(job.assignment, job.submission, attempt, reused=False), job.assignment, job.match)
        for job, attempt in zip(wanted.jobs, attempts, strict=True)
    )


def _show(several: Sequence[Checked], pages: _Pages | None) -> None:
    from grader.reports import selfcheck as report

    click.echo(f"\n{_RULE}\n".join(report.text(one).rstrip() for one in several))
    if pages is not None:
        pages.write(several)


def _exit_code(several: Sequence[Checked]) -> Exit:
    return Exit.DONE if several and all(one.passed for one in several) else Exit.ATTENTION


class _Pages:
    """The pages in the browser: written each time, opened once. They stay, since a browser may be showing them."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._opened: set[Path] = set()

    def write(self, several: Sequence[Checked]) -> None:
        """Write a page for each class, and open those that were not opened before."""
        from grader.cli.summary import open_in_browser, write_files
        from grader.reports.selfcheck import page

        folder = self._folder = self._folder or Path(tempfile.mkdtemp(prefix="grade-check-"))
        for number, one in enumerate(several, 1):
            path = folder / f"check-{number}.html"
            write_files({path.name: page(one)}, folder)
            if path not in self._opened:
                self._opened.add(path)
                open_in_browser(path)


# -- watching ----------------------------------------------------------------------------------------------------------


def _watch(paths: tuple[Path, ...], known: tuple[Assignment, ...], *, explicit: bool, pages: _Pages | None) -> Exit:
    """Check what the files hold now and whenever they are saved. Ends with the last verdict, on Ctrl-C."""
    from grader import selfcheck
    from grader.executors.local import Bench

    names = ", ".join(clean(path.name) for path in paths)
    code = Exit.ATTENTION
    try:
        with Bench(known) as bench:
            saves = selfcheck.Saves(paths)
            for submission in saves:
                if submission is None:
                    click.echo(f"{names} is gone; waiting until it is there again")
                    code = Exit.ATTENTION
                    continue
                wanted = selfcheck.plan(submission, known, explicit=explicit)
                several = _examine(bench, wanted)
                if several:
                    _show(several, pages)
                else:
                    click.echo("\n".join((f"There is nothing to check in {names}:", *wanted.reasons)))
                code = _exit_code(several)
                click.echo(f"\n{_RULE}\n{_took(saves.seen)}Waiting for {names} to be saved; Ctrl-C ends.")
            click.echo("The folder is gone.")
    except KeyboardInterrupt:
        click.echo()
    return code


def _took(since: float) -> str:
    return f"{time.strftime('%H:%M:%S')}, {time.monotonic() - since:.2f} s after it was saved. " if since else ""
