"""The public part of a file of checks, and what is only in the hidden part.

Only what public checks reach is kept, from the syntax tree: the checks themselves, and the imports, constants, helpers
and fixtures that they use. Everything else goes: hidden checks, what only they use, and every comment outside of what
is kept, since nobody can know what it is about.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One file of checks, divided.

    Attributes:
        source: what students may see; empty where nothing in the file is for them.
        shown: the parts of the original that are in it, as they were.
        withheld: the parts of the original that are not, as they were, without imports.
    """

    source: str
    shown: tuple[str, ...]
    withheld: tuple[str, ...]


def published(source: str, public: Mapping[str, tuple[str, ...]]) -> Published:
    """Divide a file of checks.

    Args:
        source: the whole file.
        public: names of the checks that students may see; for each, the names of those that must pass first.
    """
    tree = ast.parse(source)
    lines = source.splitlines()
    kept = _reached(tree, set(public))
    withheld = [
        _lines(lines, node)
        for node in tree.body
        if node not in kept and not isinstance(node, ast.Import | ast.ImportFrom) and not _is_text(node)
    ]
    if not any(isinstance(node, DEFINITIONS) and node.name in public for node in kept):
        return Published(source="", shown=(), withheld=tuple(withheld))
    used, text, room = _used(kept), "", 0
    ended = 0
    for node in tree.body:
        room = max(room, _blank(lines[ended : _first(node) - 1]))
        ended = node.end_lineno or node.lineno
        part = _part(lines, node, kept, used, public, first=node is tree.body[0])
        if part:
            text += ("\n" * (min(room, 2) + 1) if text else "") + part
            room = 0
    shown = tuple(_lines(lines, node) for node in kept)
    return Published(source=f"{text}\n", shown=shown, withheld=tuple(withheld))


# -- what is reached ---------------------------------------------------------------------------------------------------


def _reached(tree: ast.Module, public: set[str]) -> list[ast.stmt]:
    """The statements that public checks need, in their order; imports are not among them."""
    owners: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        for name in _bound(node):
            owners.setdefault(name, []).append(node)
    waiting: list[ast.stmt] = [node for node in tree.body if isinstance(node, DEFINITIONS) and node.name in public]
    waiting += [node for node in tree.body if isinstance(node, DEFINITIONS) and _acts_by_itself(node)]
    reached: list[ast.stmt] = []
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.append(node)
            waiting += [owner for name in _names(node) for owner in owners.get(name, ())]
    return [node for node in tree.body if node in reached]


def _bound(node: ast.stmt) -> Iterator[str]:
    """The names a statement gives a meaning, imports left out."""
    if isinstance(node, DEFINITIONS):
        yield node.name
    elif not isinstance(node, ast.Import | ast.ImportFrom):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield inner.id


def _names(node: ast.AST) -> Iterator[str]:
    """The names a statement uses; parameters too, since they ask for fixtures."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            yield inner.id
        elif isinstance(inner, ast.arg):
            yield inner.arg


def _acts_by_itself(node: ast.stmt) -> bool:
    """Whether it is a fixture that every check gets."""
    marks = node.decorator_list if isinstance(node, DEFINITIONS) else []
    return any(keyword.arg == "autouse" for mark in marks if isinstance(mark, ast.Call) for keyword in mark.keywords)


def _used(kept: Iterable[ast.stmt]) -> set[str]:
    return {name for node in kept for name in _names(node)}


# -- what is written ---------------------------------------------------------------------------------------------------


def _part(
    lines: list[str],
    node: ast.stmt,
    kept: Sequence[ast.stmt],
    used: set[str],
    after: Mapping[str, tuple[str, ...]],
    *,
    first: bool,
) -> str:
    """What students see of a statement; nothing where it is not for them."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return _import(node, used)
    if _is_text(node):
        return _lines(lines, node) if first else ""
    if node not in kept:
        return ""
    if isinstance(node, ast.FunctionDef) and node.name in after:
        return _check(lines, node, after[node.name])
    return _without_outer_comments(_lines(lines, node))


def _blank(lines: list[str]) -> int:
    return sum(not line.strip() for line in lines)


def _import(node: ast.Import | ast.ImportFrom, used: set[str]) -> str:
    """The import with only those names that are used; nothing when none of them is."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return ast.unparse(node)
    names = [each for each in node.names if (each.asname or each.name).partition(".")[0] in used]
    if not names:
        return ""
    kept = ast.Import(names) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, names, node.level)
    return ast.unparse(kept)


def _check(lines: list[str], node: ast.FunctionDef, after: tuple[str, ...]) -> str:
    """A public check, which comes after no check that is hidden."""
    text = _without_outer_comments(_lines(lines, node))
    first = min(mark.lineno for mark in node.decorator_list)
    for mark in node.decorator_list:
        for keyword in mark.keywords if isinstance(mark, ast.Call) else ():
            if keyword.arg == "after" and _literal(keyword.value) != after:
                text = _rewritten(text, mark, after, first)
    return text


def _literal(value: ast.expr) -> tuple[str, ...]:
    given = ast.literal_eval(value)
    return (given,) if isinstance(given, str) else tuple(given)


def _rewritten(text: str, mark: ast.expr, after: tuple[str, ...], first: int) -> str:
    """The lines of a check, with another `after` in its mark, or none."""
    assert isinstance(mark, ast.Call)
    keywords = [each for each in mark.keywords if each.arg != "after"]
    names = [ast.Constant(name) for name in after]
    if names:
        keywords.append(ast.keyword("after", names[0] if len(names) == 1 else ast.Tuple([*names], ast.Load())))
    begin, end = mark.lineno - first, (mark.end_lineno or mark.lineno) - first
    lines = text.splitlines()
    return "\n".join([*lines[:begin], f"@{ast.unparse(ast.Call(mark.func, mark.args, keywords))}", *lines[end + 1 :]])


def _lines(lines: list[str], node: ast.stmt) -> str:
    """The lines of a statement, decorators included."""
    return "\n".join(lines[_first(node) - 1 : node.end_lineno])


def _first(node: ast.stmt) -> int:
    """The line on which a statement begins, decorators included."""
    marks = node.decorator_list if isinstance(node, DEFINITIONS) else []
    return min([node.lineno, *(mark.lineno for mark in marks)])


def _without_outer_comments(text: str) -> str:
    """The lines without a comment that follows the last token of the last of them."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text + "\n").readline))
    lines = text.splitlines()
    last = next((token for token in reversed(tokens) if token.string.strip()), None)
    if last is not None and last.type == tokenize.COMMENT and last.start[0] == len(lines):
        lines[-1] = lines[-1][: last.start[1]].rstrip()
    return "\n".join(lines)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
