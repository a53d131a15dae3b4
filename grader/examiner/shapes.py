"""The shapes that do not fit, as evidence from which a report can draw them.

A shape is written axis by axis, each with what it may stand for: `10 (batch * seq) × 96 (num_heads * embed_dim)`. What
a message does not tell is `?` for an axis, and `…` for any number of axes.
"""

from __future__ import annotations

from typing import Final

from grader.checks.faults import WrongResult
from grader.examiner.clashes import Batches, Broadcast, Features, Product, Reshape, Shapes, clash
from grader.examiner.mismatch import Mismatch, text_of
from grader.examiner.scenes import Case
from grader.examiner.sizes import Reader

TIMES: Final = " × "
UNTOLD: Final = "?"
ANY_AXES: Final = "…"


def clashing_shapes(case: Case) -> dict[str, str]:
    """The shapes by their roles; empty where no text tells them.

    `left shape` and `right shape` are multiplied as matrices, `one shape` and `other shape` meet axis by axis, so many
    `numbers` are to become the `new shape`, and the `returned shape` should have been the `expected shape`.
    """
    fault = case.here.fault
    if isinstance(fault, WrongResult):
        if fault.shape is None or fault.shape == fault.wanted:
            return {}
        read = Reader(case.here.sizes)
        return {
            "returned shape": _shape(*map(read.say, fault.shape)),
            "expected shape": _shape(*map(read.say, fault.wanted)),
        }
    here = clash(text_of(case.here))
    return {} if here is None else _met(Mismatch(case, here))


def _met(it: Mismatch) -> dict[str, str]:
    match it.here:
        case Product():
            left, right = (it.say("rows"), it.say("fed")), (it.say("takes"), it.say("gives"))
            return {"left shape": _shape(*left), "right shape": _shape(*right)}
        case Batches(lefts=lefts, rights=rights):
            known = lefts is not None and rights is not None
            return {
                "left shape": _shape(*([it.say("lefts")] if known else []), UNTOLD, it.say("left")),
                "right shape": _shape(*([it.say("rights")] if known else []), it.say("right"), UNTOLD),
            }
        case Broadcast(axis=axis):
            before = (UNTOLD,) * axis
            return {
                "one shape": _shape(*before, it.say("a"), ANY_AXES),
                "other shape": _shape(*before, it.say("b"), ANY_AXES),
            }
        case Features():
            return {
                "one shape": _shape(ANY_AXES, it.say("given")),
                "other shape": _shape(ANY_AXES, it.say("made")),
            }
        case Shapes():
            return {"one shape": _all(it, "one"), "other shape": _all(it, "other")}
        case Reshape():
            return {"numbers": it.say("size"), "new shape": _all(it, "shape")}
    return {}


def _all(it: Mismatch, name: str) -> str:
    return _shape(*(it.read.say(*pair) for pair in it.pairs(name)))


def _shape(*axes: str) -> str:
    return TIMES.join(axes)
