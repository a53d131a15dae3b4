"""What a student is told about a grade: decided here once, for every format.

A `StudentView` holds nothing that its student may not read, so a template cannot give away a hidden check by mistake:
there is no `detail` and no flag in it, and what `assignment.hidden_feedback` withholds has been taken out before it is
built.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from grader.model import (
    Assignment,
    Attempt,
    CheckGrade,
    CheckResult,
    CheckSpec,
    Cohort,
    Entity,
    Finding,
    Grade,
    HiddenFeedback,
    IgnoredFile,
    Isolation,
    Loading,
    MissingImport,
    Outcome,
    Place,
    SecondLook,
    Status,
)
from grader.reports.cells import CellNote, cell_notes
from grader.reports.wording import OUTCOME_SENTENCES, SECOND_LOOK_WEIGHT, what_went_wrong

_COMPARED = 100
"""Cells that are looked for in the note; it speaks of the first that went wrong."""
_COMPARED_NOTE = 10_000
"""Characters of the note that are searched."""


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


class SecondLookView(Entity, frozen=True, kw_only=True):
    """What the checks say once forgotten imports are supplied, as the student sees it.

    Attributes:
        supplied: the import statements.
        outcome: how many checks are correct with them, `28 of 33 checks are correct`.
        weight: whether this counts or only informs, as a sentence.
        lead: what stands before findings and wrong checks.
        wrong: the checks that are not correct; empty when the page's first list of checks shows the very same.
    """

    supplied: tuple[str, ...]
    outcome: str
    weight: str
    lead: str
    wrong: tuple[CheckView, ...]
    findings: tuple[Finding, ...]


class StudentView(Entity, frozen=True, kw_only=True):
    """One grade as its student sees it.

    Attributes:
        title: the assignment's title.
        headline: what went wrong, in about three words.
        wrong: checks that are not correct or not yet looked at.
        right: checks that are correct.
        second_look: the checks with forgotten imports supplied; None when none was forgotten.
        notebook: whether what was graded is known to be a notebook.
        cells: what became of its cells that did not run to their end.
        repairs: what was put right, or left out, before it was run.
        withheld: whether something about a hidden check was left out.
        our_failure: whether a check could not be carried out because of the grader.
        isolation: what the code ran behind; None when none was run.
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
    second_look: SecondLookView | None = None
    notebook: bool = False
    loading: Loading = Loading.EXECUTED
    loading_note: str = ""
    loading_where: Place | None = None
    cells: tuple[CellNote, ...] = ()
    repairs: tuple[str, ...] = ()
    output: str = ""
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    ignored: tuple[IgnoredFile, ...] = ()
    withheld: bool = False
    our_failure: bool = False
    isolation: Isolation | None = None


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
    attempt = told.attempt
    if attempt is None:
        return view
    policy = assignment.policy.missing_import if assignment else MissingImport.INFORM
    return msgspec.structs.replace(
        view,
        findings=attempt.findings,
        second_look=_second_look_view(attempt.second_look, told, policy) if attempt.second_look else None,
        notebook=_is_notebook(attempt, told.files),
        loading=attempt.loading,
        loading_note="" if _told_by_cells(attempt) else attempt.loading_note,
        loading_where=None if _shown_by_cells(attempt) else attempt.loading_where,
        cells=cell_notes(attempt.cells),
        repairs=attempt.repairs,
        output=attempt.output,
        warnings=attempt.warnings,
        isolation=attempt.isolation,
    )


# -- how it was loaded -------------------------------------------------------------------------------------------------


def _is_notebook(attempt: Attempt, files: tuple[str, ...]) -> bool:
    """Whether a notebook was graded. Where a folder holds both kinds, only what happened can tell."""
    if attempt.cells or attempt.loading is Loading.PARTLY:
        return True
    where = attempt.loading_where
    named = (where.file,) if where else files
    return bool(named) and all(file.lower().endswith(".ipynb") for file in named)


def _told_by_cells(attempt: Attempt) -> bool:
    """Whether the list of cells says what the note says. A notebook that was not run as a whole needs its note."""
    said = [cell.error for cell in attempt.cells[:_COMPARED] if cell.error]
    note = attempt.loading_note[:_COMPARED_NOTE]
    return attempt.loading is Loading.PARTLY and any(error in note for error in said)


def _shown_by_cells(attempt: Attempt) -> bool:
    return attempt.loading_where in [cell.trace[-1] for cell in attempt.cells if cell.trace]


# -- secrets -----------------------------------------------------------------------------------------------------------


