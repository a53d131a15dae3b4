"""Where the boxes of a shape diagram stand: one for each axis of each tensor, axes that should agree in one column."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import Final

from grader.model import Entity
from grader.reports.diagrams import Diagram, Tensor

_LINE: Final = 15
"""Characters of a name on one line."""
_LINES: Final = 3
_GAP: Final = 20
_LABEL: Final = 18
_LINK: Final = 26


class Box(Entity, frozen=True, kw_only=True):
    """One axis. `x` and `y` are its upper left corner; `names` what it stands for, line by line."""

    x: int
    y: int
    width: int
    height: int
    size: str
    names: tuple[str, ...]
    clashes: bool


class Row(Entity, frozen=True, kw_only=True):
    """One tensor: what it is called, where that stands, its boxes, and where the signs between them stand."""

    role: str
    y: int
    boxes: tuple[Box, ...]
    signs: tuple[tuple[int, int], ...]


class Boxes(Entity, frozen=True, kw_only=True):
    """A whole diagram; `links` join the boxes that clash: where, from which height to which."""

    width: int
    height: int
    rows: tuple[Row, ...]
    links: tuple[tuple[int, int, int], ...]


def boxes(diagram: Diagram) -> Boxes:
    """The geometry of a diagram."""
    axes = [axis for tensor in diagram.tensors for axis in tensor.axes]
    columns = range(max(axis.column for axis in axes) + 1)
    widths = [
        max((_width(axis.size, axis.name) for axis in axes if axis.column == column), default=0) for column in columns
    ]
    lefts = [sum(widths[:column]) + _GAP * column + 2 for column in columns]
    height = 30 + 13 * max(len(_names(axis.name)) for axis in axes)
    first = _row(diagram.tensors[0], 0, height, lefts, widths)
    second = _row(diagram.tensors[1], _LABEL + height + _LINK, height, lefts, widths, below=True)
    clashing = [axis.column for axis in diagram.tensors[0].axes if axis.clashes]
    bottom = second.boxes[0].y + height + _LABEL
    return Boxes(
        width=lefts[-1] + widths[-1] + 2,
        height=bottom,
        rows=(first, second),
        links=tuple((lefts[column] + widths[column] // 2, _LABEL + height, second.boxes[0].y) for column in clashing),
    )


def _row(tensor: Tensor, top: int, height: int, lefts: list[int], widths: list[int], *, below: bool = False) -> Row:
    """One tensor whose name stands above its boxes, or below them."""
    y = top if below else top + _LABEL
    made = tuple(
        Box(
            x=lefts[axis.column],
            y=y,
            width=widths[axis.column],
            height=height,
            size=axis.size,
            names=_names(axis.name),
            clashes=axis.clashes,
        )
        for axis in tensor.axes
    )
    signs = tuple(((left.x + left.width + right.x) // 2, y + height // 2 + 5) for left, right in pairwise(made))
    return Row(role=tensor.role, y=y + height + 14 if below else top + 12, boxes=made, signs=signs)


def _names(name: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(name, _LINE, max_lines=_LINES, placeholder=" …"))


def _width(size: str, name: str) -> int:
    return max(44, 12 * len(size) + 16, round(6.6 * max(map(len, _names(name)), default=0)) + 16)
