"""Attention weights as text: the first head that is not as it should be, as numbers, in columns."""

from __future__ import annotations

from typing import Final

from grader.model import AttentionPicture
from grader.reports.heatmaps import MOST_TOKENS, Matrix, differing, short_tokens, shown
from grader.reports.texts import TEXTS

WIDEST: Final = 72


def weights(pictures: tuple[AttentionPicture, ...]) -> str:
    """The weights of the first head that differs: the student's beside the expected ones, or above them where there is
    no room; empty where no head differs."""
    for picture in pictures:
        for head in differing(picture)[:1]:
            tokens = short_tokens(picture)
            mask = "masked" if picture.masked else "unmasked"
            several = len(picture.student) > 1
            title = TEXTS.say(f"attention.head-{mask}", head=head + 1) if several else TEXTS[f"attention.{mask}"]
            own = _block(TEXTS["attention.yours"], tokens, picture.student[head])
            expected = _block(TEXTS["attention.expected"], tokens, picture.expected[head])
            return "\n".join([title, "", *_side_by_side(own, expected)])
    return ""


def _block(title: str, tokens: tuple[str, ...], matrix: Matrix) -> list[str]:
    rows = [[_short(value) for value in row[:MOST_TOKENS]] for row in matrix[:MOST_TOKENS]]
    widths = [max(map(len, column)) for column in zip(tokens, *rows, strict=False)]
    margin = max(map(len, tokens), default=0)
    table = [("", tokens), *zip(tokens, rows, strict=False)]
    return [
        title,
        *(
            " ".join([f"{name:{margin}}", *(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=False))])
            for name, cells in table
        ),
    ]


def _short(value: float | None) -> str:
    """A weight in as few characters as possible: `.25`, `1.0`, `nan`."""
    if value is None:
        return "nan"
    text = shown(value)
    return text.replace("0.", ".", 1) if abs(value) < 0.995 else text


def _side_by_side(left: list[str], right: list[str]) -> list[str]:
    width = max(map(len, left))
    if width + 4 + max(map(len, right)) > WIDEST:
        return [*left, "", *right]
    return [f"{one:{width}}    {other}".rstrip() for one, other in zip(left, right, strict=True)]
