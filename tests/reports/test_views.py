from __future__ import annotations

import html

import msgspec
import pytest

from grader.catalogue import CATALOGUE
from grader.model import (
    CellOutcome,
    CellRun,
    Certainty,
    Cohort,
    Excerpt,
    Finding,
    Grade,
    HiddenFeedback,
    Loading,
    Outcome,
    Place,
)
from grader.reports import class_page, markdown, pages, plain, student_view

from . import sample

SHAPE, SOFTMAX, SCALE, PADDING, CAUSAL = sample.SPECS
TOLD = {
    HiddenFeedback.OUTCOME: set(),
    HiddenFeedback.HINT: {"MESSAGE"},
    HiddenFeedback.DIAGNOSIS: {
        *("MESSAGE", "WHERE", "SOURCE", "FUNCTION", "FINDING", "EXPLANATION", "EVIDENCE"),
        *("AROUND", "UNEXPLAINED"),
    },
}
CANARIES = TOLD[HiddenFeedback.DIAGNOSIS] | {"DETAIL"}


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
    return sample.grade(
        "ada",
        *((failed, blocked) if hidden else (failed,)),
        findings=(finding,),
        unexplained=canary("UNEXPLAINED"),
        pictures=(sample.WEIGHTS,),
        excerpts=(Excerpt(file=where.file, first=1, lines=(where.source, canary("AROUND"))),),
    )


def students_files(cohort: Cohort) -> list[str]:
    page = pages.render(cohort)["self-attention/ada.html"]
    comment = markdown.render(cohort)["self-attention/ada.md"]
    mail = plain.render(cohort)["self-attention/ada.txt"]
    return [page.decode(), comment.decode(), mail.decode()]


@pytest.mark.parametrize("feedback", list(HiddenFeedback))
def test_a_hidden_check_tells_its_student_as_much_as_the_assignment_says(feedback: HiddenFeedback) -> None:
    for text in students_files(sample.cohort(revealing(), feedback=feedback)):
        assert {name for name in CANARIES if canary(name) in text} == TOLD[feedback]
        assert ("Your attention weights" in text) is (feedback is HiddenFeedback.DIAGNOSIS)
        assert SCALE.title in text
        assert "Scaling" in text or "scaling" in text
        assert "Raised an error" in text


@pytest.mark.parametrize("feedback", list(HiddenFeedback))
def test_a_public_check_tells_everything_but_the_detail(feedback: HiddenFeedback) -> None:
    for text in students_files(sample.cohort(revealing(hidden=False), feedback=feedback)):
        assert {name for name in CANARIES if canary(name) in text} == TOLD[HiddenFeedback.DIAGNOSIS]


@pytest.mark.parametrize("feedback", list(HiddenFeedback))
@pytest.mark.parametrize("hidden", [True, False])
def test_where_to_look_is_a_hint_and_what_correct_looks_like_a_diagnosis(
    feedback: HiddenFeedback, hidden: bool
) -> None:
    entry = CATALOGUE["scale-missing"]
    told = feedback is HiddenFeedback.DIAGNOSIS or not hidden

    for text in students_files(sample.cohort(revealing(hidden=hidden), feedback=feedback)):
        words = " ".join(html.unescape(text).replace("\\", "").split())
        assert (entry.look in words) is (told or feedback is HiddenFeedback.HINT)
        assert (entry.why in words) is told
        assert (entry.right in words) is (feedback is HiddenFeedback.DIAGNOSIS)


def test_hints_are_given_once_and_about_mistakes_only() -> None:
    remark = Finding(id="class-renamed", certainty=Certainty.OBSERVED, title="renamed", informative=True)
    proven = Finding(id="scale-missing", certainty=Certainty.PROVEN, title="no scale")
    again = Finding(id="scale-missing", certainty=Certainty.OBSERVED, title="no scale", check=SCALE.id)
    public = Finding(id="mask-ignored", certainty=Certainty.OBSERVED, title="no mask", check=SHAPE.id)
    wrong = (sample.other(SCALE, Outcome.FAILED), sample.other(SHAPE, Outcome.FAILED))
    grade = sample.grade("ada", *wrong, findings=(remark, proven, again, public))

    view = student_view(grade, sample.assignment(HiddenFeedback.HINT))

    assert view.hints == (CATALOGUE["scale-missing"].look,)
    assert [card.id for card in view.cards] == ["mask-ignored"]


@pytest.mark.parametrize("check", [SHAPE.id, None])
def test_what_has_no_name_comes_first_unless_a_mistake_is_known_to_cost_points(check: str | None) -> None:
    named = Finding(id="returns-none", certainty=Certainty.OBSERVED, title="CanaryNamed", check=check)
    grade = sample.grade("ada", sample.other(SHAPE, Outcome.FAILED), findings=(named,), unexplained="CanaryNameless")

    for text in students_files(sample.cohort(grade)):
        assert (text.rindex("CanaryNamed") < text.index("CanaryNameless")) is (check is not None)


def test_a_view_holds_no_line_that_is_not_shown() -> None:
    kept = Excerpt(file="other.py", first=1, lines=(canary("AROUND"),))
    grade = sample.grade("ada", excerpts=(kept,))

    assert "Canary" not in repr(student_view(grade, sample.assignment()))


def test_a_grade_of_an_unknown_assignment_tells_least() -> None:
    view = student_view(revealing(), None)

    assert view.title == "self-attention"
    assert "Canary" not in repr(view)


def test_a_view_says_whether_something_was_withheld() -> None:
    assert student_view(revealing(), sample.assignment(HiddenFeedback.OUTCOME)).withheld
    assert not student_view(revealing(), sample.assignment(HiddenFeedback.DIAGNOSIS)).withheld
    assert not student_view(sample.grade("alan"), sample.assignment(HiddenFeedback.OUTCOME)).withheld


