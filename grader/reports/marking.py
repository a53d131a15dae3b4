"""Text from outside as Markdown in which nothing of it comes alive: escaped, or in code.

What GitHub, GitLab or an LMS makes of a text goes beyond Markdown, and much of it cannot be escaped; a text that holds
any of that stands in code as a whole.
"""

from __future__ import annotations

import functools
import re

from grader.reports import wording
from grader.reports.texts import TEXTS


class Markdown(str):
    """Text that is Markdown already and must not be escaped again."""

    __slots__ = ()


_LINKS_ITSELF = re.compile(
    r"@|://|www\.|mailto:|xmpp:|[#!%&^~]\d|[%~]\"|~\w|\bGH-\d|\b[0-9a-f]{7,40}\b|:[\w+-]+:|\$|\\[(\[]", re.IGNORECASE
)
"""What GitHub, GitLab or an LMS turns into a mention, a link, a reference, an emoji or a formula even when escaped."""
_LONGEST = 2000  # characters of a text that a template does not cut by itself; none of ours is as long
_AHEAD = 4  # times as much text is looked at as may be shown: spaces in a row become one
_ACTIVE = re.compile(r"[&<>\\`*_\[\]|~]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_START = re.compile(r"^([#+=/-]|\d+(?=[.)](?:\s|$)))")


def finalized(value: object) -> object:
    """What an expression in a template becomes: text is cut and escaped unless it is Markdown already."""
    return prose(value, _LONGEST) if isinstance(value, str) and not isinstance(value, Markdown) else value


def said(key: str, /, **values: object) -> Markdown:
    """A text of the reports, escaped, and every value in it that is no Markdown as well."""
    text = prose(TEXTS.form(key, values))
    return Markdown(text.format(**{name: finalized(value) for name, value in values.items()}))


@functools.lru_cache(4096)  # titles and hints stand in the report of every student
def prose(text: str, limit: int | None = None) -> Markdown:
    """Text on one line, escaped, or in code if anything in it might come alive all the same."""
    if limit is None:
        text = wording.visible(" ".join(text.split()))
    else:
        beginning = text[: _AHEAD * limit]
        text = wording.show(" ".join(beginning.split()), limit, more=len(text) - len(beginning))
    if _LINKS_ITSELF.search(text):
        return _between_backticks(text)
    return Markdown(_START.sub(_escape_start, _ACTIVE.sub(_escape, text)))


def _escape(found: re.Match[str]) -> str:
    return _ENTITIES.get(found[0], f"\\{found[0]}")


def _escape_start(found: re.Match[str]) -> str:
    """What would open a heading, a list, a rule or a GitLab command at the start of a line, as an entity."""
    return f"&#{ord(found[0][0])};{found[0][1:]}"


def code_span(text: str, limit: int = 300) -> Markdown:
    """Text on one line between more backticks than it has in a row."""
    return _between_backticks(wording.show(text, limit))


def _between_backticks(text: str) -> Markdown:
    if not text.strip(" "):
        return Markdown("(blank)" if text else "")
    fence = "`" * (_longest_run(text) + 1)
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return Markdown(f"{fence}{space}{text}{space}{fence}")


def code_block(text: str, limit: int, language: str = "text") -> Markdown:
    """Text as it stands, between fences longer than any row of backticks in it."""
    text = wording.show(text.rstrip("\n"), limit, multiline=True)
    fence = "`" * max(3, _longest_run(text) + 1)
    return Markdown(f"{fence}{language}\n{text}\n{fence}")


def message(text: str, limit: int) -> Markdown:
    """A message: prose when it is one line, else a block that keeps its lines."""
    text = text.strip()
    return code_block(text, limit) if "\n" in text else prose(text, limit)


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)
