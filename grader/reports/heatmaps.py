"""Attention weights as pictures: the student's, the expected ones and their difference, each head by itself.

Cells are drawn here, as a page holds hundreds of them; everything around them is in templates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain
from typing import Final, TypeAlias

from markupsafe import Markup

from grader.model import AttentionPicture, Entity
from grader.reports.colours import DIFFERENCES, WEIGHTS, Scale
from grader.reports.texts import TEXTS
from grader.reports.wording import visible

Number: TypeAlias = "float | None"
Matrix: TypeAlias = "tuple[tuple[float | None, ...], ...]"

SEEN: Final = 0.005
"""Smaller differences show in no picture, and in no number of two decimals."""

CELL: Final = 24
"""Side of a cell, in the units of the drawing."""

MOST_TOKENS: Final = 12
LONGEST_TOKEN: Final = 6


class Panel(Entity, frozen=True, kw_only=True):
    """One square of cells.

    Attributes:
        kind: `yours`, `expected` or `difference`.
        cells: the cells, as SVG; the first row and column begin at 0.
    """

    kind: str
    cells: Markup


class Head(Entity, frozen=True, kw_only=True):
    """One head that is not as it should be.

    Attributes:
        title: which it is.
        greatest: its greatest difference, in words.
        table: for each token what it takes from each, in numbers.
    """

    title: str
    greatest: str
    panels: tuple[Panel, ...]
    table: tuple[tuple[str, tuple[str, ...]], ...]


class Legend(Entity, frozen=True, kw_only=True):
    """The colours of a scale, and what its ends stand for."""

    kind: str
    stops: tuple[str, ...]
    least: str
    most: str


class Drawing(Entity, frozen=True, kw_only=True):
    """All heads of one picture.

    Attributes:
        scales: those of the weights and of the differences.
        stairs: the border of what may be attended to under a causal mask, as an SVG path; empty without a mask.
        equal: that other heads are as they should be, as a sentence; empty where there are none.
        left_out: that other heads are not drawn, as a sentence.
    """

    tokens: tuple[str, ...]
    masked: bool
    size: int
    scales: tuple[Legend, ...]
    stairs: str
    heads: tuple[Head, ...]
    equal: str
    left_out: str


def drawings(pictures: Iterable[AttentionPicture], most_heads: int) -> tuple[Drawing, ...]:
    """Every picture in which something differs, with at most so many heads; all have the same scales."""
    pairs = [(picture, _pairs(picture, most_heads)) for picture in pictures]
    heads = [pair for _, chosen in pairs for pair in chosen.values()]
    top = _round_up(chain.from_iterable(chain(*pair) for pair in heads))
    most = _round_up(chain.from_iterable(_difference(*pair) for pair in heads))
    scales = Scale("weights", WEIGHTS, 0.0, top), Scale("differences", DIFFERENCES, -most, most)
    return tuple(_drawing(picture, chosen, scales) for picture, chosen in pairs if chosen)


def differing(picture: AttentionPicture) -> list[int]:
    """The heads that are not as they should be, counted from 0."""
    pairs = zip(picture.student, picture.expected, strict=False)
    return [index for index, (own, expected) in enumerate(pairs) if _greatest(own, expected) is not None]


def short_tokens(picture: AttentionPicture) -> tuple[str, ...]:
    """What its rows and columns are called, as far as there is room."""
    return tuple(visible(token[:LONGEST_TOKEN])[:LONGEST_TOKEN] for token in picture.tokens[:MOST_TOKENS])


def shown(value: Number) -> str:
    """A weight with two decimals."""
    if value is None or not math.isfinite(value):
        return TEXTS["attention.not-finite"]
    text = f"{value:.2f}" if abs(value) < 1_000 else f"{value:.0e}"
    return "0.00" if text == "-0.00" else text


def _pairs(picture: AttentionPicture, most: int) -> dict[int, tuple[Matrix, Matrix]]:
    """The student's and the expected weights of the heads that are drawn, by number from 0."""
    return {index: (_cut(picture.student[index]), _cut(picture.expected[index])) for index in differing(picture)[:most]}


def _drawing(
    picture: AttentionPicture, pairs: dict[int, tuple[Matrix, Matrix]], scales: tuple[Scale, Scale]
) -> Drawing:
    tokens = short_tokens(picture)
    different = differing(picture)
    equal = [str(index + 1) for index in range(len(picture.student)) if index not in different]
    left_out = len(different) - len(pairs)
    several = len(picture.student) > 1
    return Drawing(
        tokens=tokens,
        masked=picture.masked,
        size=CELL * len(tokens),
        scales=tuple(_legend(scale) for scale in scales),
        stairs=_stairs(len(tokens)) if picture.masked else "",
        heads=tuple(
            _head(index + 1 if several else None, pair, tokens, scales, written=index == different[0])
            for index, pair in pairs.items()
        ),
        equal=TEXTS.say("attention.equal", n=len(equal), heads=", ".join(equal)) if equal else "",
        left_out=TEXTS.say("attention.more", n=left_out) if left_out else "",
    )


