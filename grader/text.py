"""Texts from outside, made safe to keep and show: a student's words stay readable, and nothing in them can act.

A terminal obeys control characters, a reader is misled by characters that have no width or turn the direction of
writing, marks can be heaped on one letter until they cover the lines above it, and a file writer dies of lone
surrogates. So what arrives from a student's process or file is cleaned once, and looked at again where it is shown.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Iterator

MARKS = 4
"""Marks on one letter that are shown; Hebrew with vowels and accents needs as many."""

_HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Me"})
"""What acts, cannot be seen, or (marks around a letter) is drawn over its neighbours."""
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0\U0001d159")
"""Letters and symbols by category, but nothing is drawn."""
_UNSEEN_MARKS = frozenset(
    map(chr, (0x34F, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), 0x16FE4, *range(0xE0100, 0xE01F0)))
)
"""Marks that draw nothing: joiners, and the selectors of variants, in a row of which any message can be hidden."""
_PICTURED = "\ufe0e\ufe0f"
"""The selectors that say whether a symbol is drawn as text or as a picture; one after a symbol is ordinary writing."""
_LONGEST_WORD = 100


def characters(text: str, *, kept: str = "", before: str = "") -> Iterator[str]:
    r"""Yield what is shown for each character: itself, or an escape such as `\x1b` where it acts or cannot be seen.

    Args:
        text: what is to be shown.
        kept: characters that stay as they are, such as line feeds.
        before: the character that stands before the text; a mark at the start of a line has none to stand on.
    """
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category == "Mn":
            pictured = char in _PICTURED and before != "" and unicodedata.category(before) == "So"
            stands = before not in ("", "\n", "\t") and marks < MARKS and char not in _UNSEEN_MARKS
            marks += 1
            yield char if stands or pictured else _escape(char)
        else:
            marks = 0
            hidden = category in _HIDDEN or char in _BLANK
            yield _escape(char) if hidden and char not in kept else char
        before = char


def clean(text: str, *, limit: int = 4000, keep_newlines: bool = True) -> str:
    r"""Return `text` with everything that acts instead of being read shown as an escape, and cut to `limit` characters.

    Control, format and unassigned characters, line and paragraph separators become `\x1b`, `\u202e` and the like;
    newlines (unless `keep_newlines` is false) and tabs stay. Lone surrogates, which stand for undecodable bytes, become
    U+FFFD. What is cut is counted in a note after the text; the note is not part of the limit.
    """
    text = text.replace("\r\n", "\n")
    kept: list[str] = []
    length = 0
    for position, shown in enumerate(characters(text, kept="\n\t" if keep_newlines else "\t")):
        if "\ud800" <= text[position] <= "\udfff":
            shown = "\ufffd"
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


def _escape(char: str) -> str:
    r"""A character as Python writes it in a string: `\n`, `\x1b`, `\u202e`, `\U000e0041`."""
    return char.encode("unicode_escape").decode("ascii")
