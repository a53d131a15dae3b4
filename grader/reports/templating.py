"""The two Jinja environments, and what keeps text from outside harmless in them.

Every expression in a template passes `finalize`, so a template's author cannot forget: in HTML, hidden characters are
made visible and Jinja's autoescape does the rest; in Markdown, text is escaped unless it was put in code before.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Sized
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from grader.model import Entity, Place
from grader.reports import cells, wording
from grader.reports.texts import TEXTS


class Caps(Entity, frozen=True, kw_only=True):
    """How much of each text a report shows: characters, and entries of a list."""

    message: int = 2_000
    output: int = 8_000
    source: int = 300
    items: int = 50


LADDER = (
    Caps(),
    Caps(message=700, output=3_000, source=200, items=25),
    Caps(message=250, output=1_000, source=120, items=10),
    Caps(message=80, output=300, source=80, items=5),
    Caps(message=60, output=200, source=60, items=2),
)
"""Tried in this order until a page fits its budget."""


class Markdown(str):
    """Text that is Markdown already and must not be escaped again."""

    __slots__ = ()


def fit(draw: Callable[[Caps], str], budget: int) -> bytes:
    """What `draw` makes with the widest caps that keep it within `budget` bytes, or with the narrowest there are."""
    content = b""
    for caps in LADDER:
        content = draw(caps).encode()
        if len(content) <= budget:
            break
    return content


@functools.cache
def html() -> Environment:
    """The environment of all HTML pages."""
    environment = _environment(autoescape=True, finalize=_html_text)
    environment.filters["cut"] = _cut
    environment.filters["traceback"] = _traceback
    environment.globals["own"] = _own
    environment.globals["hashes"] = _hashes
    environment.globals["say"] = _said_in_html
    return environment


@functools.cache
def markdown() -> Environment:
    """The environment of all Markdown files."""
    environment = _environment(autoescape=False, finalize=_markdown_text)
    environment.filters["prose"] = prose
    environment.filters["code"] = code_span
    environment.filters["block"] = code_block
    environment.filters["message"] = message
    environment.filters["traceback"] = _traceback_block
    environment.globals["say"] = _said_in_markdown
    return environment


def _environment(*, autoescape: bool, finalize: Callable[[object], object]) -> Environment:
    environment = Environment(
        loader=PackageLoader("grader.reports"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["line"] = wording.show
    environment.filters["number"] = wording.number
    environment.filters["evidence"] = wording.evidence
    environment.filters["place"] = wording.place
    environment.filters["more"] = _more
    environment.globals.update(
        count=wording.count,
        outcome_names=wording.OUTCOME_NAMES,
        status_names=wording.STATUS_NAMES,
        isolation_promises=wording.ISOLATION_PROMISES,
        certainty_names=wording.CERTAINTY_NAMES,
    )
    return environment


def _more(things: Sized, caps: Caps) -> str:
    """What a list that was cut ends with: `… and 12 more`; empty where nothing was left out."""
    left_out = len(things) - caps.items
    return wording.count(left_out, "more") if left_out > 0 else ""


def _traceback(trace: tuple[Place, ...], caps: Caps) -> str:
    return cells.traceback(trace, caps.message, caps.source)


# -- HTML --------------------------------------------------------------------------------------------------------------


def _html_text(value: object) -> object:
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return wording.visible(value, multiline=True)
    return value


def _cut(text: str, limit: int) -> str:
    return wording.show(text, limit, multiline=True)


def _said_in_html(key: str, /, **values: object) -> Markup:
    """A text of the reports, escaped, and every value in it that is no markup as well."""
    return Markup(escape(TEXTS.form(key, values))).format(**{name: _html_text(value) for name, value in values.items()})


@functools.cache
def _own(name: str) -> Markup:
    """A style sheet or script of ours, which stands beside the templates, to be put into a page as it is."""
    content = (files("grader.reports") / "templates" / name).read_text("utf-8")
    return Markup(content.replace("\r\n", "\n"))  # as a browser reads it before it hashes


def _hashes(names: Iterable[str]) -> Markup:
    """What the content security policy of a page says of the sheets or scripts inside it."""
    digests = (hashlib.sha256(_own(name).encode()).digest() for name in names)
    return Markup(" ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests))


# -- Markdown ----------------------------------------------------------------------------------------------------------

_LINKS_ITSELF = re.compile(
    r"@|://|www\.|mailto:|xmpp:|[#!%&^~]\d|[%~]\"|~\w|\bGH-\d|\b[0-9a-f]{7,40}\b|:[\w+-]+:|\$|\\[(\[]", re.IGNORECASE
)
"""What GitHub, GitLab or an LMS turns into a mention, a link, a reference, an emoji or a formula even when escaped."""
_AHEAD = 4  # times as much text is looked at as may be shown: spaces in a row become one
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _markdown_text(value: object) -> object:
    return prose(value) if isinstance(value, str) and not isinstance(value, Markdown) else value


def _said_in_markdown(key: str, /, **values: object) -> Markdown:
    """A text of the reports, escaped, and every value in it that is no Markdown as well."""
    text = prose(TEXTS.form(key, values))
    return Markdown(text.format(**{name: _markdown_text(value) for name, value in values.items()}))


def prose(text: str, limit: int | None = None) -> Markdown:
    """Text on one line, escaped, or in code if anything in it might come alive all the same."""
    if limit is None:
        text = wording.visible(" ".join(text.split()))
    else:
        beginning = text[: _AHEAD * limit]
        text = wording.show(" ".join(beginning.split()), limit, more=len(text) - len(beginning))
    if _LINKS_ITSELF.search(text):
        return _between_backticks(text)
    text = re.sub(r"[&<>]", lambda found: _ENTITIES[found[0]], text)
    text = re.sub(r"([\\`*_\[\]|~])", r"\\\1", text)
    return Markdown(re.sub(r"^([#+=/-]|\d+(?=[.)]))", _escape_start, text))


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


def _traceback_block(trace: tuple[Place, ...], caps: Caps) -> Markdown:
    text = _traceback(trace, caps)
    return code_block(text, len(text))


def message(text: str, limit: int) -> Markdown:
    """A message: prose when it is one line, else a block that keeps its lines."""
    text = text.strip()
    return code_block(text, limit) if "\n" in text else prose(text, limit)


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)
