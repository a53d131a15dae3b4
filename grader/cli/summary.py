"""What stands in the terminal and on disk when a run is over."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console

from grader import reports
from grader.model import Cohort, Status
from grader.reports.terminal import isolation_line, plain, render_table


def write_reports(cohort: Cohort, out: Path) -> dict[str, bytes]:
    """Write every report below `out`, each file whole or not at all. Returns them by relative name."""
    files = reports.render_all(cohort)
    for name, content in files.items():
        target = out / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        partial.write_bytes(content)
        os.replace(partial, target)
    return files


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
