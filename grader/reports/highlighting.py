"""Python with its words in classes for a style sheet, whatever a student has written."""

from __future__ import annotations

import functools
from html import escape
from typing import Any, Final

from markupsafe import Markup
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from grader.reports.snippets import Snippet
from grader.reports.wording import show

_CLASSES: Final = (
    (Comment, "c"),
    (String, "s"),
    (Number, "m"),
    (Operator.Word, "k"),
    (Keyword, "k"),
    (Name.Function, "f"),
    (Name.Class, "f"),
    (Name.Decorator, "f"),
    (Name.Builtin, "b"),
)
"""Kinds of words, and their classes; the first that holds counts, and what is of no kind has none."""


def rows(snippet: Snippet, longest: int, around: int) -> list[tuple[int, bool, Markup]]:
    """Each line's number, whether it is the one that is meant, and its text, cut to `longest` characters; at most so
    many before and after it."""
    kept = snippet.around(around)
    lines = [show(line, longest, multiline=True).replace("\n", "\\n") for line in kept.lines]
    return [
        (number, number == kept.where.line, text)
        for number, text in enumerate(_coloured(lines, kept.inside), kept.first)
    ]


def _coloured(lines: list[str], inside: str) -> list[Markup]:
    """The lines as markup. They may begin inside a string, and need not be Python at all."""
    lead = [inside] if inside else []
    made: list[list[str]] = [[]]
    for kind, value in _lexer().get_tokens("\n".join([*lead, *lines])):
        first, *others = value.split("\n")
        made[-1].append(_span(kind, first))
        made.extend([_span(kind, part)] for part in others)
    return [Markup("".join(parts)) for parts in made[len(lead) : len(lead) + len(lines)]]


def _span(kind: Any, text: str) -> str:
    name = _class(kind) if text else ""
    return f'<span class="{name}">{escape(text)}</span>' if name else escape(text)


@functools.cache
def _class(kind: Any) -> str:
    return next((name for known, name in _CLASSES if kind in known), "")


@functools.cache
def _lexer() -> Any:
    return PythonLexer(stripnl=False, ensurenl=False)
