from __future__ import annotations

from pathlib import Path

import pytest

from grader.model import (
    Assignment,
    Attempt,
    CheckResult,
    CheckSpec,
    Contract,
    HiddenFeedback,
    IgnoredFile,
    Limits,
    Outcome,
    Policy,
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


def attempt(**outcomes: Outcome) -> Attempt:
    results = tuple(CheckResult(check=check, outcome=outcome) for check, outcome in outcomes.items())
    return Attempt(key="k", student="ada", assignment="soft", results=results)


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


@pytest.mark.parametrize("outcome", set(Outcome) - {Outcome.INTERNAL})
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
