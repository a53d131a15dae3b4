"""What is known about an assignment when it was looked at: one aspect after the other, each with its problems."""

from __future__ import annotations

from grader.model import Entity


class Aspect(Entity, frozen=True, kw_only=True):
    """One thing that must be true of an assignment.

    Attributes:
        id: a word or two, the same in every version.
        claim: what must be true, as a sentence.
        detail: what was looked at, as a few words.
        problems: what is not as it must be, a sentence each.
        skipped: whether nobody looked.
    """

    id: str
    claim: str
    detail: str = ""
    problems: tuple[str, ...] = ()
    skipped: bool = False


class Survivor(Entity, frozen=True, kw_only=True):
    """A mutant that earned full marks although it is another program.

    Attributes:
        difference: in what it was seen to differ from the reference; empty where that could not be found out.
        diff: the change, as a unified diff.
    """

    line: int
    change: str
    difference: str
    diff: str


class Proof(Entity, frozen=True, kw_only=True):
    """All aspects of one assignment.

    Attributes:
        mutants, equivalent: how many were made, and how many of them are the reference in other words.
    """

    assignment: str
    aspects: tuple[Aspect, ...]
    survivors: tuple[Survivor, ...] = ()
    mutants: int = 0
    equivalent: int = 0

    @property
    def clean(self) -> bool:
        """Whether there is no problem."""
        return not any(aspect.problems for aspect in self.aspects)
