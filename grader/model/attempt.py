"""What came of it."""

from __future__ import annotations

import msgspec

from grader.model.assignment import Assignment, CheckSpec
from grader.model.overview import Changes, Likeness
from grader.model.submission import Excerpt, Flag, IgnoredFile, Place
from grader.model.vocabulary import CellOutcome, Certainty, Entity, IsolationLevel, Loading, Outcome, Status


class CheckResult(Entity, frozen=True, kw_only=True):
    """What became of one check of one submission.

    Attributes:
        check: the check's id.
        message: one or two sentences for the student; empty when it passed. Holds no hidden input or expected value.
        where: the student's own line that it is about.
        blocked_by: the id of the check that failed first.
        detail: for the instructor only; may hold anything.
    """

    check: str
    outcome: Outcome
    message: str = ""
    where: Place | None = None
    blocked_by: str | None = None
    detail: str = ""
    seconds: float = 0.0


class Finding(Entity, frozen=True, kw_only=True):
    """A named mistake.

    Attributes:
        id: from the vocabulary of findings (`grader.catalogue`).
        alternatives: ids of mistakes that are the same function of the input: which of them it is, nobody can tell.
        informative: whether it is only worth knowing: no mistake, and no reason for lost points.
        explanation: what happens, with this submission's own sizes where they are known.
        check: the check that saw it; None for what the output as a whole proves.
        where: the student's own line; of a proven finding, the one that a trace of the calls points at.
        evidence: numbers and names; may be shown.
    """

    id: str
    certainty: Certainty
    title: str
    explanation: str = ""
    check: str | None = None
    where: Place | None = None
    evidence: dict[str, float | int | str] = msgspec.field(default_factory=dict)
    alternatives: tuple[str, ...] = ()
    informative: bool = False


class AttentionPicture(Entity, frozen=True, kw_only=True):
    """Attention weights on a small public example, as the student's code has them and as they should be.

    Attributes:
        tokens: what the rows (queries) and columns (keys) are called.
        masked: whether later tokens were masked.
        student: heads, of queries, of keys: how much the query takes from the key. A weight that is not finite is None.
        expected: the same for the reference with the same weights.
    """

    tokens: tuple[str, ...]
    masked: bool
    student: tuple[tuple[tuple[float | None, ...], ...], ...]
    expected: tuple[tuple[tuple[float | None, ...], ...], ...]


class CellRun(Entity, frozen=True, kw_only=True):
    """A code cell that did not run to its end.

    Attributes:
        cell: counts code cells from 1, as in the notebook without the text between them.
        error: the exception's name and text; empty when it did not raise.
        trace: the student's own lines of the traceback, outermost first.
    """

    cell: int
    outcome: CellOutcome
    error: str = ""
    trace: tuple[Place, ...] = ()


class SecondLook(Entity, frozen=True, kw_only=True):
    """The same checks once more, with the imports supplied that the submission forgot.

    Attributes:
        supplied: the import statements, `import math`.
        results: one for every check.
        findings: what else was noticed, once the imports were there.
    """

    supplied: tuple[str, ...]
    results: tuple[CheckResult, ...]
    findings: tuple[Finding, ...] = ()


class Isolation(Entity, frozen=True, kw_only=True):
    """How well student code was walled in.

    Attributes:
        level: what its process could still do decides it, found out by trying.
        missing: what the next better level lacks, as sentences for the person who could change it.
    """

    level: IsolationLevel
    missing: tuple[str, ...] = ()


class Attempt(Entity, frozen=True, kw_only=True):
    """All outcomes and findings of one submission on one assignment. This is what the store keeps.

    Attributes:
        key: digest of assignment, submission, grader and torch.
        loading: how much of the top-level code was run; `loading_note` says why not all of it.
        cells: of a notebook, the code cells that did not run to their end.
        repairs: what was put right, or left out, before a notebook could be run.
        second_look: what the checks say when forgotten imports are supplied; None when none was forgotten.
        flags: for the instructor only.
        unexplained: where the output begins to differ from the reference, as a sentence, when no known mistake explains
            it; empty otherwise.
        pictures: attention weights on a public example, when a check about them failed.
        excerpts: the student's lines around the places that are named in all of this.
        isolation: what its code ran behind.
        output: the beginning of what the code printed while it was loaded.
        seconds: wall time from the fork to the last outcome.
    """

    key: str
    student: str
    assignment: str
    results: tuple[CheckResult, ...]
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    loading: Loading = Loading.EXECUTED
    loading_note: str = ""
    loading_where: Place | None = None
    cells: tuple[CellRun, ...] = ()
    repairs: tuple[str, ...] = ()
    second_look: SecondLook | None = None
    flags: tuple[Flag, ...] = ()
    unexplained: str = ""
    pictures: tuple[AttentionPicture, ...] = ()
    excerpts: tuple[Excerpt, ...] = ()
    isolation: Isolation = Isolation(level=IsolationLevel.PROCESS_ONLY)
    output: str = ""
    seconds: float = 0.0


class CheckGrade(Entity, frozen=True, kw_only=True):
    """One check of a grade: the declaration, the result and the points it earned."""

    spec: CheckSpec
    result: CheckResult
    points: float


class Grade(Entity, frozen=True, kw_only=True):
    """An attempt scored, or the reason why there is none.

    Attributes:
        attempt: `None` when the submission is missing or rejected.
        reason: why it is missing or rejected, as a sentence.
        reused: whether the attempt was taken from the store.
    """

    student: str
    assignment: str
    status: Status
    points: float
    max_points: float
    checks: tuple[CheckGrade, ...] = ()
    attempt: Attempt | None = None
    files: tuple[str, ...] = ()
    ignored: tuple[IgnoredFile, ...] = ()
    digest: str = ""
    reason: str = ""
    reused: bool = False


class Cohort(Entity, frozen=True, kw_only=True):
    """All grades of a run, with what is needed to judge and repeat it.

    Attributes:
        isolation: the worst that any of the attempts was made behind.
        grades: by student, then assignment.
        finished: local time the run ended, ISO 8601 with offset.
        interrupted: whether the run was stopped before every job was done.
        ungraded: how many submissions were to be graded and have no attempt.
        likenesses: submissions whose code is nearly the same.
        changes: what is different from the last run; None where there was none, or none of it is known.
    """

    grader: str
    torch: str
    isolation: Isolation
    assignments: tuple[Assignment, ...]
    grades: tuple[Grade, ...]
    finished: str
    interrupted: bool = False
    ungraded: int = 0
    likenesses: tuple[Likeness, ...] = ()
    changes: Changes | None = None
