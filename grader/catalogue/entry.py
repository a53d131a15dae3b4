"""What the catalogue says about one mistake, and the closed sets of words it says it with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Group(StrEnum):
    """The part of the exercise that a mistake belongs to, in reading order."""

    CONTRACT = "contract"
    PROJECTIONS = "projections"
    SCORES = "scores"
    MASKS = "masks"
    HEADS = "heads"
    DROPOUT = "dropout"
    AUTOGRAD = "autograd"
    PLUMBING = "plumbing"


GROUP_TITLES: Final = MappingProxyType(
    {
        Group.CONTRACT: "The contract: how the module is built and called",
        Group.PROJECTIONS: "Projections: queries, keys and values",
        Group.SCORES: "Scores and softmax",
        Group.MASKS: "Masks",
        Group.HEADS: "Heads and the output projection",
        Group.DROPOUT: "Dropout and randomness",
        Group.AUTOGRAD: "Gradients, state, precision and device",
        Group.PLUMBING: "Running at all, and what it costs",
    }
)


class Told(StrEnum):
    """How a mistake is told. The first two are the certainties of a finding."""

    PROVEN = "proven"
    OBSERVED = "observed"
    UNTOLD = "untold"


TOLD_SENTENCES: Final = MappingProxyType(
    {
        Told.PROVEN: "Proven by calculation: the output agrees, up to rounding, with the reference that has this"
        " mistake built in, and with no other known variant of it.",
        Told.OBSERVED: "Observed directly, in what the code raised, returned, called, changed or left behind.",
        Told.UNTOLD: "Not told, because behaviour cannot show it.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One mistake. All texts are for the student who made it: plain, without blame.

    Attributes:
        title: a few words, for a table.
        explanation: what happens, in a sentence or two.
        why: why it matters.
        look: where to look. It may name the concept and the kind of line; it gives no solution away.
        right: what correct looks like, in words and at most a short expression. This one does.
        reason: why behaviour cannot tell it; empty unless it is untold.
        harmless: why it costs nothing; empty when it is a mistake that may cost points.
    """

    id: str
    group: Group
    title: str
    explanation: str
    why: str
    look: str
    right: str
    told: Told
    reason: str = ""
    harmless: str = ""

    @property
    def informative(self) -> bool:
        """Whether it is only worth knowing: correct code may have it, and it costs nothing."""
        return bool(self.harmless)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Mistakes that are the same function of the input, so that an output cannot say which of them it has.

    Attributes:
        ids: two or more.
        when: the circumstances in which they are; empty when they always are.
    """

    ids: tuple[str, ...]
    when: str = ""
