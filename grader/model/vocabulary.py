"""The closed sets of words that values are made of."""

from __future__ import annotations

from enum import StrEnum

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
    PARTLY = "partly"
    """Every cell of a notebook, of which some did not run to their end; what the others left was graded."""
    DEFINITIONS = "definitions"
    """Only imports, classes, functions and the constants they use, because running the whole file did not end well."""
    NOTHING = "nothing"
    """Not even the definitions could be loaded."""


class CellOutcome(StrEnum):
    """Why a code cell did not run to its end."""

    RAISED = "raised"
    INTERRUPTED = "interrupted"
    """It was past its budget, and stopped when it was told to."""
    KILLED = "killed"
    """The process ended while it was running: it did not stop when told to, or ended the process itself."""
    NOT_RUN = "not-run"
    """The process had ended before, or the notebook's whole budget was used up."""


class MissingImport(StrEnum):
    """What becomes of checks that failed only because a well-known module was never imported."""

    INFORM = "inform"
    """They stay failed; what they say with the import supplied is only told."""
    FORGIVE = "forgive"
    """What they say with the import supplied counts."""


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
