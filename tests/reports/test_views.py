from __future__ import annotations

import pytest

from grader.model import Certainty, Cohort, Finding, Grade, HiddenFeedback, Outcome, Place
from grader.reports import markdown, pages, student_view

from . import sample

SHAPE, SOFTMAX, SCALE, PADDING, CAUSAL = sample.SPECS
TOLD = {
    HiddenFeedback.OUTCOME: set(),
    HiddenFeedback.HINT: {"MESSAGE"},
    HiddenFeedback.DIAGNOSIS: {"MESSAGE", "WHERE", "SOURCE", "FUNCTION", "FINDING", "EXPLANATION", "EVIDENCE"},
}
CANARIES = {"MESSAGE", "WHERE", "SOURCE", "FUNCTION", "FINDING", "EXPLANATION", "EVIDENCE", "DETAIL"}


def canary(name: str) -> str:
    return f"Canary{name}Error"


def revealing(*, hidden: bool = True) -> Grade:
    """A failed check with a canary in every place that may tell something."""
    where = Place(file=canary("WHERE"), line=1, source=canary("SOURCE"), function=canary("FUNCTION"))
    finding = Finding(
        id="scale-missing",
        certainty=Certainty.PROVEN,
        title=canary("FINDING"),
        explanation=canary("EXPLANATION"),
        where=where,
        evidence={"name": canary("EVIDENCE")},
    )
    failed = sample.other(
        SCALE if hidden else SHAPE, Outcome.ERRORED, canary("MESSAGE"), where=where, detail=canary("DETAIL")
    )
    blocked = sample.other(CAUSAL, Outcome.BLOCKED, blocked_by=SCALE.id, detail=canary("DETAIL"))
    return sample.grade("ada", *((failed, blocked) if hidden else (failed,)), findings=(finding,))


def students_files(cohort: Cohort) -> list[str]:
    page = pages.render(cohort)["self-attention/ada.html"]
    comment = markdown.render(cohort)["self-attention/ada.md"]
    return [page.decode(), comment.decode()]


@pytest.mark.parametrize("feedback", list(HiddenFeedback))
def test_a_hidden_check_tells_its_student_as_much_as_the_assignment_says(feedback: HiddenFeedback) -> None:
    for text in students_files(sample.cohort(revealing(), feedback=feedback)):
        assert {name for name in CANARIES if canary(name) in text} == TOLD[feedback]
        assert SCALE.title in text
        assert "Scaling" in text or "scaling" in text
        assert "Raised an error" in text


@pytest.mark.parametrize("feedback", list(HiddenFeedback))
def test_a_public_check_tells_everything_but_the_detail(feedback: HiddenFeedback) -> None:
    for text in students_files(sample.cohort(revealing(hidden=False), feedback=feedback)):
        assert {name for name in CANARIES if canary(name) in text} == TOLD[HiddenFeedback.DIAGNOSIS]


def test_a_grade_of_an_unknown_assignment_tells_least() -> None:
    view = student_view(revealing(), None)

    assert view.title == "self-attention"
    assert "Canary" not in repr(view)


def test_a_view_says_whether_something_was_withheld() -> None:
    assert student_view(revealing(), sample.assignment(HiddenFeedback.OUTCOME)).withheld
    assert not student_view(revealing(), sample.assignment(HiddenFeedback.DIAGNOSIS)).withheld
    assert not student_view(sample.grade("alan"), sample.assignment(HiddenFeedback.OUTCOME)).withheld


def test_a_blocked_check_names_what_it_waits_for_by_its_title() -> None:
    view = student_view(revealing(), sample.assignment())

    assert view.wrong[1].checks[0].waiting_for == SCALE.title


def test_checks_are_grouped_by_concept_in_the_order_of_the_assignment() -> None:
    view = student_view(sample.ada(), sample.assignment())

    assert [group.concept for group in view.wrong] == ["scaling", "masking"]
    assert [group.concept for group in view.right] == ["shape", "softmax"]


def test_the_class_page_and_the_results_are_the_instructors_and_hold_the_full_message() -> None:
    index = pages.render(sample.cohort(revealing(), feedback=HiddenFeedback.OUTCOME))["index.html"].decode()

    assert canary("MESSAGE") in index
    assert canary("FINDING") in index
