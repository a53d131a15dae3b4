"""What stands in the terminal and on disk when a run is over."""

from __future__ import annotations

import os
import webbrowser
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from grader import reports
from grader.cli.exits import Exit
from grader.model import Cohort, Status
from grader.reports import class_page, results
from grader.reports.terminal import isolation_line, plain, render_table

ATTEMPTS: Final = "attempts.sqlite"
"""The store of attempts, in the folder of the reports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be shown of a cohort, and what counts as a failure."""

    fail_under: float | None = None
    open_page: bool = False
    quiet: bool = False
    as_json: bool = False


def deliver(cohort: Cohort, out: Path, wish: Wish, *, reused: int) -> Exit:
    """Write the reports below `out`, compared with what was there before; show what is wished for; say how it ended."""
    earlier = out / results.FILE
    compared = reports.compared(cohort, earlier.read_bytes() if earlier.is_file() else None)
    files = write_reports(compared, out)
    if wish.as_json:
        click.echo(files[results.FILE].decode(), nl=False)
    elif not wish.quiet:
        show(compared, out, reused=reused)
    if wish.open_page:
        open_in_browser(out / class_page.INDEX)
    return exit_code(compared, wish.fail_under)


def open_in_browser(page: Path) -> None:
    """Open a page in the browser of the person who asks for it: the one that `$BROWSER` names, or the system's."""
    if not webbrowser.open(page.resolve().as_uri()):
        click.echo(f"grade: no browser was found; open {plain(str(page))} yourself", err=True)
        click.echo("\nhint: the variable BROWSER names the command that opens a page", err=True)


def exit_code(cohort: Cohort, fail_under: float | None) -> Exit:
    """How the command ends for this cohort."""
    if cohort.interrupted:
        return Exit.INTERRUPTED
    attention = any(grade.status in (Status.NEEDS_ATTENTION, Status.REJECTED) for grade in cohort.grades)
    below = fail_under is not None and any(
        100 * grade.points < fail_under * grade.max_points for grade in cohort.grades
    )
    return Exit.ATTENTION if attention or below or cohort.ungraded else Exit.DONE


def write_reports(cohort: Cohort, out: Path) -> dict[str, bytes]:
    """Write every report below `out`, each file whole or not at all. Returns them by relative name."""
    files = reports.render_all(cohort)
    write_files(files, out)
    return files


def write_files(files: Mapping[str, bytes], out: Path) -> None:
    """Write files by relative name below `out`, each whole or not at all."""
    for name, content in files.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        partial.write_bytes(content)
        os.replace(partial, target)


def show(cohort: Cohort, out: Path, *, reused: int) -> None:
    """Print the table, the isolation level, and where the report is."""
    console = Console()
    console.print(render_table(cohort, width=console.width))
    console.print(_counts(cohort, reused), highlight=False)
    console.print(isolation_line(cohort), highlight=False, soft_wrap=True, markup=False, emoji=False)
    if cohort.interrupted:
        console.print(
            "Stopped before the end; what is finished is kept, and the next run goes on from here.", soft_wrap=True
        )
    elif cohort.ungraded:
        console.print(
            f"{cohort.ungraded} left out, which nobody graded as they are now; `grade run` does.", soft_wrap=True
        )
    where = f"Report: {out / 'index.html'} (a page for each student: {out / '<assignment>' / '<student>.html'})"
    console.print(plain(where), highlight=False, soft_wrap=True, markup=False, emoji=False)


def _counts(cohort: Cohort, reused: int) -> str:
    graded = sum(grade.attempt is not None for grade in cohort.grades)
    parts = [f"{graded} graded", f"{reused} of them reused from the last run"] if reused else [f"{graded} graded"]
    for status, words in (
        (Status.MISSING, "with nothing to grade"),
        (Status.REJECTED, "rejected"),
        (Status.NEEDS_ATTENTION, "in need of attention"),
    ):
        count = sum(grade.status is status for grade in cohort.grades)
        if count:
            parts.append(f"{count} {words}")
    return ", ".join(parts) + "."
