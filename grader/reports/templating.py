"""The Jinja environments, one for each format, and what keeps text from outside harmless in them.

Every expression in a template passes `finalize`, so a template's author cannot forget: in HTML, hidden characters are
made visible and Jinja's autoescape does the rest; in Markdown, text is escaped unless it was put in code before; in
plain text, hidden characters are made visible and nothing else can act.

An assignment may have templates of its own: one in its `templates/` folder stands in the place of ours of that name, in
what a student gets. It may build upon ours, which is then called `grader/student.html`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import traceback
from collections.abc import Callable, Iterable, Sequence, Sized
from importlib.resources import files
from pathlib import Path

import msgspec
from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateSyntaxError,
)
from markupsafe import Markup, escape

from grader.errors import ConfigurationError
from grader.model import AttentionPicture, Entity, Place
from grader.reports import boxes, cells, diagrams, heatmaps, highlighting, marking, matrices, wording, wrapping
from grader.reports.snippets import Snippet
from grader.reports.texts import TEXTS


class Caps(Entity, frozen=True, kw_only=True):
    """How much a report shows: characters of each text, entries of a list, lines around one, and pictures of heads."""

    message: int = 2_000
    output: int = 8_000
    source: int = 300
    items: int = 50
    around: int = 3
    heads: int = 8

    @property
    def briefly(self) -> Caps:
        """The same with no lines around that which is meant."""
        return msgspec.structs.replace(self, around=0)


LADDER = (
    Caps(),
    Caps(message=700, output=3_000, source=200, items=25, heads=4),
    Caps(message=250, output=1_000, source=120, items=10, around=2, heads=2),
    Caps(message=80, output=300, source=80, items=5, around=1, heads=1),
    Caps(message=60, output=200, source=60, items=2, around=0, heads=0),
)
"""Tried in this order until a page fits its budget."""


def fit(draw: Callable[[Caps], str], budget: int) -> bytes:
    """What `draw` makes with the widest caps that keep it within `budget` bytes, or with the narrowest there are."""
    content = b""
    for caps in LADDER:
        content = draw(caps).encode()
        if len(content) <= budget:
            break
    return content


def render(environment: Environment, name: str, budget: int, **values: object) -> bytes:
    """What a template makes of these values within so many bytes, if it can be done.

    Raises:
        ConfigurationError: a template of the assignment's own cannot be used; with its line.
    """
    try:
        template = environment.get_template(name)
        return fit(lambda caps: template.render(caps=caps, **values), budget)
    except Exception as error:
        if isinstance(error, TemplateSyntaxError):
            places = [(error.filename or "", error.lineno)]
        else:
            places = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
        for file, line in reversed(places):
            if file.startswith(tuple(f"{folder}/" for folder in _own_folders(environment))):
                hint = "correct it, or take it away: then ours is used"
                what = f"{file}: line {line}: {getattr(error, 'message', None) or error}"
                raise ConfigurationError(what, path=Path(file), hint=hint) from error
        raise


def _own_folders(environment: Environment) -> list[str]:
    """The folders of templates that are not ours."""
    loaders = environment.loader.loaders if isinstance(environment.loader, ChoiceLoader) else ()
    return [folder for loader in loaders if isinstance(loader, FileSystemLoader) for folder in loader.searchpath]


@functools.cache
def html(own: Path | None = None) -> Environment:
    """The environment of all HTML pages; `own` is a folder of templates that stand before ours."""
    environment = _environment(own, autoescape=True, finalize=_html_text)
    environment.filters |= {
        "cut": _cut,
        "traceback": _traceback,
        "statements": _statements,
        "rows": _rows,
        "boxes": boxes.boxes,
        "lines": _tensors,
        "drawings": _drawings,
    }
    environment.globals |= {"own": _own, "hashes": _hashes, "say": _said_in_html}
    return environment


@functools.cache
def markdown(own: Path | None = None) -> Environment:
    """The environment of all Markdown files; `own` is a folder of templates that stand before ours."""
    environment = _environment(own, autoescape=False, finalize=marking.finalized)
    environment.filters |= {
        "prose": marking.prose,
        "code": marking.code_span,
        "block": marking.code_block,
        "message": marking.message,
        "traceback": _traceback_block,
        "statements": _statements_in_code,
        "numbered": _numbered_block,
        "tensors": _tensors_block,
        "weights": _weights_block,
        "tokens": heatmaps.short_tokens,
    }
    environment.globals["say"] = marking.said
    return environment


@functools.cache
def plain(own: Path | None = None) -> Environment:
    """The environment of all plain texts; `own` is a folder of templates that stand before ours."""
    environment = _environment(own, autoescape=False, finalize=wrapping.finalized)
    environment.filters |= {
        "wrap": wrapping.wrapped,
        "quote": wrapping.quoted,
        "underline": wrapping.underlined,
        "numbered": _numbered,
        "tensors": _tensors,
        "weights": matrices.weights,
        "tokens": heatmaps.short_tokens,
        "statements": _statements_plainly,
        "traceback": _traceback,
    }
    environment.globals["say"] = TEXTS.say
    return environment


def _environment(own: Path | None, *, autoescape: bool, finalize: Callable[[object], object]) -> Environment:
    ours = PackageLoader("grader.reports")
    before = [FileSystemLoader(own)] if own is not None and own.is_dir() else []
    environment = Environment(
        loader=ChoiceLoader([*before, ours, PrefixLoader({"grader": ours})]),
        autoescape=autoescape,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters |= {
        "line": wording.show,
        "number": wording.number,
        "place": wording.place,
        "more": _more,
        "capital": wording.capital,
    }
    environment.globals.update(
        count=wording.count,
        outcome_names=wording.OUTCOME_NAMES,
        status_names=wording.STATUS_NAMES,
        isolation_promises=wording.ISOLATION_PROMISES,
        certainty_names=wording.CERTAINTY_NAMES,
    )
    return environment


def _more(things: Sized, caps: Caps, further: int = 0) -> str:
    """What a list that was cut ends with: `… and 12 more`; empty where nothing was left out.

    `further` counts what is not even in the list.
    """
    left_out = max(0, len(things) - caps.items) + further
    return wording.count(left_out, "more") if left_out > 0 else ""


def _traceback(trace: tuple[Place, ...], caps: Caps) -> str:
    return cells.traceback(trace, caps.message, caps.source)


def _tensors(shown: diagrams.Diagram) -> str:
    return "\n".join(diagrams.lines(shown))


def _numbered(snippet: Snippet, caps: Caps) -> str:
    """Lines of code with their numbers, the one that is meant with a mark before it."""
    kept = snippet.around(caps.around)
    width = len(str(kept.first + len(kept.lines)))
    return "\n".join(
        f"{'>' if number == kept.where.line else ' '} {number:{width}}  {wording.show(line, caps.source)}".rstrip()
        for number, line in enumerate(kept.lines, kept.first)
    )


def _joined(shown: Sequence[str], more: str) -> str:
    """Names in a sentence: `a`, `a and b`, `a, b and c`."""
    whole = [*shown, more] if more else [*shown]
    if len(whole) < 2 or more:
        return ", ".join(whole)
    return TEXTS.say("second-look.and", first=", ".join(whole[:-1]), last=whole[-1])


def _statements_plainly(supplied: tuple[str, ...], caps: Caps) -> str:
    return _joined([wording.show(each, caps.source) for each in supplied[: caps.items]], _more(supplied, caps))


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


def _statements(supplied: tuple[str, ...], caps: Caps) -> Markup:
    shown = [f"<code>{escape(wording.show(each, caps.source))}</code>" for each in supplied[: caps.items]]
    return Markup(_joined(shown, _more(supplied, caps)))


def _rows(snippet: Snippet, caps: Caps) -> list[tuple[int, bool, Markup]]:
    return highlighting.rows(snippet, caps.source, caps.around)


def _drawings(pictures: tuple[AttentionPicture, ...], caps: Caps) -> tuple[heatmaps.Drawing, ...]:
    return heatmaps.drawings(pictures[: caps.items], caps.heads)


# -- Markdown ----------------------------------------------------------------------------------------------------------


def _traceback_block(trace: tuple[Place, ...], caps: Caps) -> marking.Markdown:
    text = _traceback(trace, caps)
    return marking.code_block(text, len(text))


def _statements_in_code(supplied: tuple[str, ...], caps: Caps) -> marking.Markdown:
    shown = [marking.code_span(each, caps.source) for each in supplied[: caps.items]]
    return marking.Markdown(_joined(shown, _more(supplied, caps)))


def _numbered_block(snippet: Snippet, caps: Caps) -> marking.Markdown:
    text = _numbered(snippet, caps)
    return marking.code_block(text, len(text), "text")


def _tensors_block(shown: diagrams.Diagram) -> marking.Markdown:
    text = _tensors(shown)
    return marking.code_block(text, len(text))


def _weights_block(pictures: tuple[AttentionPicture, ...]) -> marking.Markdown:
    text = matrices.weights(pictures)
    return marking.code_block(text, len(text)) if text else marking.Markdown()