def _without_secrets(grade: Grade, feedback: HiddenFeedback) -> Grade:
    """The grade without what its student may not read.

    What a public check saw is told at every level. What no single check saw is told where diagnoses are, or where no
    hidden check had a part in it.
    """
    checks = tuple(_told(check, feedback) for check in grade.checks)
    attempt = grade.attempt
    if attempt is not None:
        specs = tuple(check.spec for check in grade.checks)
        attempt = msgspec.structs.replace(
            attempt,
            findings=_tellable(attempt.findings, attempt.results, specs, feedback),
            second_look=_told_again(attempt, specs, feedback),
        )
    return msgspec.structs.replace(grade, checks=checks, attempt=attempt)


def _tellable(
    findings: tuple[Finding, ...],
    results: tuple[CheckResult, ...],
    specs: tuple[CheckSpec, ...],
    feedback: HiddenFeedback,
) -> tuple[Finding, ...]:
    """Those findings of one look at a submission that its student may read."""
    if feedback is HiddenFeedback.DIAGNOSIS:
        return findings
    tellable: set[str | None] = {spec.id for spec in specs if not spec.hidden}
    passed = {result.check for result in results if result.outcome is Outcome.PASSED}
    if all(spec.id in passed for spec in specs if spec.hidden):
        tellable.add(None)
    return tuple(finding for finding in findings if finding.check in tellable)


def _told_again(attempt: Attempt, specs: tuple[CheckSpec, ...], feedback: HiddenFeedback) -> SecondLook | None:
    """The second look without what its student may not read.

    That an import is missing explains why a check raised. So where hidden checks tell their outcome only, all of it is
    told if a public check raised as well, or nothing could be loaded, and none of it otherwise.
    """
    look = attempt.second_look
    if look is None:
        return None
    public = {spec.id for spec in specs if not spec.hidden}
    raised = {result.check for result in attempt.results if result.outcome is Outcome.ERRORED}
    if feedback is HiddenFeedback.OUTCOME and not raised & public and attempt.loading is not Loading.NOTHING:
        return None
    by_id = {spec.id: spec for spec in specs}
    checks = [
        _told(CheckGrade(spec=by_id[result.check], result=result, points=0.0), feedback)
        for result in look.results
        if result.check in by_id
    ]
    return msgspec.structs.replace(
        look,
        results=tuple(check.result for check in checks),
        findings=_tellable(look.findings, look.results, specs, feedback),
    )


def _told(check: CheckGrade, feedback: HiddenFeedback) -> CheckGrade:
    result = msgspec.structs.replace(check.result, detail="")
    if check.spec.hidden and feedback is not HiddenFeedback.DIAGNOSIS:
        message = result.message if feedback is HiddenFeedback.HINT else ""
        result = msgspec.structs.replace(result, message=message, where=None)
    return msgspec.structs.replace(check, result=result)


# -- checks ------------------------------------------------------------------------------------------------------------


def _second_look_view(look: SecondLook, told: Grade, policy: MissingImport) -> SecondLookView:
    """The second look of a grade that holds no secrets any more."""
    specs = {check.spec.id: check.spec for check in told.checks}
    titles = {spec.id: spec.title for spec in specs.values()}
    counts = policy is MissingImport.FORGIVE
    open_results = [result for result in look.results if result.outcome is not Outcome.PASSED]
    correct = len(look.results) - len(open_results)
    shown_above = {check.result.check: check.result for check in told.checks} == {
        result.check: result for result in look.results
    }
    wrong = [
        CheckGrade(spec=specs[result.check], result=result if counts else _unscored(result), points=0.0)
        for result in open_results
    ]
    return SecondLookView(
        supplied=look.supplied,
        outcome=f"{correct} of {len(look.results)} checks are correct" if open_results else "all checks are correct",
        weight=SECOND_LOOK_WEIGHT[policy],
        lead=_lead(listed=not shown_above, counts=counts) if open_results else "",
        wrong=() if shown_above else tuple(_check_view(check, titles) for check in wrong),
        findings=look.findings,
    )


def _lead(*, listed: bool, counts: bool) -> str:
    if not listed:
        return "What is still wrong is listed above."
    return "These are still wrong:" if counts else "These would still be wrong:"


def _unscored(result: CheckResult) -> CheckResult:
    """The result with what is true of our failure where no points depend on it, and no person is called."""
    if result.outcome is not Outcome.INTERNAL:
        return result
    return msgspec.structs.replace(result, message="The grader itself failed here, so nothing is known about this.")


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
