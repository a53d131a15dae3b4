from __future__ import annotations

import msgspec
import pytest

from grader.model import (
    Assignment,
    Certainty,
    CheckGrade,
    CheckResult,
    CheckSpec,
    Finding,
    Grade,
    HiddenFeedback,
    Loading,
    MissingImport,
    Outcome,
    Place,
    Policy,
    SecondLook,
)
from grader.reports import StudentView, markdown, pages, student_view
from grader.reports.views import SecondLookView

from . import sample

SHAPE, SOFTMAX, SCALE, PADDING, CAUSAL = sample.SPECS
CANARIES = {"MESSAGE", "SOURCE", "FINDING", "EVIDENCE", "OTHER", "DETAIL"}
TOLD = {
    HiddenFeedback.OUTCOME: set(),
    HiddenFeedback.HINT: {"MESSAGE"},
    HiddenFeedback.DIAGNOSIS: {"MESSAGE", "SOURCE", "FINDING", "EVIDENCE", "OTHER"},
}


def canary(name: str) -> str:
    return f"Canary{name}Error"


def wrong_again(spec: CheckSpec) -> SecondLook:
    """A second look in which this check is wrong, with a canary in every place that may tell something."""
    where = Place(file="attention.ipynb", cell=1, line=1, source=canary("SOURCE"))
    failed = CheckResult(
        check=spec.id, outcome=Outcome.FAILED, message=canary("MESSAGE"), where=where, detail=canary("DETAIL")
    )
    proven, seen = (
        Finding(id="scale-missing", certainty=Certainty.PROVEN, title=canary(title), check=check, evidence=evidence)
        for title, check, evidence in (("FINDING", None, {"x": canary("EVIDENCE")}), ("OTHER", spec.id, {}))
    )
    results = tuple(failed if each is spec else sample.passed(each).result for each in sample.SPECS)
    return SecondLook(supplied=("import math",), results=results, findings=(proven, seen))


def forgetful(again: SecondLook, *first: CheckGrade) -> Grade:
    """A grade whose public check of the shape raised, unless other checks are given."""
    raised = sample.other(SHAPE, Outcome.ERRORED, "NameError: name 'math' is not defined")
    return sample.grade("katherine", *(first or (raised,)), second_look=again)


def forgiving() -> Assignment:
    return sample.assignment(policy=Policy(missing_import=MissingImport.FORGIVE))


def forgiven(grade: Grade) -> Grade:
    """The grade as it is scored where a missing import is forgiven: its checks are those of the second look."""
    assert grade.attempt
    assert grade.attempt.second_look
    results = {result.check: result for result in grade.attempt.second_look.results}
    checks = tuple(CheckGrade(spec=each.spec, result=results[each.spec.id], points=0.0) for each in grade.checks)
    return sample.changed(grade, checks=checks)


def texts(view: StudentView) -> list[str]:
    return [pages.student_page(view).decode(), markdown.student_comment(view).decode()]


def look(grade: Grade, assignment: Assignment) -> SecondLookView:
    found = student_view(grade, assignment).second_look
    assert found
    return found


@pytest.mark.parametrize("feedback", list(HiddenFeedback))
def test_of_a_hidden_check_a_second_look_tells_as_much_as_the_first(feedback: HiddenFeedback) -> None:
    view = student_view(forgetful(wrong_again(SCALE)), sample.assignment(feedback))

    assert view.withheld == (feedback is not HiddenFeedback.DIAGNOSIS)
    for text in texts(view):
        assert {name for name in CANARIES if canary(name) in text} == TOLD[feedback]
        assert "4 of 5 checks are correct" in text
        assert SCALE.title in text[text.index("These would still be wrong:") :]


@pytest.mark.parametrize("feedback", list(HiddenFeedback))
def test_of_a_public_check_a_second_look_tells_everything_but_the_detail(feedback: HiddenFeedback) -> None:
    for text in texts(student_view(forgetful(wrong_again(SOFTMAX)), sample.assignment(feedback))):
        assert {name for name in CANARIES if canary(name) in text} == TOLD[HiddenFeedback.DIAGNOSIS]


