"""What an expression may stand for, and where it stands."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from grader.policy.trees import Spot

_MOST: Final = 16


class Own(NamedTuple):
    """A top-level name of one of the student's files; without a name, the file (or a folder of files) as a module."""

    file: str
    name: str


class Scope(NamedTuple):
    """Where names are looked up: a file, what a definition in it imports or renames, and what is local in it."""

    file: str
    local: Mapping[str, frozenset[str | Own]] = {}
    hidden: frozenset[str] = frozenset()
    once: Mapping[str, ast.expr] = {}


class Use(NamedTuple):
    """A place in the code and what stands there: something of a library, dotted, or something of the student's own."""

    file: str
    node: ast.expr
    function: str
    meaning: str | Own


class Visit(NamedTuple):
    """An expression, its surroundings, and what it may stand for, or its beginnings do."""

    spot: Spot
    scope: Scope
    meanings: frozenset[str | Own]


class ByName(NamedTuple):
    """Something taken by a name that is a text: of what, as what (`attribute`, `module`, `global`), and the text."""

    base: frozenset[str | Own]
    how: str
    name: ast.expr
    text: str | None


Meanings = frozenset[str | Own]
NOTHING: Final[Meanings] = frozenset()


def few(meanings: Iterable[str | Own]) -> Meanings:
    """So many of them that hostile code cannot make it grow."""
    return frozenset(sorted(meanings, key=str)[:_MOST])


def modules(path: str | None) -> Meanings:
    """A file or a folder of the student's, as a module."""
    return NOTHING if path is None else frozenset({Own(path, "")})
