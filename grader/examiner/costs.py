"""What a module costs, counted and never timed: calls of operators, floating point operations, the largest tensor.

A Python loop over samples or tokens shows itself when the number of operators grows with them, and with it the number
of times that one line calls one function; a loop over heads does not, since their number stays the same. What is
computed more than once, or for more than what is asked, shows itself beside the reference solution, counted in the same
way. All of it comes from traces, so it is worth knowing and no more.

A module without loops calls as many operators for a large input as for a small one. Both have been traced already, to
see what is called, so nothing is called on account of costs; only where the number grew are two more calls made, which
tell samples from tokens.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from grader import wire
from grader.checks.faults import place
from grader.examiner.explaining import finding
from grader.examiner.session import Session
from grader.examiner.tracing import LARGE, SMALL, Tracer, tracer
from grader.model import Certainty, Finding, Place
from grader.orders import Course

MORE_SAMPLES: Final = (7, 5)
MORE_TOKENS: Final = (2, 11)

PER_ROUND: Final = 2
"""Operators that one round of a loop calls at least: one takes its part, another computes."""

FLOPS_FACTOR: Final = 2.0
"""Times the reference's floating point operations. Every accepted solution needs as many, or fewer."""

LARGEST_FACTOR: Final = 4.0
"""Times the reference's largest tensor. Projections that are fused make one three times as large, and are right to."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the reference solution needs for a large input."""

    flops: int
    largest: int


def baseline(course: Course, session: Session) -> Baseline | None:
    """What this session's module, the reference, needs; None where it cannot be traced."""
    session.begin_check()
    large = tracer(course, session).trace(*LARGE, training=True)
    return None if large is None else Baseline(large.flops, large.largest)


def costs(course: Course, session: Session, reference: Baseline | None) -> Iterator[Finding]:
    """What is worth knowing about what the module costs."""
    session.begin_check()
    traces = tracer(course, session)
    small, large = traces.trace(*SMALL), traces.trace(*LARGE, training=True)
    if small is None or large is None:
        return
    more_rounds = min(LARGE[0] - SMALL[0], LARGE[1] - SMALL[1])
    if _operators(large) - _operators(small) >= PER_ROUND * more_rounds:
        yield from _loops(small, traces)
    if reference is not None:
        yield from _waste(large, reference)


def _loops(small: wire.Traced, traces: Tracer) -> Iterator[Finding]:
    for id_, shape, axis, what in (
        ("python-loop-over-batch", MORE_SAMPLES, 0, "samples"),
        ("python-loop-over-tokens", MORE_TOKENS, 1, "tokens"),
    ):
        larger, rounds = traces.trace(*shape), shape[axis] - SMALL[axis]
        if larger is None or _operators(larger) - _operators(small) < PER_ROUND * rounds:
            continue
        repeated = _repeated(small, larger, rounds)
        if repeated or larger.cut:
            evidence: dict[str, float | int | str] = {
                f"operators for {SMALL[axis]} {what}": _operators(small),
                f"operators for {shape[axis]} {what}": _operators(larger),
            }
            yield finding(id_, Certainty.OBSERVED, where=place(repeated[:1]), evidence=evidence)


def _repeated(small: wire.Traced, larger: wire.Traced, rounds: int) -> tuple[wire.Frame, ...]:
    """The lines that call a function in each of so many more rounds, in their order."""
    before, after = (Counter((step.frame, step.function) for step in traced.steps) for traced in (small, larger))
    return tuple(call[0] for call, count in after.items() if call[0] and count - before[call] >= rounds)


def _waste(traced: wire.Traced, reference: Baseline) -> Iterator[Finding]:
    flops, largest = traced.flops / max(reference.flops, 1), traced.largest / max(reference.largest, 1)
    if flops < FLOPS_FACTOR and largest < LARGEST_FACTOR:
        return
    evidence: dict[str, float | int | str] = {
        "times the reference's floating point operations": round(flops, 1),
        "times the reference's largest tensor": round(largest, 1),
    }
    where = _where_most(traced, lambda step: step.flops)
    if flops < FLOPS_FACTOR:
        where = _where_most(traced, lambda step: sum(_elements(traced, each) == traced.largest for each in step.gives))
    yield finding("wasteful-cost", Certainty.OBSERVED, where=where, evidence=evidence)


def _operators(traced: wire.Traced) -> int:
    return sum(traced.operators.values())


def _elements(traced: wire.Traced, number: int) -> int:
    return math.prod(traced.tensors[number].shape)


def _where_most(traced: wire.Traced, measure: Callable[[wire.Step], int]) -> Place | None:
    """The line whose steps need most."""
    needed: Counter[wire.Frame] = Counter()
    for step in traced.steps:
        if step.frame is not None:
            needed[step.frame] += measure(step)
    return place(tuple(frame for frame, _ in needed.most_common(1)))