def test_no_second_look_explains_a_hidden_check_of_which_only_the_outcome_is_told() -> None:
    hidden = sample.other(SCALE, Outcome.ERRORED, "NameError: name 'math' is not defined")
    waiting = sample.other(CAUSAL, Outcome.BLOCKED, blocked_by=SCALE.id)
    grade = forgetful(wrong_again(PADDING), hidden, waiting)

    view = student_view(grade, sample.assignment(HiddenFeedback.OUTCOME))

    assert view.second_look is None
    assert view.withheld
    for text in texts(view):
        assert "math" not in text
    assert student_view(grade, sample.assignment(HiddenFeedback.HINT)).second_look
    assert student_view(grade, sample.assignment(HiddenFeedback.DIAGNOSIS)).second_look


def test_a_second_look_is_told_where_nothing_could_be_loaded() -> None:
    grade = forgetful(wrong_again(SCALE), sample.other(SCALE, Outcome.ERRORED))
    assert grade.attempt
    attempt = msgspec.structs.replace(grade.attempt, loading=Loading.NOTHING)

    assert student_view(sample.changed(grade, attempt=attempt), None).second_look


def test_what_the_first_look_proved_stays_secret_where_the_second_one_counts() -> None:
    proven = Finding(id="scale-missing", certainty=Certainty.PROVEN, title=canary("FINDING"))
    raised = [sample.other(spec, Outcome.ERRORED) for spec in sample.SPECS]
    right = SecondLook(supplied=("import math",), results=tuple(sample.passed(spec).result for spec in sample.SPECS))
    grade = forgiven(sample.grade("ada", *raised, findings=(proven,), second_look=right))

    assert "Canary" not in repr(student_view(grade, None))


def test_a_result_of_an_unknown_check_is_left_out() -> None:
    again = wrong_again(SCALE)
    unknown = CheckResult(check="test_gone.py::test_it", outcome=Outcome.FAILED, message=canary("OTHER"))

    view = look(forgetful(msgspec.structs.replace(again, results=(*again.results, unknown))), sample.assignment())

    assert view.outcome == "4 of 5 checks are correct"
    assert len(view.wrong) == 1


def test_a_second_look_in_which_all_is_right_lists_nothing() -> None:
    right = SecondLook(
        supplied=("import math", "import numpy as np", "import torch.nn.functional as F"),
        results=tuple(sample.passed(spec).result for spec in sample.SPECS),
    )

    page, comment = texts(student_view(forgetful(right), sample.assignment()))

    assert "<h2>With the missing imports supplied</h2>" in page
    assert "<code>import math</code>, <code>import numpy as np</code> and <code>import torch.nn" in page
    assert "With `import math`, `import numpy as np` and `import torch.nn.functional as F` supplied, all" in comment
    for text in (page, comment):
        assert "supplied, all checks are correct. This only informs you" in text
        assert "still" not in text


def test_where_a_missing_import_is_forgiven_it_is_said_that_the_second_look_counts() -> None:
    grade = forgetful(wrong_again(SCALE))

    for text in texts(student_view(grade, forgiving())):
        assert "your course forgives a missing import, and your points are those with it supplied" in text
        assert "These are still wrong:" in text
        assert "only informs" not in text


def test_checks_that_the_page_lists_already_are_not_listed_twice() -> None:
    view = student_view(forgiven(forgetful(wrong_again(SCALE))), forgiving())

    assert view.second_look
    assert view.second_look.wrong == ()
    for text in texts(view):
        assert text.count(SCALE.title) == 1
        assert "What is still wrong is listed below." in text


def test_a_check_that_waits_in_the_second_look_names_what_for() -> None:
    wrong = look(sample.import_forgotten(), sample.assignment()).wrong

    assert [check.waiting_for for check in wrong] == ["", "", SCALE.title]


def test_our_own_failure_in_a_second_look_that_only_informs_promises_no_person() -> None:
    again = wrong_again(SOFTMAX)
    internal = CheckResult(check=CAUSAL.id, outcome=Outcome.INTERNAL)
    grade = forgetful(msgspec.structs.replace(again, results=(*again.results[:-1], internal)))

    assert look(grade, sample.assignment()).wrong[-1].message.endswith("so nothing is known about this.")
    assert "no points" in look(grade, forgiving()).wrong[-1].message


def test_a_submission_that_forgot_nothing_has_no_second_look() -> None:
    for text in texts(student_view(sample.ada(), sample.assignment())):
        assert "supplied" not in text
