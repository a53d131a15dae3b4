"""Which cell of a notebook gives a name its value, read from the syntax tree."""

from __future__ import annotations

import ast
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from grader.model import Cell

MOST_BYTES: Final = 16 << 10
"""Of names, all together: they cross to another process in one message."""

_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def last_bindings(cells: Iterable[Cell]) -> dict[str, int]:
    """The last cell that binds each name at its top level; cells that are no Python bind none."""
    found: dict[str, int] = {}
    left = MOST_BYTES
    for cell in cells:
        for name in _bound(cell.python or ""):
            left -= 0 if name in found else len(name.encode())
            if name in found or left >= 0:
                found[name] = cell.number
    return found


def _bound(source: str) -> Iterator[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in a student's strings
            waiting: deque[ast.AST] = deque(ast.parse(source).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    while waiting:
        node = waiting.popleft()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import() | ast.ImportFrom():
                yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))
