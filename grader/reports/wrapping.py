"""Plain text for an e-mail: no markup, lines of at most 72 characters, and a student's words set off from ours.

Nothing in plain text acts by itself; but a line that a student wrote could be taken for one of the report. So what may
have lines of its own stands behind a bar.
"""

from __future__ import annotations

import functools
import textwrap
import unicodedata
from typing import Final

from grader.reports.wording import show, visible

WIDTH: Final = 72
_BAR: Final = "| "
_AHEAD: Final = 4  # times as much text is looked at as may be shown: spaces in a row become one
_ESCAPED: Final = 9
"""How much longer a line gets where a mark is left without its letter and shown as an escape."""


def finalized(value: object) -> object:
    """What an expression in a template becomes: text with nothing hidden in it."""
    return visible(value, multiline=True) if isinstance(value, str) else value


@functools.lru_cache(4096)  # titles and hints stand in the report of every student
def wrapped(text: str, limit: int | None = None, first: str = "", rest: str | None = None) -> str:
    """Text as one paragraph; `first` stands before its first line, `rest` before the others."""
    kept = text if limit is None else text[: _AHEAD * limit]
    words = " ".join(kept.split())
    shown = visible(words) if limit is None else show(words, limit, more=len(text) - len(kept))
    width = _width(shown)
    if shown and len(first) + len(shown) <= width:
        return first + shown
    indent = " " * len(first) if rest is None else rest
    lines = textwrap.wrap(shown, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)
    return "\n".join(lines) or first.rstrip()


def quoted(text: str, limit: int) -> str:
    """A student's words with their own lines, each behind a bar; long lines go on below."""
    shown = show(text.rstrip("\n"), limit, multiline=True).expandtabs(4)
    lines = [part for line in shown.split("\n") for part in _pieces(line, _width(line) - len(_BAR))]
    return "\n".join(f"{_BAR}{line}".rstrip() for line in lines)


def underlined(text: str, sign: str = "-") -> str:
    """A heading."""
    heading = wrapped(text)
    return f"{heading}\n{sign * max(map(len, heading.splitlines()), default=0)}"


def _width(text: str) -> int:
    """How long lines of a text may be: room is left where a line might begin with a mark."""
    has_marks = not text.isascii() and any(unicodedata.category(char) == "Mn" for char in text)
    return WIDTH - _ESCAPED if has_marks else WIDTH


def _pieces(line: str, width: int) -> list[str]:
    """A line in pieces that fit; what goes on below is set in by as much as the line, and a little more."""
    indent = " " * min(len(line) - len(line.lstrip()) + 8, width // 2)
    return textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False) or [""]
