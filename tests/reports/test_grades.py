from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from grader.reports import grades

from . import sample
from .gold import assert_gold


def rows(*given_grades: Any) -> list[dict[str, str]]:
    text = grades.render(sample.cohort(*given_grades))["grades.csv"].decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_grades_are_those_accepted_before() -> None:
    assert_gold("grades.csv", grades.render(sample.cohort())["grades.csv"])


def test_the_table_opens_with_the_mark_that_excel_needs() -> None:
    assert grades.render(sample.cohort())["grades.csv"].startswith(b"\xef\xbb\xbfstudent,")


def test_there_is_one_row_for_each_grade_whatever_stands_in_a_name() -> None:
    cohort = sample.cohort()

    assert len(grades.render(cohort)["grades.csv"].splitlines()) == len(cohort.grades) + 1
    assert len(rows()) == len(cohort.grades)


def test_a_row_says_points_percent_and_what_went_wrong() -> None:
    row = rows(sample.ada())[0]

    assert row == {
        "student": "ada",
        "assignment": "self-attention",
        "status": "graded",
        "points": "5",
        "max_points": "12",
        "percent": "41.666667",
        "what_went_wrong": "Scores divided by sqrt(embed_dim)",
        "loading": "executed",
        "isolation": "confined",
    }


def test_an_assignment_without_points_has_no_percent() -> None:
    assert rows(sample.changed(sample.ada(), points=0.0, max_points=0.0))[0]["percent"] == ""


@given(st.text(alphabet=st.sampled_from("=+-@\t\r\n ;a\u200b\uff1d"), max_size=8))
@example("=1+1")
@example("\t=1+1")
@example("\r\n=1+1")
@example("  =1+1")
@example("loss;=1+1")
def test_no_cell_begins_like_a_formula_wherever_a_spreadsheet_splits_it(text: str) -> None:
    cell = grades.cell(text)

    for part in cell.replace("\t", ";").split(";"):
        assert not part.lstrip().startswith(("=", "+", "-", "@", "\uff1d"))
    assert not cell.startswith(("\t", "\r", "\n"))
    assert "\n" not in cell
    assert "\r" not in cell


def test_ordinary_text_stays_as_it_is() -> None:
    assert grades.cell("Zoë Müller-Lüdenscheidt, 1/sqrt(d) = x") == "Zoë Müller-Lüdenscheidt, 1/sqrt(d) = x"
