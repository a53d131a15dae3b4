"""Texts from outside, made safe to keep and show: a student's words stay readable, and nothing in them can act.

A terminal obeys control characters, a reader is misled by characters that have no width or turn the direction of
writing, and a file writer dies of lone surrogates. So what arrives from a student's process or file is cleaned once.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

_ESCAPED = frozenset({"Cc", "Cf", "Zl", "Zp"})
_LONGEST_WORD = 100


def clean(text: str, *, limit: int = 4000, keep_newlines: bool = True) -> str:
    r"""Return `text` with everything that acts instead of being read shown as an escape, and cut to `limit` characters.

    Control and format characters, line and paragraph separators become `\x1b`, `\u202e` and the like; newlines (unless
    `keep_newlines` is false) and tabs stay. Lone surrogates, which stand for undecodable bytes, become U+FFFD. What is
    cut is counted in a note after the text; the note is not part of the limit.
    """
    text = text.replace("\r\n", "\n")
    kept: list[str] = []
    length = 0
    for position, char in enumerate(text):
        shown = char if char.isprintable() else _shown(char, keep_newlines)
        length += len(shown)
        if length > limit:
            return "".join(kept) + f"… ({len(text) - position} more characters)"
        kept.append(shown)
    return "".join(kept)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be, or `None` when there is no likely one."""
    if len(word) > _LONGEST_WORD:
        return None
    close = difflib.get_close_matches(word, list(known), n=1)
    return close[0] if close else None


def _shown(char: str, keep_newlines: bool) -> str:
    if char == "\t" or (char == "\n" and keep_newlines):
        return char
    category = unicodedata.category(char)
    if category == "Cs":
        return "\ufffd"
    return char.encode("unicode_escape").decode("ascii") if category in _ESCAPED else char
