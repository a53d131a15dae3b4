"""What a student is told about a grade: decided here once, for every format.

A `StudentView` holds nothing that its student may not read, so a template cannot give away a hidden check by mistake:
there is no `detail` in it, and what `assignment.hidden_feedback` withholds has been taken out before it is built.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from grader.model import (
    Assignment,
    CheckGrade,
    Cohort,
    Entity,
    Finding,
    Grade,
    HiddenFeedback,
    IgnoredFile,
    Loading,
    Outcome,
    Place,
    Status,
)
from grader.reports.wording import OUTCOME_SENTENCES, what_went_wrong


class CheckView(Entity, frozen=True, kw_only=True):
    """One check as its student sees it. `waiting_for` is the title of the check that must be put right first."""

    title: str
    concept: str
    hidden: bool
    outcome: Outcome
    points: float
    max_points: float
    message: str
    where: Place | None
    waiting_for: str


class ConceptView(Entity, frozen=True, kw_only=True):
    """The checks about one idea, in the assignment's order."""

    concept: str
    checks: tuple[CheckView, ...]


class StudentView(Entity, frozen=True, kw_only=True):
    """One grade as its student sees it.

    Attributes:
        title: the assignment's title.
        headline: what went wrong, in about three words.
        wrong: checks that are not correct or not yet looked at.
        right: checks that are correct.
        withheld: whether something about a hidden check was left out.
        our_failure: whether a check could not be carried out because of the grader.
    """

    student: str
    title: str
    status: Status
    points: float
    max_points: float
    headline: str
    reason: str
    findings: tuple[Finding, ...] = ()
    wrong: tuple[ConceptView, ...] = ()
    right: tuple[ConceptView, ...] = ()
    loading: Loading = Loading.EXECUTED
    loading_note: str = ""
    loading_where: Place | None = None
    output: str = ""
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    ignored: tuple[IgnoredFile, ...] = ()
    withheld: bool = False
    our_failure: bool = False


def student_views(cohort: Cohort) -> list[tuple[Grade, StudentView]]:
    """Every grade of a cohort with its view, in the cohort's order."""
    assignments = {assignment.id: assignment for assignment in cohort.assignments}
    return [(grade, student_view(grade, assignments.get(grade.assignment))) for grade in cohort.grades]


def student_view(grade: Grade, assignment: Assignment | None) -> StudentView:
    """What the student may read of a grade; of hidden checks, only as much as the assignment says.

    Without an assignment, hidden checks are told as `outcome`: title, concept and outcome.
    """
    told = _without_secrets(grade, assignment.hidden_feedback if assignment else HiddenFeedback.OUTCOME)
    titles = {check.spec.id: check.spec.title for check in told.checks}
    checks = [_check_view(check, titles) for check in told.checks]
    view = StudentView(
        student=told.student,
        title=assignment.title if assignment else grade.assignment,
        status=told.status,
        points=told.points,
        max_points=told.max_points,
        headline=what_went_wrong(told),
        reason=told.reason,
        wrong=_by_concept(check for check in checks if check.outcome is not Outcome.PASSED),
        right=_by_concept(check for check in checks if check.outcome is Outcome.PASSED),
        files=told.files,
        ignored=told.ignored,
        withheld=told != _without_secrets(grade, HiddenFeedback.DIAGNOSIS),
        our_failure=any(check.outcome is Outcome.INTERNAL for check in checks),
    )
    if told.attempt is None:
        return view
    return msgspec.structs.replace(
        view,
        findings=told.attempt.findings,
        loading=told.attempt.loading,
        loading_note=told.attempt.loading_note,
        loading_where=told.attempt.loading_where,
        output=told.attempt.output,
        warnings=told.attempt.warnings,
    )


def _without_secrets(grade: Grade, feedback: HiddenFeedback) -> Grade:
    """The grade without what its student may not read.

    What a public check saw is told at every level. What no single check saw is told where diagnoses are, or where no
    hidden check had a part in it.
    """
    checks = tuple(_told(check, feedback) for check in grade.checks)
    attempt = grade.attempt
    if attempt is not None and feedback is not HiddenFeedback.DIAGNOSIS:
        tellable: set[str | None] = {check.spec.id for check in checks if not check.spec.hidden}
        if not any(check.spec.hidden and check.result.outcome is not Outcome.PASSED for check in checks):
            tellable.add(None)
        told = tuple(finding for finding in attempt.findings if finding.check in tellable)
        attempt = msgspec.structs.replace(attempt, findings=told)
    return msgspec.structs.replace(grade, checks=checks, attempt=attempt)


def _told(check: CheckGrade, feedback: HiddenFeedback) -> CheckGrade:
    result = msgspec.structs.replace(check.result, detail="")
    if check.spec.hidden and feedback is not HiddenFeedback.DIAGNOSIS:
        message = result.message if feedback is HiddenFeedback.HINT else ""
        result = msgspec.structs.replace(result, message=message, where=None)
    return msgspec.structs.replace(check, result=result)


def _check_view(check: CheckGrade, titles: dict[str, str]) -> CheckView:
    spec, result = check.spec, check.result
    waiting = result.outcome is Outcome.BLOCKED
    return CheckView(
        title=spec.title,
        concept=spec.concept,
        hidden=spec.hidden,
        outcome=result.outcome,
        points=check.points,
        max_points=spec.points,
        message=result.message or OUTCOME_SENTENCES[result.outcome],
        where=result.where,
        waiting_for=titles.get(result.blocked_by or "", "another check") if waiting else "",
    )


def _by_concept(checks: Iterable[CheckView]) -> tuple[ConceptView, ...]:
    """Checks under their concepts, each where its first check stands."""
    groups: dict[str, list[CheckView]] = {}
    for check in checks:
        groups.setdefault(check.concept, []).append(check)
    return tuple(ConceptView(concept=concept, checks=tuple(group)) for concept, group in groups.items())
