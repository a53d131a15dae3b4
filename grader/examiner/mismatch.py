"""Sizes that do not fit, read as what they stand for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from grader.checks.faults import Raised
from grader.examiner.clashes import Clash, clash
from grader.examiner.scenes import Case, Scene
from grader.examiner.sizes import HEAD, Reader

LEAST_CONSTANT: Final = 4
"""A smaller number that never changes, such as the 3 of a fused projection, is no size."""


@dataclass(frozen=True, slots=True)
class Explained:
    """What an exception or a wrong shape means.

    Attributes:
        id: the finding; None where there is a sentence but no name for it.
        sentence: with this submission's own numbers; empty where the catalogue says it all.
        error: how far the output is from what the name predicts, where that proves it.
        shapes: those that do not fit, where it is about shapes (`grader.examiner.shapes`).
    """

    id: str | None
    sentence: str = ""
    error: float | None = None
    shapes: dict[str, str] = field(default_factory=dict)


class Mismatch:
    """A clash, and one of the same kind at the same line elsewhere, if there was.

    Attributes:
        scene: the call.
        here, there: what clashes, here and elsewhere.
        is_kept: whether a newly built module takes the very same call.
        line: the student's line.
        read: reads their numbers.
    """

    def __init__(self, case: Case, here: Clash) -> None:
        self.scene = case.here
        self.here = here
        self.there = None if case.there is None else _same_clash(case.here, here, case.there)
        self.is_kept = case.is_kept
        self.line = line_of(case.here)
        self.read = Reader(case.here.sizes, case.there.sizes if case.there is not None and self.there else None)

    def pair(self, name: str) -> tuple[int, int | None]:
        """A number here and there."""
        return getattr(self.here, name), None if self.there is None else getattr(self.there, name)

    def pairs(self, name: str) -> list[tuple[int, int | None]]:
        """The numbers of a list here and there."""
        here: tuple[int, ...] = getattr(self.here, name)
        there: tuple[int | None, ...] = (None,) * len(here) if self.there is None else getattr(self.there, name)
        return list(zip(here, there, strict=True))

    def is_(self, name: str, *meanings: str) -> bool:
        """Whether a number can stand for nothing but one of these."""
        return any(self.read.is_(meaning, *self.pair(name)) for meaning in meanings)

    def is_constant(self, name: str) -> bool:
        """Whether a number is the same at other sizes, and large enough to be a size."""
        return self.read.is_constant(*self.pair(name)) and self.pair(name)[0] >= LEAST_CONSTANT

    def say(self, name: str) -> str:
        """A number, and what it may stand for."""
        return self.read.say(*self.pair(name))

    def say_all(self, name: str) -> str:
        """The numbers of a list, and what each may stand for."""
        return f"[{', '.join(self.read.say(*pair) for pair in self.pairs(name))}]"

    @property
    def context(self) -> str:
        """The sizes of the call."""
        sizes = self.scene.sizes
        known = {"embed_dim": sizes.embed, "num_heads": sizes.heads, HEAD: sizes.head}
        known |= {"batch": sizes.batch, "seq": sizes.seq}
        told = ", ".join(f"{name} = {value}" for name, value in known.items() if value is not None)
        if self.scene.mask is not None:
            told += f", and the mask is ({', '.join(map(str, self.scene.mask))})"
        return f" (Here {told}.)" if told else ""


def text_of(scene: Scene) -> str:
    """What its exception says."""
    return scene.fault.text if isinstance(scene.fault, Raised) else ""


def line_of(scene: Scene) -> str:
    """The student's line."""
    return scene.fault.where.source if scene.fault.where is not None else ""


def _same_clash(scene: Scene, found: Clash, other: Scene) -> Clash | None:
    """What another scene says, where it is of the same kind and about the same line."""
    again = clash(text_of(other))
    is_alike = type(again) is type(found) and again is not None and len(again.numbers) == len(found.numbers)
    return again if is_alike and other.fault.where == scene.fault.where else None
