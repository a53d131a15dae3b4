"""`grades.csv`: one row per student and assignment, for spreadsheets.

Spreadsheets run cells that begin like a formula, whatever their origin; such a cell gets a leading apostrophe. They
also split lines at semicolons or tabs in some countries, so what follows one of those counts as the start of a cell.

Flags are not in it: a table of grades is passed on.
"""

from __future__ import annotations

import codecs
import csv
import io
import re

from grader.model import Cohort, Grade
from grader.reports.wording import clip, visible, what_went_wrong

FILE = "grades.csv"
COLUMNS = (
    "student",
    "assignment",
    "status",
    "points",
    "max_points",
    "percent",
    "what_went_wrong",
    "loading",
    "isolation",
)

_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
"""What a formula begins with, in all its widths."""
_FORMULA = re.compile(rf"(?:^|(?<=[;\t]))(?=[\s\"]*[{_SIGNS}]|^[\t\r])")
_LONGEST = 1_000
_LINE_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def render(cohort: Cohort) -> dict[str, bytes]:
    """The one file of this format: UTF-8 with the mark that makes Excel read it as such."""
    table = io.StringIO(newline="")
    writer = csv.writer(table, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(COLUMNS)
    writer.writerows(_row(grade) for grade in cohort.grades)
    return {FILE: codecs.BOM_UTF8 + table.getvalue().encode()}


def _row(grade: Grade) -> tuple[str, ...]:
    return (
        cell(grade.student),
        cell(grade.assignment),
        grade.status.value,
        _number(grade.points),
        _number(grade.max_points),
        _number(100 * grade.points / grade.max_points) if grade.max_points else "",
        cell(what_went_wrong(grade)),
        grade.attempt.loading.value if grade.attempt else "",
        grade.attempt.isolation.level.value if grade.attempt else "",
    )


def cell(text: str) -> str:
    """Text as the content of a cell: one line, nothing hidden, not endless, and never a formula."""
    guarded = _FORMULA.sub("'", clip(text, _LONGEST))
    one_line = _LINE_BREAK.sub(" ", guarded)
    return "\t".join(visible(part) for part in one_line.split("\t"))


def _number(value: float) -> str:
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
