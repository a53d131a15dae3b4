from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.model import Certainty, Finding, Grade, Loading, Outcome, Place, Status
from grader.reports import visible, what_went_wrong, wording

from . import sample

SHAPE, SOFTMAX, SCALE, PADDING, CAUSAL = sample.SPECS


@given(st.text(alphabet=st.characters()))
def test_nothing_hidden_is_left(text: str) -> None:
    shown = visible(text)

    assert not any(
        unicodedata.category(character) in {"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Zl", "Zp"} for character in shown
    )
    assert visible(shown) == shown
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë Müller 王", "Zoë Müller 王"),
        ("a\u202eb", "a\\u202eb"),
        ("a\x1b[2J", "a\\x1b[2J"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("a\udcff", "a\\udcff"),
        ("a\U000e0041", "a\\U000e0041"),
        ("a\u3164", "a\\u3164"),
    ],
)
def test_hidden_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_line_feeds_and_tabs_stay_where_lines_are_wanted() -> None:
    assert visible("a\n\tb\r\x1b", multiline=True) == "a\n\tb\\r\\x1b"


FINDING = Finding(id="scale-missing", certainty=Certainty.PROVEN, title="Scores not scaled.")
BESIDES = Finding(id="dropout-never-on", certainty=Certainty.OBSERVED, title="No dropout.")
INFORMATIVE = Finding(id="class-renamed", certainty=Certainty.OBSERVED, title="Another name.", informative=True)


@pytest.mark.parametrize(
    ("grade", "words"),
    [
        (sample.grade("x"), "all correct"),
        (sample.grade("x", findings=(FINDING,)), "all correct"),
        (sample.absent("x", Status.MISSING, ""), "nothing handed in"),
        (sample.absent("x", Status.REJECTED, ""), "cannot be read"),
        (sample.absent("x", Status.NEEDS_ATTENTION, ""), "not graded"),
        (sample.grade("x", sample.other(CAUSAL, Outcome.FAILED)), "masking: wrong"),
        (sample.grade("x", sample.other(SHAPE, Outcome.ERRORED, "TypeError: no")), "shape: raised TypeError"),
        (sample.grade("x", sample.other(SHAPE, Outcome.ERRORED, "It raised Oops.")), "shape: raised Oops"),
        (sample.grade("x", sample.other(SHAPE, Outcome.ERRORED)), "shape: raised an error"),
        (sample.grade("x", sample.other(SHAPE, Outcome.TIMED_OUT)), "timed out: shape"),
        (sample.grade("x", sample.other(SHAPE, Outcome.KILLED)), "process ended: shape"),
        (sample.grade("x", sample.other(SHAPE, Outcome.INTERNAL)), "not graded: shape"),
        (
            sample.grade("x", sample.other(SHAPE, Outcome.INTERNAL), sample.other(SOFTMAX, Outcome.FAILED)),
            "softmax: wrong",
        ),
        (
            sample.grade("x", sample.other(SHAPE, Outcome.BLOCKED), sample.other(SOFTMAX, Outcome.FAILED)),
            "softmax: wrong",
        ),
        (sample.grade("x", sample.other(SHAPE, Outcome.ERRORED), loading=Loading.NOTHING), "cannot be loaded"),
        (sample.partly_run(), "all correct"),
        (sample.rescued(), "softmax: wrong"),
        (sample.import_forgotten(), "missing import"),
        (sample.grade("x", sample.other(SHAPE, Outcome.FAILED), findings=(FINDING,)), "Scores not scaled"),
        (
            sample.grade("x", sample.other(SHAPE, Outcome.FAILED), findings=(FINDING, FINDING, FINDING)),
            "Scores not scaled (+2 more)",
        ),
        (
            sample.grade("x", sample.other(SHAPE, Outcome.FAILED), findings=(INFORMATIVE, FINDING, INFORMATIVE)),
            "Scores not scaled",
        ),
        (sample.grade("x", sample.other(SHAPE, Outcome.FAILED), findings=(INFORMATIVE,)), "shape: wrong"),
        (sample.grade("x", sample.other(SHAPE, Outcome.FAILED), findings=(BESIDES,)), "No dropout"),
        (sample.grade("x", sample.other(SHAPE, Outcome.FAILED), findings=(BESIDES,), unexplained="?"), "shape: wrong"),
        (
            sample.grade("x", sample.other(SHAPE, Outcome.FAILED), findings=(BESIDES, FINDING), unexplained="?"),
            "Scores not scaled (+1 more)",
        ),
    ],
)
def test_what_went_wrong_is_said_in_few_words(grade: Grade, words: str) -> None:
    assert what_went_wrong(grade) == words


def test_what_went_wrong_is_bounded_and_on_one_line_and_still_says_how_many_more() -> None:
    long = Finding(id="shape-error", certainty=Certainty.OBSERVED, title="very\nlong " * 50)

    words = what_went_wrong(sample.grade("x", sample.other(SHAPE, Outcome.FAILED), findings=(long, FINDING)))

    assert len(words) <= wording.HEADLINE
    assert "\n" not in words
    assert words.endswith("… (+1 more)")


def test_every_outcome_status_level_and_certainty_has_its_words() -> None:
    assert set(wording.OUTCOME_NAMES) == set(wording.OUTCOME_SENTENCES) == set(Outcome)
    assert set(wording.STATUS_NAMES) == set(Status)
    assert set(wording.CERTAINTY_NAMES) == set(Certainty)


@pytest.mark.parametrize(("value", "text"), [(14.0, "14"), (13.5, "13.5"), (1 / 3, "0.33"), (0.0, "0"), (-0.0, "0")])
def test_points_are_written_without_needless_zeros(value: float, text: str) -> None:
    assert wording.number(value) == text


def test_a_place_names_file_cell_line_and_function() -> None:
    assert wording.place(sample.WHERE) == "attention.ipynb, cell 4, line 23, in forward"
    assert wording.place(Place(file="a\u202e.py", line=3)) == "a\\u202e.py, line 3"
    assert wording.place(Place(file="a.py", line=3, function="<module>")) == "a.py, line 3"


def test_a_cut_is_visible() -> None:
    assert wording.clip("a,bcd", 3) == "a,b… (2 more characters)"
    assert wording.clip("abc", 3) == "abc"
