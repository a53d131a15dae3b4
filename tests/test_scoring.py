from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from grader.model import (
    Assignment,
    Attempt,
    CheckResult,
    CheckSpec,
    Contract,
    Grade,
    HiddenFeedback,
    IgnoredFile,
    Limits,
    MissingImport,
    Outcome,
    Policy,
    SecondLook,
    SourceFile,
    Status,
    Submission,
)
from grader.scoring import score, without_attempt

SPECS = (
    CheckSpec(id="a", title="A", concept="shape", points=1.0),
    CheckSpec(id="b", title="B", concept="softmax", points=2.5, hidden=True),
    CheckSpec(id="c", title="C", concept="softmax", points=4.0, after=("a",)),
)
ASSIGNMENT = Assignment(
    id="soft",
    title="Soft",
    folder=Path("soft"),
    reference=Path("soft/reference.py"),
    entry="Student",
    aliases=(),
    contract=Contract(construct="embed_dim", call="x"),
    limits=Limits(),
    policy=Policy(),
    hidden_feedback=HiddenFeedback.DIAGNOSIS,
    checks=SPECS,
    digest="d",
)
SUBMISSION = Submission(
    student="ada",
    origin=Path("ada"),
    files=(SourceFile(path="a.py", content=b""), SourceFile(path="b/c.py", content=b"")),
    digest="digest",
    ignored=(IgnoredFile(path="notes.txt", reason="no Python"),),
)


def results(**outcomes: Outcome) -> tuple[CheckResult, ...]:
    return tuple(CheckResult(check=check, outcome=outcome) for check, outcome in outcomes.items())


def attempt(**outcomes: Outcome) -> Attempt:
    return Attempt(key="k", student="ada", assignment="soft", results=results(**outcomes))


def points(**outcomes: Outcome) -> dict[str, float]:
    """What each check earned."""
    grade = score(ASSIGNMENT, SUBMISSION, attempt(**outcomes), reused=False)
    return {check.spec.id: check.points for check in grade.checks}


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_passed_check_earns_its_points_and_one_that_we_failed_costs_none(outcome):
    earned = points(a=Outcome.PASSED, b=outcome, c=Outcome.FAILED)

    assert earned == {"a": 1.0, "b": 2.5 if outcome in (Outcome.PASSED, Outcome.INTERNAL) else 0.0, "c": 0.0}


def test_a_blocked_check_earns_nothing():
    assert points(a=Outcome.FAILED, b=Outcome.PASSED, c=Outcome.BLOCKED)["c"] == 0.0


def test_a_check_without_a_result_is_our_failure_and_costs_nothing():
    grade = score(ASSIGNMENT, SUBMISSION, attempt(a=Outcome.PASSED, b=Outcome.PASSED), reused=False)

    assert grade.checks[2].result.outcome is Outcome.INTERNAL
    assert grade.points == 7.5
    assert grade.status is Status.NEEDS_ATTENTION


def test_the_points_of_a_grade_are_those_of_its_checks():
    grade = score(ASSIGNMENT, SUBMISSION, attempt(a=Outcome.PASSED, b=Outcome.PASSED, c=Outcome.KILLED), reused=False)

    assert (grade.points, grade.max_points) == (3.5, 7.5)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.INTERNAL])
def test_a_grade_needs_no_attention_whatever_the_student_did(outcome):
    grade = score(ASSIGNMENT, SUBMISSION, attempt(a=outcome, b=outcome, c=outcome), reused=False)

    assert grade.status is Status.GRADED


def test_one_internal_outcome_is_enough_to_need_attention():
    grade = score(ASSIGNMENT, SUBMISSION, attempt(a=Outcome.INTERNAL, b=Outcome.FAILED, c=Outcome.FAILED), reused=False)

    assert grade.status is Status.NEEDS_ATTENTION


def test_checks_are_in_the_order_of_the_assignment_and_results_of_unknown_ones_earn_nothing():
    everything = attempt(c=Outcome.PASSED, x=Outcome.PASSED, b=Outcome.PASSED, a=Outcome.PASSED)
    grade = score(ASSIGNMENT, SUBMISSION, everything, reused=False)

    assert [check.spec for check in grade.checks] == list(SPECS)
    assert grade.points == grade.max_points


