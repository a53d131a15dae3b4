"""What an instructor wrote."""

from __future__ import annotations

from pathlib import Path

from grader.model.vocabulary import Entity, HiddenFeedback, MissingImport


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
    """Budgets of one submission: wall seconds and bytes.

    `import_seconds` are for executing a module, `notebook_seconds` for all cells of a notebook, `cell_seconds` for each
    of them; what a notebook takes does not count as `seconds`.
    """

    seconds: float = 60.0
    check_seconds: float = 10.0
    import_seconds: float = 10.0
    cell_seconds: float = 10.0
    notebook_seconds: float = 60.0
    memory: int = 4 << 30


class Policy(Entity, frozen=True, kw_only=True):
    """What costs points besides checks, and what does not.

    Attributes:
        forbid: library functions a solution may not simply call, as full dotted names.
        missing_import: what becomes of checks that fail only for want of a well-known import.
    """

    forbid: tuple[str, ...] = ()
    missing_import: MissingImport = MissingImport.INFORM


class Assignment(Entity, frozen=True, kw_only=True):
    """One assignment, validated.

    Attributes:
        folder: where `assignment.toml` and `checks/` are.
        reference: the reference solution's file, which is not there with what students have.
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
