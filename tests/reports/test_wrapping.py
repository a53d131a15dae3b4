from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.model import Cohort, Grade, Outcome
from grader.reports import plain
from grader.reports.wrapping import WIDTH, finalized, quoted, underlined, wrapped

from . import flood, sample

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400)


@given(TEXTS)
def test_no_line_is_too_long_and_nothing_hidden_is_left(text: str) -> None:
    for shown in (wrapped(text), wrapped(text, 100, "- "), quoted(text, 200), underlined(text)):
        printed = str(finalized(shown))

        assert all(len(line) <= WIDTH for line in printed.split("\n"))
        assert not [char for char in printed if unicodedata.category(char) in {"Cc", "Cf", "Cn", "Co"} and char != "\n"]


@given(TEXTS)
def test_a_students_words_stand_behind_a_bar(text: str) -> None:
    assert all(line.startswith("|") for line in quoted(text, 1_000).split("\n"))


def test_lines_that_are_too_long_go_on_set_in() -> None:
    shown = quoted("    " + "word " * 30, 1_000).split("\n")

    assert shown[0].startswith("|     word word")
    assert all(line.startswith("|             word") for line in shown[1:])


def test_a_list_hangs() -> None:
    assert wrapped("word " * 20, 1_000, "- ").split("\n")[1].startswith("  word")


def test_what_is_cut_is_counted() -> None:
    assert wrapped("x" * 1_000, 10) == "xxxxxxxxxx… (990 more characters)"
    assert wrapped("x " * 1_000, 10).endswith("more characters)")


def mail(cohort: Cohort) -> str:
    [content] = plain.render(cohort).values()
    return content.decode()


@pytest.mark.parametrize("grade", [*sample.ordinary_grades(), sample.misshapen(), sample.nameless()])
def test_no_line_of_a_report_is_longer_than_an_email_allows(grade: Grade) -> None:
    text = mail(sample.cohort(grade))

    assert max(map(len, text.splitlines())) <= WIDTH
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    assert "\n\n\n\n" not in text


def test_an_email_is_bounded() -> None:
    text = "😀`" * 20_000
    failed = (sample.other(spec, Outcome.FAILED, text) for spec in sample.SPECS)
    grade = sample.grade("ada", *failed, output=text, **flood.notebook(text, sample.SPECS))

    assert len(mail(sample.cohort(grade)).encode()) < plain.BUDGET