@pytest.mark.parametrize("reused", [True, False])
def test_a_grade_tells_whose_it_is_and_what_it_was_given_for(reused):
    made = attempt(a=Outcome.PASSED)
    grade = score(ASSIGNMENT, SUBMISSION, made, reused=reused)

    assert (grade.student, grade.assignment, grade.digest, grade.reused) == ("ada", "soft", "digest", reused)
    assert grade.files == ("a.py", "b/c.py")
    assert grade.ignored == SUBMISSION.ignored
    assert grade.attempt is made


def test_a_submission_that_was_not_examined_has_no_points_and_a_reason():
    grade = without_attempt(ASSIGNMENT, SUBMISSION, Status.REJECTED, "it is a symbolic link")

    assert (grade.points, grade.max_points) == (0.0, 7.5)
    assert (grade.status, grade.reason) == (Status.REJECTED, "it is a symbolic link")
    assert grade.attempt is None
    assert grade.checks == ()


# -- a second look -----------------------------------------------------------------------------------------------------

FORGIVING = msgspec.structs.replace(ASSIGNMENT, policy=Policy(missing_import=MissingImport.FORGIVE))
ERRORED = attempt(a=Outcome.ERRORED, b=Outcome.ERRORED, c=Outcome.BLOCKED)


def looked_again(first: Attempt = ERRORED, **outcomes: Outcome) -> Attempt:
    """The attempt with a second look of these outcomes."""
    look = SecondLook(supplied=("import math",), results=results(**outcomes))
    return msgspec.structs.replace(first, second_look=look)


def outcomes_of(grade: Grade) -> dict[str, Outcome]:
    return {check.spec.id: check.result.outcome for check in grade.checks}


def test_what_a_second_look_says_counts_where_missing_imports_are_forgiven():
    made = looked_again(a=Outcome.PASSED, b=Outcome.FAILED, c=Outcome.PASSED)
    grade = score(FORGIVING, SUBMISSION, made, reused=False)

    assert outcomes_of(grade) == {"a": Outcome.PASSED, "b": Outcome.FAILED, "c": Outcome.PASSED}
    assert (grade.points, grade.status) == (5.0, Status.GRADED)
    assert grade.attempt is made


def test_what_a_second_look_says_is_only_told_where_missing_imports_are_not_forgiven():
    made = looked_again(a=Outcome.PASSED, b=Outcome.INTERNAL, c=Outcome.PASSED)
    grade = score(ASSIGNMENT, SUBMISSION, made, reused=False)

    assert grade.checks == score(ASSIGNMENT, SUBMISSION, ERRORED, reused=False).checks
    assert (grade.points, grade.status) == (0.0, Status.GRADED)


def test_a_check_that_the_second_look_lacks_keeps_its_first_result():
    made = looked_again(attempt(a=Outcome.PASSED, b=Outcome.TIMED_OUT, c=Outcome.ERRORED), c=Outcome.PASSED)
    grade = score(FORGIVING, SUBMISSION, made, reused=False)

    assert outcomes_of(grade) == {"a": Outcome.PASSED, "b": Outcome.TIMED_OUT, "c": Outcome.PASSED}
    assert grade.points == 5.0


def test_where_imports_are_forgiven_and_none_was_missing_the_first_look_counts():
    made = attempt(a=Outcome.PASSED, b=Outcome.FAILED, c=Outcome.PASSED)

    graded = [score(assignment, SUBMISSION, made, reused=False) for assignment in (FORGIVING, ASSIGNMENT)]
    assert graded[0] == graded[1]


def test_our_failure_in_a_second_look_that_counts_costs_nothing_and_needs_attention():
    made = looked_again(a=Outcome.PASSED, b=Outcome.INTERNAL, c=Outcome.FAILED)
    grade = score(FORGIVING, SUBMISSION, made, reused=False)

    assert (grade.points, grade.status) == (3.5, Status.NEEDS_ATTENTION)


def test_our_failure_in_a_first_look_that_does_not_count_needs_no_attention():
    made = looked_again(
        attempt(a=Outcome.INTERNAL, b=Outcome.ERRORED), a=Outcome.FAILED, b=Outcome.PASSED, c=Outcome.PASSED
    )
    grade = score(FORGIVING, SUBMISSION, made, reused=False)

    assert (grade.points, grade.status) == (6.5, Status.GRADED)