def _cut(head: Matrix) -> Matrix:
    return tuple(tuple(map(_finite, row[:MOST_TOKENS])) for row in head[:MOST_TOKENS])


def _finite(value: Number) -> Number:
    return value if value is not None and math.isfinite(value) else None


def _head(
    number: int | None,
    pair: tuple[Matrix, Matrix],
    tokens: tuple[str, ...],
    scales: tuple[Scale, Scale],
    *,
    written: bool,
) -> Head:
    own, expected = pair
    weights, differences = scales
    return Head(
        title=TEXTS["attention.only"] if number is None else TEXTS.say("attention.head", head=number),
        greatest=_said(_greatest(own, expected)),
        panels=(
            _panel("yours", own, tokens, weights, written=written),
            _panel("expected", expected, tokens, weights, written=written),
            _panel("difference", _difference(own, expected), tokens, differences, written=written),
        ),
        table=tuple(
            (token, tuple(_beside(a, b) for a, b in zip(*rows, strict=False)))
            for token, *rows in zip(tokens, own, expected, strict=False)
        ),
    )


def _said(greatest: float | None) -> str:
    if greatest == math.inf:
        return TEXTS["attention.differs-unboundedly"]
    return TEXTS.say("attention.differs", value=shown(greatest))


def _difference(own: Matrix, expected: Matrix) -> Matrix:
    return tuple(
        tuple(None if a is None or b is None else a - b for a, b in zip(*rows, strict=False))
        for rows in zip(own, expected, strict=False)
    )


def _round_up(rows: Iterable[Sequence[Number]]) -> float:
    """The greatest amount, rounded up to a multiple of 0.1, and at most 1."""
    amounts = [abs(value) for row in rows for value in row if value is not None]
    return min(1.0, max(0.1, math.ceil(round(10 * max(amounts, default=0.0), 6)) / 10))


def _greatest(own: Matrix, expected: Matrix) -> float | None:
    """The greatest difference of two matrices; infinite where one holds no number; None where there is none to see."""
    found = 0.0
    for row, other in zip(own, expected, strict=False):
        for a, b in zip(row, other, strict=False):
            if (a is None) is not (b is None):
                return math.inf
            found = max(found, abs(a - b) if a is not None and b is not None else 0.0)
    return found if found >= SEEN else None


def _beside(own: Number, expected: Number) -> str:
    """A weight, and in brackets what it should be, where that is to be seen."""
    same = shown(own) == shown(expected)
    return shown(own) if same else f"{shown(own)} ({shown(expected)})"


# -- cells -------------------------------------------------------------------------------------------------------------


def _legend(scale: Scale) -> Legend:
    return Legend(kind=scale.kind, stops=scale.stops, least=shown(scale.least), most=shown(scale.most))


def _panel(kind: str, matrix: Matrix, tokens: tuple[str, ...], scale: Scale, *, written: bool) -> Panel:
    names = [escape(token) for token in tokens]
    rows = (_row(number, row, names, scale, written=written) for number, row in enumerate(matrix))
    return Panel(kind=kind, cells=Markup("".join(rows)))


def _row(number: int, row: Sequence[Number], names: list[str], scale: Scale, *, written: bool) -> str:
    cells = (
        _cell(CELL * column, value, f"{names[number]} → {names[column]}", scale, written=written)
        for column, value in enumerate(row)
    )
    return f'<g transform="translate(0 {CELL * number})">{"".join(cells)}</g>'


def _cell(x: int, value: Number, between: str, scale: Scale, *, written: bool) -> str:
    if value is None:
        title = f"<title>{between}: {escape(shown(None))}</title>"
        hatch = "".join(f"M{x + step} {CELL}L{x + CELL} {step}M{x} {step}L{x + step} 0" for step in (0, 8, 16))
        return f'<path class="nan" d="M{x} 0h{CELL}v{CELL}h-{CELL}z">{title}</path><path class="hatch" d="{hatch}"/>'
    colour, dark = scale.colour(value)
    text = _short(value, signed=scale.least < 0) if written else ""
    ink = "light" if dark else "dark"
    number = f'<text class="{ink}" x="{x + CELL // 2}" y="16">{text}</text>' if text else ""
    title = f"<title>{between}: {shown(value)}</title>"
    return f'<rect x="{x}" width="{CELL}" height="{CELL}" fill="{colour}">{title}</rect>{number}'


def _short(value: float, *, signed: bool) -> str:
    """A number that fits into a cell: `.25`, `1.0`, `-.12`; nothing for a difference that cannot be seen."""
    if signed and abs(value) < SEEN:
        return ""
    if abs(value) >= 9.95:
        return "…"
    text = f"{abs(value):.2f}".lstrip("0") if abs(value) < 0.995 else f"{abs(value):.1f}"
    sign = "−" if value <= -SEEN else "+" if signed else ""
    return sign + text


def _stairs(size: int) -> str:
    """The border between what may be attended to, with what came before, and what may not."""
    steps = "".join(f"V{CELL * number}H{CELL * (number + 1)}" for number in range(1, size))
    return f"M{CELL} 0{steps}V{CELL * size}"
