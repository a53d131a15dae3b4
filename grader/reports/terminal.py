"""The table that `grade` prints, and what stands below it. All meaning is in the words; colour only repeats it.

Where the output is the log of a CI service, a line can be a command to it: `::error::` for GitHub, `##vso[...]` for
Azure, `##teamcity[...]`. Cells are folded at any place, so no cell may hold the beginning of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from grader.model import Cohort, Grade, Status
from grader.reports.names import report_paths
from grader.reports.wording import (
    ISOLATION_PROMISES,
    LITTLE_ISOLATION,
    STATUS_NAMES,
    number,
    show,
    what_went_wrong,
)

_STYLES = {
    Status.GRADED: "",
    Status.NEEDS_ATTENTION: "bold yellow",
    Status.MISSING: "dim",
    Status.REJECTED: "bold red",
}
_LONGEST_NAME = 60
_LONGEST_SENTENCE = 160
_NAMED = 3
_COMMAND = re.compile(r"(?<=:):|(?<=#)#")


def render_table(cohort: Cohort, *, width: int) -> Table:
    """One row per grade, no wider than `width` columns; the report's path is left out where it would not fit."""
    paths = report_paths(cohort, "html")
    table = _table(cohort, paths)
    if _natural_width(table) > width:
        table = _table(cohort, {})
    table.width = min(_natural_width(table), width)
    return table


def isolation_line(cohort: Cohort) -> str:
    """How well student code was walled in, and the first of what is missing, on one line."""
    if not any(grade.attempt for grade in cohort.grades):
        return "Isolation: no student code was run."
    level, missing = cohort.isolation.level, cohort.isolation.missing
    promise = f" {ISOLATION_PROMISES[level]}" if level in LITTLE_ISOLATION else ""
    if not missing:
        return f"Isolation: {level.value}.{promise}"
    named = "; ".join(plain(sentence, _LONGEST_SENTENCE) for sentence in missing[:_NAMED])
    more = len(missing) - _NAMED
    rest = f"; and {more} more, in the report" if more > 0 else ""
    return f"Isolation: {level.value} (missing: {named}{rest}).{promise}"


def plain(text: str, limit: int = 10_000) -> str:
    """Text from outside on one line that neither a terminal nor the log of a CI service obeys."""
    return _COMMAND.sub(lambda found: f"\\x{ord(found[0]):02x}", show(text, limit))


def _table(cohort: Cohort, paths: Mapping[tuple[str, str], str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Student", overflow="fold")
    table.add_column("Assignment", overflow="fold")
    table.add_column("Points", justify="right", no_wrap=True)
    table.add_column("What went wrong", overflow="fold")
    if paths:
        table.add_column("Report", overflow="fold")
    for grade in cohort.grades:
        path = paths.get((grade.student, grade.assignment))
        table.add_row(
            _text(grade.student),
            _text(grade.assignment),
            Text(f"{number(grade.points)} / {number(grade.max_points)}"),
            Text(plain(_summary(grade)), style=_STYLES[grade.status]),
            *([Text(path)] if path else []),
        )
    return table


def _natural_width(table: Table) -> int:
    console = Console(width=10_000)
    return Measurement.get(console, console.options, table).maximum


def _summary(grade: Grade) -> str:
    summary = what_went_wrong(grade)
    return f"{summary} ({STATUS_NAMES[grade.status]})" if grade.status is Status.NEEDS_ATTENTION else summary


def _text(text: str) -> Text:
    """Text from outside, never read as rich's markup."""
    return Text(plain(text, _LONGEST_NAME))
