"""What a student is told about a grade: decided here once, for every format.

A `StudentView` holds nothing that its student may not read, so a template cannot give away a hidden check by mistake:
there is no `detail` and no flag in it, and what `assignment.hidden_feedback` withholds has been taken out before it is
built.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from grader.model import (
    Assignment,
    Attempt,
    AttentionPicture,
    CheckGrade,
    CheckResult,
    Cohort,
    Entity,
    Excerpt,
    Grade,
    HiddenFeedback,
    IgnoredFile,
    Isolation,
    Loading,
    MissingImport,
    Outcome,
    SecondLook,
    Status,
)
from grader.reports.cards import Card, cards, worth_knowing
from grader.reports.cells import CellNote, cell_notes
from grader.reports.listing import (
    CheckView,
    ConceptScore,
    ConceptView,
    by_concept,
    check_view,
    scores,
    wrong_checks,
)
from grader.reports.snippets import Snippet, snippet, unless_shown
from grader.reports.texts import TEXTS
from grader.reports.withholding import hints, without_secrets
from grader.reports.wording import SECOND_LOOK_WEIGHT, what_went_wrong
from grader.submissions.excerpts import AROUND

_COMPARED = 100
"""Cells that are looked for in the note; it speaks of the first that went wrong."""
_COMPARED_NOTE = 10_000
"""Characters of the note that are searched."""


class SecondLookView(Entity, frozen=True, kw_only=True):
    """What the checks say once forgotten imports are supplied, as the student sees it.

    Attributes:
        supplied: the import statements.
        outcome: how many checks are correct with them, as a sentence.
        weight: whether this counts or only informs, as a sentence.
        lead: what stands before findings and wrong checks.
        wrong: the checks that are not correct; empty when the list of the submission's checks shows the very same.
        cards: the mistakes that were named; `further` counts those beyond.
    """

    supplied: tuple[str, ...]
    outcome: str
    weight: str
    lead: str
    wrong: tuple[CheckView, ...]
    cards: tuple[Card, ...]
    further: int


class StudentView(Entity, frozen=True, kw_only=True):
    """One grade as its student sees it.

    Attributes:
        title: the assignment's title.
        headline: what went wrong, in about three words.
        correct, total: how many checks are correct, and how many there are.
        scores: what each concept has brought.
        cards: the mistakes that were named, that on which most depends first; `further` counts those beyond.
        hints: where to look for what is not told.
        unexplained: where the output begins to differ when no known mistake explains it.
        pictures: attention weights, where they are not as expected.
        wrong: checks that are not correct or not yet looked at.
        right: checks that are correct.
        worth_knowing: what was noticed and is no mistake; `further_worth_knowing` counts what is beyond.
        second_look: the checks with forgotten imports supplied; None when none was forgotten.
        notebook: whether what was graded is known to be a notebook.
        cells: what became of its cells that did not run to their end.
        repairs: what was put right, or left out, before it was run.
        withheld: whether something about a hidden check was left out.
        our_failure: whether a check could not be carried out because of the grader.
        isolation: what the code ran behind; None when none was run.
        templates: the folder with the assignment's own templates, which need not exist; they stand before ours.
    """

    student: str
    title: str
    status: Status
    points: float
    max_points: float
    headline: str
    reason: str
    correct: int = 0
    total: int = 0
    scores: tuple[ConceptScore, ...] = ()
    cards: tuple[Card, ...] = ()
    further: int = 0
    hints: tuple[str, ...] = ()
    unexplained: str = ""
    pictures: tuple[AttentionPicture, ...] = ()
    wrong: tuple[ConceptView, ...] = ()
    right: tuple[ConceptView, ...] = ()
    worth_knowing: tuple[Card, ...] = ()
    further_worth_knowing: int = 0
    second_look: SecondLookView | None = None
    notebook: bool = False
    loading: Loading = Loading.EXECUTED
    loading_note: str = ""
    loading_where: Snippet | None = None
    cells: tuple[CellNote, ...] = ()
    repairs: tuple[str, ...] = ()
    output: str = ""
    warnings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    ignored: tuple[IgnoredFile, ...] = ()
    withheld: bool = False
    our_failure: bool = False
    isolation: Isolation | None = None

    @property
    def unexplained_first(self) -> bool:
        """Whether what has no name is likely to cost more than any mistake that has one."""
        return bool(self.unexplained) and not (self.cards and self.cards[0].cost)

    templates: Path | None = None


def student_views(cohort: Cohort) -> list[tuple[Grade, StudentView]]:
    """Every grade of a cohort with its view, in the cohort's order."""
    assignments = {assignment.id: assignment for assignment in cohort.assignments}
    return [(grade, student_view(grade, assignments.get(grade.assignment))) for grade in cohort.grades]


