"""Shapes that do not fit: which tensor has which size, and where they clash, as every format can show it.

The examiner tells the shapes in a finding's evidence (`grader.examiner.shapes`), axis by axis with what each may stand
for: `10 (batch * seq) × 96 (num_heads * embed_dim)`. Here the axes that should agree are put into one column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Final

from grader.model import Entity
from grader.reports.texts import TEXTS

ROLES: Final = {
    "product": ("left shape", "right shape"),
    "meeting": ("one shape", "other shape"),
    "reshape": ("numbers", "new shape"),
    "output": ("returned shape", "expected shape"),
}
"""The kinds of clashes, and what their two shapes are called in the evidence."""
SHAPES: Final = frozenset(name for names in ROLES.values() for name in names)

_MOST_AXES: Final = 8
_AXIS: Final = re.compile(r"(-?[0-9]{1,12}|\?|…)(?: \((.{1,120})\))?")
_ANY: Final = "…"


class Axis(Entity, frozen=True, kw_only=True):
    """One axis of a tensor.

    Attributes:
        size: a number; `?` where it is not known, `…` for any number of axes.
        name: what the size may stand for; may be empty.
        column: axes in one column should agree.
        clashes: whether it does not.
    """

    size: str
    name: str
    column: int
    clashes: bool = False


class Tensor(Entity, frozen=True, kw_only=True):
    """One of the two tensors, with what it is called."""

    role: str
    axes: tuple[Axis, ...]


class Diagram(Entity, frozen=True, kw_only=True):
    """Two tensors that do not fit.

    Attributes:
        sentence: what does not fit, in words.
    """

    kind: str
    tensors: tuple[Tensor, Tensor]
    sentence: str


def diagram(evidence: Mapping[str, float | int | str]) -> Diagram | None:
    """The shapes that are told in the evidence of a finding; None where there are none."""
    for kind, names in ROLES.items():
        told = [_axes(str(evidence[name])[:1_000]) for name in names if name in evidence]
        if len(told) == len(names) and all(told):
            return _diagram(kind, told[0], told[1])
    return None


def lines(shown: Diagram) -> tuple[str, str]:
    """The two tensors as lines of text, the axes that clash in brackets."""
    width = max(len(tensor.role) for tensor in shown.tensors)
    first, second = (f"{tensor.role:{width}}  {_written(tensor.axes)}" for tensor in shown.tensors)
    return first, second


def _written(axes: Sequence[Axis]) -> str:
    sizes = (f"{axis.size} ({axis.name})" if axis.name else axis.size for axis in axes)
    return " × ".join(f"[{size}]" if axis.clashes else size for size, axis in zip(sizes, axes, strict=True))


def _axes(text: str) -> list[tuple[str, str]]:
    """Sizes and names; none where the text is no shape."""
    parts = [_AXIS.fullmatch(part) for part in text.split(" × ")]
    whole = [(part[1], part[2] or "") for part in parts if part is not None]
    return whole if len(whole) == len(parts) <= _MOST_AXES else []


def _diagram(kind: str, first: list[tuple[str, str]], second: list[tuple[str, str]]) -> Diagram:
    columns = _columns(kind, first, second)
    sizes = [dict(zip(own, axes, strict=True)) for own, axes in zip(columns, (first, second), strict=True)]
    clashing = [
        column
        for column in sorted(sizes[0].keys() & sizes[1].keys())
        if kind != "reshape" and _differ(sizes[0][column][0], sizes[1][column][0], broadcast=kind == "meeting")
    ]
    tensors = [
        Tensor(
            role=TEXTS[f"diagram.{kind}.{which}"],
            axes=tuple(
                Axis(size=size, name=name, column=column, clashes=column in clashing)
                for (size, name), column in zip(axes, own, strict=True)
            ),
        )
        for which, axes, own in zip(("first", "second"), (first, second), columns, strict=True)
    ]
    sentence = _sentence(kind, tensors[0], tensors[1], clashing[-1:])
    return Diagram(kind=kind, tensors=(tensors[0], tensors[1]), sentence=sentence)


def _columns(kind: str, first: Sequence[object], second: Sequence[tuple[str, str]]) -> tuple[list[int], list[int]]:
    """The column of every axis: those that should agree stand below each other."""
    if kind == "reshape" or second[-1][0] == _ANY:
        return [*range(len(first))], [*range(len(second))]
    if kind != "product":
        most = max(len(first), len(second))
        return [*range(most - len(first), most)], [*range(most - len(second), most)]
    stacks = max(len(first), len(second)) - 2
    right = [*range(stacks - (len(second) - 2), stacks), stacks + 1, stacks + 2]
    return [*range(stacks - (len(first) - 2), stacks + 2)], right[-len(second) :]


def _differ(one: str, other: str, *, broadcast: bool) -> bool:
    unknown = {"?", _ANY} | ({"1"} if broadcast else set())
    return one != other and not {one, other} & unknown


def _sentence(kind: str, first: Tensor, second: Tensor, clashing: list[int]) -> str:
    if kind == "reshape":
        sizes = [int(axis.size) for axis in second.axes if axis.size.isdecimal()]
        shape = " × ".join(axis.size for axis in second.axes)
        if len(sizes) == len(second.axes) > 1:
            shape = f"{shape} = {prod(sizes)}"
        return TEXTS.say("diagram.reshape.sentence", numbers=first.axes[0].size, shape=shape)
    if kind == "output" and len(first.axes) != len(second.axes):
        return TEXTS.say("diagram.output.axes", first=len(first.axes), second=len(second.axes))
    if not clashing:
        return ""
    one, other = (next(axis.size for axis in tensor.axes if axis.column == clashing[0]) for tensor in (first, second))
    return TEXTS.say(f"diagram.{kind}.sentence", first=one, second=other)
