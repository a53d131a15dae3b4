"""The values a run is made of, frozen, in the order in which they come into being.

    Assignment + Submission -> Job -> Attempt -> Grade -> Cohort

No value here renders, saves, logs or scores itself. Texts that came from a student's process were cleaned once, when
they arrived (`grader.text`); they are still a student's words, and whoever shows them escapes them for its own format.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec


class Outcome(StrEnum):
    """What became of one check. The set is closed."""

    PASSED = "passed"
    FAILED = "failed"
    """The student's code answered, and the answer is wrong."""
    ERRORED = "errored"
    """The student's code raised."""
    TIMED_OUT = "timed-out"
    KILLED = "killed"
    """The student's process ended: a crash, `os._exit`, too much memory."""
    BLOCKED = "blocked"
    """A check this one depends on did not pass: nothing new would be learned."""
    INTERNAL = "internal"
    """Our own failure. Never costs points; the submission needs a person's attention."""


class Status(StrEnum):
    """What became of one submission."""

    GRADED = "graded"
    NEEDS_ATTENTION = "needs-attention"
    MISSING = "missing"
    """Nothing was handed in for this assignment."""
    REJECTED = "rejected"
    """What was handed in cannot be read, or not safely."""


class IsolationLevel(StrEnum):
    """How well student code is walled in, best first."""

    SEALED = "sealed"
    CONFINED = "confined"
    SEPARATE_USER = "separate-user"
    PROCESS_ONLY = "process-only"


class Loading(StrEnum):
    """How much of a submission's own top-level code was run before it was graded."""

    EXECUTED = "executed"
    DEFINITIONS = "definitions"
    """Only imports, classes, functions and the constants they use, because running the whole file did not end well."""
    NOTHING = "nothing"
    """Not even the definitions could be loaded."""


class Certainty(StrEnum):
    """Why a finding may be claimed."""

    PROVEN = "proven"
    OBSERVED = "observed"


class HiddenFeedback(StrEnum):
    """How much a student is told about a hidden check."""

    OUTCOME = "outcome"
    HINT = "hint"
    DIAGNOSIS = "diagnosis"


class Entity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all values: immutable, slotted, keyword-only, and strict when read back from disk."""


# -- what an instructor wrote ------------------------------------------------------------------------------------------


class CheckSpec(Entity, frozen=True, kw_only=True):
    """One check as its author declared it.

    Attributes:
        id: file and function, `test_masking.py::test_padding`.
        title: the docstring's first line; this is what a student reads.
        concept: the idea it is about, `masking`.
        points: what it is worth.
        hidden: whether students can see it before they hand in.
        after: ids of the checks that must pass first.
    """

    id: str
    title: str
    concept: str
    points: float
    hidden: bool = False
    after: tuple[str, ...] = ()


class Contract(Entity, frozen=True, kw_only=True):
    """How the graded class is built and called, as the students were told: parameter lists in Python's syntax."""

    construct: str
    call: str
    mask: str = "nonzero = may attend"


class Limits(Entity, frozen=True, kw_only=True):
    """Budgets of one submission: wall seconds and bytes."""

    seconds: float = 60.0
    check_seconds: float = 10.0
    import_seconds: float = 10.0
    memory: int = 4 << 30


class Policy(Entity, frozen=True, kw_only=True):
    """Library functions a solution may not simply call, as full dotted names."""

    forbid: tuple[str, ...] = ()


class Assignment(Entity, frozen=True, kw_only=True):
    """One assignment, validated.

    Attributes:
        folder: where `assignment.toml` and `checks/` are.
        reference: the reference solution's file.
        entry: the class (or function) that is graded; `aliases` are accepted names for it.
        digest: changes whenever a verdict might: the settings, the checks or the reference.
    """

    id: str
    title: str
    folder: Path
    reference: Path
    entry: str
    aliases: tuple[str, ...]
    contract: Contract
    limits: Limits
    policy: Policy
    hidden_feedback: HiddenFeedback
    checks: tuple[CheckSpec, ...]
    digest: str

    @property
    def max_points(self) -> float:
        """The points of all checks together."""
        return sum(check.points for check in self.checks)


# -- what a student handed in ------------------------------------------------------------------------------------------


class SourceFile(Entity, frozen=True, kw_only=True):
    """One file of a submission. `path` is relative to the submission, with `/` between its parts."""

    path: str
    content: bytes


class IgnoredFile(Entity, frozen=True, kw_only=True):
    """A file that was handed in but is not looked at, and why."""

    path: str
    reason: str


class Submission(Entity, frozen=True, kw_only=True):
    """One student's files for one run.

    Attributes:
        student: the name of the folder or file it came in.
        origin: that folder or file.
        digest: SHA-256 over the names and contents of `files`.
        rejected: why it cannot be graded at all, if it cannot.
    """

    student: str
    origin: Path
    files: tuple[SourceFile, ...]
    digest: str
    ignored: tuple[IgnoredFile, ...] = ()
    rejected: str | None = None


class Place(Entity, frozen=True, kw_only=True):
    """A line of a student's own code. `source` is that line, stripped; `cell` counts code cells from 1."""

    file: str
    line: int
    source: str = ""
    function: str = ""
    cell: int | None = None


class PolicyHit(Entity, frozen=True, kw_only=True):
    """A forbidden function that the graded code calls, and where."""

    name: str
    where: Place


class Match(Entity, frozen=True, kw_only=True):
    """Which class of a submission is graded for an assignment, and what was noticed while choosing it."""

    file: str
    target: str
    warnings: tuple[str, ...] = ()


class Job(Entity, frozen=True, kw_only=True):
    """One submission to be graded for one assignment.

    Attributes:
        key: names its attempt in the store.
        seed: where all random inputs of its checks come from; secret, and the same at every regrade.
    """

    key: str
    seed: str
    submission: Submission
    assignment: Assignment
    match: Match
    policy_hits: tuple[PolicyHit, ...] = ()


# -- what came of it ---------------------------------------------------------------------------------------------------


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
        id: from the vocabulary of findings.
        check: the check that saw it; None for what the output as a whole proves.
        evidence: numbers and names; may be shown.
    """

    id: str
    certainty: Certainty
    title: str
    explanation: str = ""
    check: str | None = None
    where: Place | None = None
    evidence: dict[str, float | int | str] = {}


class Attempt(Entity, frozen=True, kw_only=True):
    """All outcomes and findings of one submission on one assignment. This is what the store keeps.

    Attributes:
        key: digest of assignment, submission, grader and torch.
        loading: how much of the top-level code was run; `loading_note` says why not all of it.
        isolation: the level its code ran at.
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
    isolation: IsolationLevel = IsolationLevel.PROCESS_ONLY
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


class Isolation(Entity, frozen=True, kw_only=True):
    """The level student code ran at, and what the next better level lacks."""

    level: IsolationLevel
    missing: tuple[str, ...] = ()


class Cohort(Entity, frozen=True, kw_only=True):
    """All grades of a run, with what is needed to judge and repeat it.

    Attributes:
        grades: by student, then assignment.
        finished: local time the run ended, ISO 8601 with offset.
        interrupted: whether the run was stopped before every job was done.
    """

    grader: str
    torch: str
    isolation: Isolation
    assignments: tuple[Assignment, ...]
    grades: tuple[Grade, ...]
    finished: str
    interrupted: bool = False
