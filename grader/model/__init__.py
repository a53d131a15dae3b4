"""The values a run is made of, frozen, in the order in which they come into being.

    Assignment + Submission -> Job -> Attempt -> Grade -> Cohort

No value here renders, saves, logs or scores itself. Texts that came from a student's process were cleaned once, when
they arrived (`grader.text`); they are still a student's words, and whoever shows them escapes them for its own format.
"""

from __future__ import annotations

from grader.model.assignment import (
    Assignment,
    CheckSpec,
    Contract,
    Limits,
    Policy,
)
from grader.model.attempt import (
    Attempt,
    AttentionPicture,
    CellRun,
    CheckGrade,
    CheckResult,
    Cohort,
    Finding,
    Grade,
    Isolation,
    SecondLook,
)
from grader.model.overview import (
    Change,
    Changes,
    CheckStatistics,
    Likeness,
    Mistake,
    Spread,
)
from grader.model.submission import (
    Cell,
    Excerpt,
    Flag,
    IgnoredFile,
    Job,
    Match,
    Place,
    PolicyHit,
    SourceFile,
    Submission,
)
from grader.model.vocabulary import (
    CellOutcome,
    Certainty,
    Entity,
    HiddenFeedback,
    IsolationLevel,
    Loading,
    MissingImport,
    Outcome,
    Status,
)

__all__ = [
    "Assignment",
    "Attempt",
    "AttentionPicture",
    "Cell",
    "CellOutcome",
    "CellRun",
    "Certainty",
    "Change",
    "Changes",
    "CheckGrade",
    "CheckResult",
    "CheckSpec",
    "CheckStatistics",
    "Cohort",
    "Contract",
    "Entity",
    "Excerpt",
    "Finding",
    "Flag",
    "Grade",
    "HiddenFeedback",
    "IgnoredFile",
    "Isolation",
    "IsolationLevel",
    "Job",
    "Likeness",
    "Limits",
    "Loading",
    "Match",
    "MissingImport",
    "Mistake",
    "Outcome",
    "Place",
    "Policy",
    "PolicyHit",
    "SecondLook",
    "SourceFile",
    "Spread",
    "Status",
    "Submission",
]