def student_view(grade: Grade, assignment: Assignment | None) -> StudentView:
    """What the student may read of a grade; of hidden checks, only as much as the assignment says.

    Without an assignment, hidden checks are told as `outcome`: title, concept and outcome.
    """
    feedback = assignment.hidden_feedback if assignment else HiddenFeedback.OUTCOME
    told = without_secrets(grade, feedback)
    titles = {check.spec.id: check.spec.title for check in told.checks}
    right = [check for check in told.checks if check.result.outcome is Outcome.PASSED]
    view = StudentView(
        student=told.student,
        title=assignment.title if assignment else grade.assignment,
        templates=assignment.folder / "templates" if assignment else None,
        status=told.status,
        points=told.points,
        max_points=told.max_points,
        headline=what_went_wrong(told),
        reason=told.reason,
        correct=len(right),
        total=len(told.checks),
        scores=scores(told.checks),
        hints=hints(grade, feedback),
        right=by_concept(check_view(check, titles, ()) for check in right),
        files=told.files,
        ignored=told.ignored,
        withheld=told != without_secrets(grade, HiddenFeedback.DIAGNOSIS),
        our_failure=any(check.result.outcome is Outcome.INTERNAL for check in told.checks),
    )
    if told.attempt is None:
        return view
    policy = assignment.policy.missing_import if assignment else MissingImport.INFORM
    return _with_attempt(view, told, told.attempt, policy, solved=feedback is HiddenFeedback.DIAGNOSIS)


def _with_attempt(
    view: StudentView, told: Grade, attempt: Attempt, policy: MissingImport, *, solved: bool
) -> StudentView:
    """The view with what an attempt says, which holds no secrets any more."""
    excerpts, look = attempt.excerpts, attempt.second_look
    named, further = cards(attempt.findings, told.checks, excerpts, solved=solved)
    remarks, further_remarks = worth_knowing(attempt.findings, excerpts)
    shown = {card.snippet.where for card in named if card.snippet}
    stopped = snippet(attempt.loading_where, excerpts, AROUND)
    return msgspec.structs.replace(
        view,
        cards=named,
        further=further,
        wrong=by_concept(wrong_checks(told.checks, excerpts, shown)),
        worth_knowing=remarks,
        further_worth_knowing=further_remarks,
        unexplained=attempt.unexplained,
        pictures=attempt.pictures,
        second_look=_second_look_view(look, told, policy, excerpts, solved=solved) if look else None,
        notebook=_is_notebook(attempt, told.files),
        loading=attempt.loading,
        loading_note="" if _told_by_cells(attempt) else attempt.loading_note,
        loading_where=None if _shown_by_cells(attempt) else unless_shown(stopped, shown),
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


# -- the second look ---------------------------------------------------------------------------------------------------


def _second_look_view(
    look: SecondLook, told: Grade, policy: MissingImport, excerpts: tuple[Excerpt, ...], *, solved: bool
) -> SecondLookView:
    """The second look of a grade that holds no secrets any more."""
    specs = {check.spec.id: check.spec for check in told.checks}
    titles = {spec.id: spec.title for spec in specs.values()}
    counts = policy is MissingImport.FORGIVE
    open_results = [result for result in look.results if result.outcome is not Outcome.PASSED]
    listed = {check.result.check: check.result for check in told.checks} == {
        result.check: result for result in look.results
    }
    again = [CheckGrade(spec=specs[result.check], result=result, points=0.0) for result in look.results]
    wrong = [
        CheckGrade(spec=specs[result.check], result=result if counts else _unscored(result), points=0.0)
        for result in open_results
    ]
    named, further = cards(look.findings, again, excerpts, solved=solved)
    correct, total = len(look.results) - len(open_results), len(look.results)
    return SecondLookView(
        supplied=look.supplied,
        outcome=TEXTS.say("second-look.some" if open_results else "second-look.all", correct=correct, total=total),
        weight=SECOND_LOOK_WEIGHT[policy],
        lead=_lead(listed=listed, counts=counts) if open_results else "",
        wrong=() if listed else tuple(check_view(check, titles, excerpts) for check in wrong),
        cards=named,
        further=further,
    )


def _lead(*, listed: bool, counts: bool) -> str:
    if listed:
        return TEXTS["second-look.listed-elsewhere"]
    return TEXTS["second-look.still-wrong" if counts else "second-look.would-be-wrong"]


def _unscored(result: CheckResult) -> CheckResult:
    """The result with what is true of our failure where no points depend on it, and no person is called."""
    if result.outcome is not Outcome.INTERNAL:
        return result
    return msgspec.structs.replace(result, message=TEXTS["second-look.our-failure"])
