"""Attempts to grades: plain arithmetic, no rerun needed."""

from __future__ import annotations

from typing import Final

from grader.model import (
    Assignment,
    Attempt,
    CheckGrade,
    CheckResult,
    CheckSpec,
    Grade,
    MissingImport,
    Outcome,
    Policy,
    Status,
    Submission,
)

EARNING: Final = frozenset({Outcome.PASSED, Outcome.INTERNAL})
"""Outcomes that earn a check's points. An internal one is our failure and never costs a student anything."""


def score(assignment: Assignment, submission: Submission, attempt: Attempt, *, reused: bool) -> Grade:
    """The grade of an attempt: each check earns all of its points or none.

    Where the assignment's policy forgives a missing import, a check's result is that of the second look.
    """
    results = _counted(attempt, assignment.policy)
    checks = tuple(_grade_check(spec, results.get(spec.id)) for spec in assignment.checks)
    failed_us = any(check.result.outcome is Outcome.INTERNAL for check in checks)
    return Grade(
        student=submission.student,
        assignment=assignment.id,
        status=Status.NEEDS_ATTENTION if failed_us else Status.GRADED,
        points=sum(check.points for check in checks),
        max_points=assignment.max_points,
        checks=checks,
        attempt=attempt,
        files=tuple(file.path for file in submission.files),
        ignored=submission.ignored,
        digest=submission.digest,
        reused=reused,
    )


def without_attempt(assignment: Assignment, submission: Submission, status: Status, reason: str) -> Grade:
    """The grade of a submission that could not be examined: no points, and the reason."""
    return Grade(
        student=submission.student,
        assignment=assignment.id,
        status=status,
        points=0.0,
        max_points=assignment.max_points,
        files=tuple(file.path for file in submission.files),
        ignored=submission.ignored,
        digest=submission.digest,
        reason=reason,
    )


def _counted(attempt: Attempt, policy: Policy) -> dict[str, CheckResult]:
    """The result that counts for each check: that of the second look, where the policy forgives a missing import.

    What was correct without the import stays correct.
    """
    counted = {result.check: result for result in attempt.results}
    if policy.missing_import is MissingImport.FORGIVE and attempt.second_look is not None:
        for result in attempt.second_look.results:
            first = counted.get(result.check)
            if first is None or first.outcome is not Outcome.PASSED:
                counted[result.check] = result
    return counted


def _grade_check(spec: CheckSpec, result: CheckResult | None) -> CheckGrade:
    known = result or CheckResult(check=spec.id, outcome=Outcome.INTERNAL, detail="no result was stored for it")
    return CheckGrade(spec=spec, result=known, points=spec.points if known.outcome in EARNING else 0.0)
