"""The table that `grade` prints. All meaning is in the words; colour only repeats it."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from grader.model import Cohort, Grade, Status
from grader.reports.names import report_paths
from grader.reports.wording import STATUS_NAMES, number, show, what_went_wrong

_STYLES = {
    Status.GRADED: "",
    Status.NEEDS_ATTENTION: "bold yellow",
    Status.MISSING: "dim",
    Status.REJECTED: "bold red",
}
_LONGEST_NAME = 60


def render_table(cohort: Cohort, *, width: int) -> Table:
    """One row per grade, no wider than `width` columns; the last column is the report's path."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("Student", overflow="fold")
    table.add_column("Assignment", overflow="fold")
    table.add_column("Points", justify="right", no_wrap=True)
    table.add_column("What went wrong", overflow="fold")
    table.add_column("Report", overflow="fold")
    paths = report_paths(cohort, "html")
    for grade in cohort.grades:
        table.add_row(
            _text(grade.student),
            _text(grade.assignment),
            Text(f"{number(grade.points)} / {number(grade.max_points)}"),
            Text(_summary(grade), style=_STYLES[grade.status]),
            Text(paths[grade.student, grade.assignment]),
        )
    console = Console(width=10_000)
    natural = Measurement.get(console, console.options, table).maximum
    table.width = min(natural, width)
    return table


def _summary(grade: Grade) -> str:
    summary = what_went_wrong(grade)
    return f"{summary} ({STATUS_NAMES[grade.status]})" if grade.status is Status.NEEDS_ATTENTION else summary


def _text(text: str) -> Text:
    """Text from outside, never read as rich's markup."""
    return Text(show(text, _LONGEST_NAME))
