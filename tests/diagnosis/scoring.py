"""Whether a diagnosis is right. What is true of a submission is computed, never looked up in the diagnosis.

A submission is *named right* when every mistake that was planted is among the ids of a finding. A mistake that changes
nothing beside the others (with the same weights, the source without it answers the same to masked and unmasked inputs)
needs no name. It is *named wrong* when something is claimed that was not planted and is not true either: neither
implied by what was planted, nor, together with everything else that is claimed, the same function. Else it is
*unnamed*: something that was planted has no name.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, Protocol

import torch

from .fitting import possible
from .mistakes import BY_ID, Mistake, planned
from .plans import Plan
from .running import class_of, same_function
from .styles import ONE_HEAD, STYLES
from .submissions import Submission
from .writing import write

COMBINATIONS = 60
"""How many ways to make what is claimed are tried before it is called false."""


class Found(Protocol):
    """What `diagnose` answers."""

    findings: tuple[Any, ...]
    begins: str
    correct: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was made of one submission.

    Attributes:
        made: the submission.
        claimed: for each finding that is no mere information, its id and what it is also called.
        informed: the same for mere information.
        begins: the stage where an unexplained difference begins.
        called_correct: whether the output was said to be the reference's.
        unnamed: planted mistakes without a name.
        idle: planted mistakes that change nothing beside the others, and have no name.
        wrong: claims that are false.
        seconds: of CPU.
        error: what `diagnose` raised.
    """

    made: Submission
    claimed: tuple[tuple[str, ...], ...] = ()
    informed: tuple[tuple[str, ...], ...] = ()
    begins: str = ""
    called_correct: bool = False
    unnamed: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str = ""

    @property
    def outcome(self) -> str:
        """One word for it."""
        if self.wrong:
            return "wrong"
        expected = {"correct": True, "foreign": False}.get(self.made.kind, self.called_correct)
        misjudged = self.called_correct is not expected
        return "unnamed" if self.error or self.unnamed or misjudged else "right"

    @property
    def diagnosed(self) -> bool:
        """Whether anything was claimed."""
        return bool(self.claimed)

    def line(self) -> str:
        """It in a line, for somebody who wants to know what went wrong."""
        claims = ", ".join("=".join(claim) for claim in self.claimed) or "nothing"
        parts = [f"{self.outcome}: {self.made.name}", f"claimed {claims}"]
        parts += [f"begins at {self.begins}"] if self.begins else []
        parts += [f"unnamed {', '.join(self.unnamed)}"] if self.unnamed else []
        parts += [f"false {', '.join(self.wrong)}"] if self.wrong else []
        parts += [f"without effect {', '.join(self.idle)}"] if self.idle else []
        parts += [self.error] if self.error else []
        return "; ".join(parts)


def diagnosed(made: Submission) -> Verdict:
    """A submission, diagnosed and judged."""
    from grader.attention import diagnose  # it may not be there yet: the sources can be looked at without it

    torch.set_num_threads(1)
    started = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = diagnose(class_of(made.source), heads=made.heads)
    except Exception as error:
        return Verdict(made=made, error=f"{type(error).__name__}: {error}"[:200], unnamed=made.planted)
    return replace(judge(made, found), seconds=time.process_time() - started)


def judge(made: Submission, found: Found) -> Verdict:
    """What a diagnosis is worth."""
    claimed = tuple((each.id, *each.alternatives) for each in found.findings if not each.informative)
    informed = tuple((each.id, *each.alternatives) for each in found.findings if each.informative)
    missing = [entry for entry in made.mistakes if not named(entry, (*claimed, *informed))]
    idle = [entry for entry in missing if changes_nothing(entry, made)]
    return Verdict(
        made=made,
        claimed=claimed,
        informed=informed,
        begins=found.begins,
        called_correct=found.correct,
        unnamed=tuple(entry.name for entry in missing if entry not in idle),
        idle=tuple(entry.name for entry in idle),
        wrong=false_claims(made, claimed),
    )


def named(entry: Mistake, claims: Iterable[tuple[str, ...]]) -> bool:
    """Whether a claim names it."""
    return any(entry.ids & set(claim) for claim in claims)


def changes_nothing(entry: Mistake, made: Submission) -> bool:
    """Whether the source without this mistake computes the same."""
    others = tuple(each for each in made.mistakes if each is not entry)
    return (
        entry.numeric
        and bool(others)
        and same_function(made.source, rewritten(made, planned(others)), heads=made.heads)
    )


def rewritten(made: Submission, plan: Plan) -> str:
    """Another plan in the same style, by the same hand."""
    assert made.hand is not None
    return write((STYLES | ONE_HEAD)[made.style], plan, made.hand)


def false_claims(made: Submission, claimed: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Claims that are neither planted nor implied, unless everything that is claimed is the same function."""
    true = made.true_of_it.union(*(entry.ids | entry.implied for entry in made.mistakes))
    odd = tuple(claim[0] for claim in claimed if not true & set(claim))
    return () if odd and same_as_claimed(made, claimed) else odd


def same_as_claimed(made: Submission, claimed: tuple[tuple[str, ...], ...]) -> bool:
    """Whether code with the claimed mistakes, in the same style, computes what the submission does."""
    if made.hand is None:
        return False
    style = (STYLES | ONE_HEAD)[made.style]
    entries = [[entry for identifier in claim for entry in BY_ID.get(identifier, ())] for claim in claimed]
    plans = (plan for ways in itertools.islice(itertools.product(*entries), COMBINATIONS) for plan in relabelled(ways))
    return any(
        possible(style, plan) and same_function(made.source, rewritten(made, plan), heads=made.heads) for plan in plans
    )


def relabelled(ways: tuple[Mistake, ...]) -> Iterator[Plan]:
    """The plan with these mistakes, and the same with query and key exchanged."""
    axes = [axis for entry in ways for axis in entry.axes]
    if len(axes) == len(set(axes)):
        yield planned(ways)
        if "roles" not in axes:
            yield replace(planned(ways), roles="kqv")


def run(submissions: Iterable[Submission], *, processes: int = 1) -> Iterator[Verdict]:
    """The verdicts, in the order of the submissions."""
    if processes == 1:
        yield from map(diagnosed, submissions)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(diagnosed, submissions, chunksize=4)