def test_a_blocked_check_stands_under_what_it_waits_for_and_names_it_by_its_title() -> None:
    view = student_view(revealing(), sample.assignment())

    (cause,) = view.wrong[0].checks
    assert cause.title == SCALE.title
    assert [(check.title, check.waiting_for) for check in cause.waiting] == [(CAUSAL.title, SCALE.title)]


def test_a_check_that_waits_in_a_chain_stands_under_the_first_cause() -> None:
    chain = (
        sample.other(SHAPE, Outcome.FAILED),
        sample.other(SCALE, Outcome.BLOCKED, blocked_by=SHAPE.id),
        sample.other(CAUSAL, Outcome.BLOCKED, blocked_by=SCALE.id),
    )
    view = student_view(sample.grade("ada", *chain), sample.assignment())

    assert [group.concept for group in view.wrong] == ["shape"]
    assert [check.title for check in view.wrong[0].checks[0].waiting] == [SCALE.title, CAUSAL.title]


@pytest.mark.parametrize("cause", ["gone", SOFTMAX.id, CAUSAL.id, ""])
def test_a_check_that_waits_for_nothing_that_is_wrong_stands_by_itself(cause: str) -> None:
    blocked = sample.other(CAUSAL, Outcome.BLOCKED, blocked_by=cause)

    view = student_view(sample.grade("ada", blocked), sample.assignment())

    assert [check.title for group in view.wrong for check in group.checks] == [CAUSAL.title]


def test_checks_are_grouped_by_concept_in_the_order_of_the_assignment() -> None:
    view = student_view(sample.ada(), sample.assignment())

    assert [group.concept for group in view.wrong] == ["scaling"]
    assert [group.concept for group in view.right] == ["shape", "softmax"]
    assert [each.concept for each in view.scores] == ["shape", "softmax", "scaling", "masking"]
    assert [(each.points, each.max_points, each.correct, each.total) for each in view.scores[2:]] == [
        (0, 3, 0, 1),
        (0, 4, 0, 2),
    ]


def test_the_class_page_and_the_results_are_the_instructors_and_hold_the_full_message() -> None:
    index = class_page.render(sample.cohort(revealing(), feedback=HiddenFeedback.OUTCOME))["index.html"].decode()

    assert canary("MESSAGE") in index
    assert canary("FINDING") in index


IN_CELL = sample.in_cell(3, "x = y")
IN_FILE = Place(file="attention.py", line=3)
RAN_OUT = CellRun(cell=2, outcome=CellOutcome.INTERRUPTED)


@pytest.mark.parametrize(
    ("files", "where", "cells", "loading", "notebook"),
    [
        (("a.ipynb",), None, (), Loading.EXECUTED, True),
        (("a.IPYNB",), None, (), Loading.DEFINITIONS, True),
        (("a.py",), None, (), Loading.DEFINITIONS, False),
        (("a.py", "a.ipynb"), None, (), Loading.DEFINITIONS, False),
        (("a.py", "a.ipynb"), None, (), Loading.PARTLY, True),
        (("a.py", "a.ipynb"), IN_CELL, (), Loading.DEFINITIONS, True),
        (("a.py", "a.ipynb"), IN_FILE, (), Loading.DEFINITIONS, False),
        (("a.py", "a.ipynb"), IN_FILE, (RAN_OUT,), Loading.DEFINITIONS, True),
        ((), None, (), Loading.NOTHING, False),
    ],
)
def test_a_notebook_is_known_by_its_cells_its_places_or_its_name(
    files: tuple[str, ...], where: Place | None, cells: tuple[CellRun, ...], loading: Loading, notebook: bool
) -> None:
    grade = sample.grade("ada", loading_where=where, cells=cells, loading=loading)

    assert student_view(sample.changed(grade, files=files), None).notebook is notebook


def test_what_the_list_of_cells_says_is_not_said_twice() -> None:
    view = student_view(sample.partly_run(), None)

    assert view.loading_note == ""
    assert view.loading_where is None
    assert [note.cells for note in view.cells] == ["cell 3", "cell 6"]


def test_a_note_that_says_more_than_the_cells_is_kept() -> None:
    grade = sample.partly_run()
    assert grade.attempt
    attempt = msgspec.structs.replace(grade.attempt, loading_note="its 60 seconds were used up", loading_where=IN_FILE)

    view = student_view(sample.changed(grade, attempt=attempt), None)

    assert view.loading_note == "its 60 seconds were used up"
    assert view.loading_where
    assert view.loading_where.where == IN_FILE


def test_a_notebook_that_was_not_run_as_a_whole_says_why_and_what_was_put_right() -> None:
    for text in students_files(sample.cohort(sample.changed(sample.rescued(), student="ada"))):
        words = " ".join(text.replace("\\", "").split())
        assert "cells left could not be graded (cell 4 ended its process), so its imports, classes, functions" in words
        assert "This by itself cost you nothing." in words
        assert "were not run." in words
        assert "What was put right or left out" in words
        assert "`!pip install torch` was not run" in words


def test_a_file_that_is_no_notebook_is_spoken_of_as_before() -> None:
    edsger = sample.changed(sample.ordinary_grades()[5], student="ada")

    for text in students_files(sample.cohort(edsger)):
        assert "How your file was loaded" in text
        assert "Your file’s top-level code did not run to its end" in text
        assert "What happened:" in text
        assert "notebook" not in text


def test_a_notebook_that_ran_to_its_end_has_nothing_to_say_about_it() -> None:
    for text in students_files(sample.cohort(sample.changed(sample.grade("alan"), student="ada"))):
        assert "How your" not in text
        assert "put right" not in text
