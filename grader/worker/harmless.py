"""Which top-level statements may run although the file they stand in must not.

Theory of operation. A value is harmless when computing it can call nothing a student wrote: literals, names,
operators, and calls of what was imported from a library. An assignment must be harmless, and must not take a name away
from what needs it: demonstrations call a tensor `list`, or an instance like its class.

Standard library only: this runs in the worker.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

from grader.worker.statements import (
    DEFINITIONS,
    IMPORTS,
    Kind,
    assigned,
    bindings,
    blocks,
    defines,
    inside,
    is_docstring,
)

_CALLABLE = frozenset({"int", "float", "str", "bool", "len", "min", "max", "range", "tuple", "list", "dict", "set"})
_HARMLESS = (
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Slice,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.Starred,
    ast.UnaryOp,
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.Lambda,
    ast.Call,
)


class Harmless:
    """Judges the statements of a file, or of all cells of a notebook, that are looked at together."""

    def __init__(self, statements: Iterable[ast.stmt], own_modules: frozenset[str]) -> None:
        """`own_modules` are the student's: what is imported from them is never called."""
        body = list(statements)
        self._libraries, rebound = _imported_and_rebound(body, own_modules)
        self._trusted = (_CALLABLE | self._libraries) - rebound
        defined = {bound.name for each in body if defines(each) for bound in bindings(each) if bound.kind != Kind.VALUE}
        self._taken = defined | set(dir(builtins))

    def trim(self, statement: ast.stmt) -> None:
        """Take out of a branch what may not run, where it holds definitions: `except ImportError:` often installs."""
        waiting = [statement] if isinstance(statement, ast.If | ast.Try) and defines(statement) else []
        while waiting:
            branch = waiting.pop()
            for block in blocks(branch):
                block[:] = [part if self._may_begin(part) else _nothing(part) for part in block]
                waiting += [part for part in block if isinstance(part, ast.If | ast.Try)]

    def keeps(self, statement: ast.stmt) -> bool:
        """Whether it is a definition, an import, an assignment that does no harm, or a branch of nothing but these."""
        if not self._may_run(statement):
            return False
        return defines(statement) or not assigned([statement]) & self._taken or self._defines_by_value(statement)

    def _may_run(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.If | ast.Try):
            return self._may_begin(statement) and all(map(self._may_begin, inside(statement)))
        return not isinstance(statement, ast.Pass) and not is_docstring(statement) and self._may_begin(statement)

    def _may_begin(self, statement: ast.stmt) -> bool:
        """Whether a statement may run, of a branch only its condition."""
        if isinstance(statement, ast.Assign):
            return all(map(_is_plain, statement.targets)) and self._is_value(statement.value)
        if isinstance(statement, ast.AnnAssign):
            return statement.value is not None and _is_plain(statement.target) and self._is_value(statement.value)
        if isinstance(statement, ast.If):
            guard = any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test))
            return not guard and self._is_value(statement.test)
        return isinstance(statement, (*DEFINITIONS, *IMPORTS, ast.Try, ast.Pass)) or is_docstring(statement)

    def _is_value(self, value: ast.expr) -> bool:
        waiting: list[ast.AST] = [value]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.expr) and not isinstance(node, _HARMLESS):
                return False
            if isinstance(node, ast.Call) and _root(node.func) not in self._trusted:
                return False
            if isinstance(node, ast.Lambda):
                waiting += [*node.args.defaults, *filter(None, node.args.kw_defaults)]  # its body does not run here
            else:
                waiting += ast.iter_child_nodes(node)
        return True

    def _defines_by_value(self, statement: ast.stmt) -> bool:
        """Whether all it assigns are lambdas, or other names for what a library has: `max = torch.max`."""
        if isinstance(statement, ast.If | ast.Try):
            plain = (part for part in inside(statement) if not isinstance(part, ast.If | ast.Try))
            return all(map(self._defines_by_value, plain))
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            return True
        value = statement.value
        return isinstance(value, ast.Lambda) or (isinstance(value, ast.Attribute) and _root(value) in self._libraries)


def _nothing(statement: ast.stmt) -> ast.Pass:
    return ast.copy_location(ast.Pass(), statement)


def _is_plain(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(map(_is_plain, target.elts))
    return isinstance(target, ast.Name)


def _root(value: ast.expr) -> str | None:
    """The name that a chain of attributes begins with."""
    while isinstance(value, ast.Attribute):
        value = value.value
    return value.id if isinstance(value, ast.Name) else None


def _imported_and_rebound(body: Iterable[ast.stmt], own_modules: frozenset[str]) -> tuple[set[str], set[str]]:
    """Names that hold a library's things, and names that something else may give a value at the top level."""
    libraries: set[str] = set()
    rebound: set[str] = set()
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, IMPORTS):
            for alias in node.names:
                module = alias.name if isinstance(node, ast.Import) else "." * node.level + (node.module or "")
                own = module.startswith(".") or module.split(".")[0] in own_modules
                (rebound if own else libraries).add(alias.asname or alias.name.split(".")[0])
        elif isinstance(node, DEFINITIONS):
            rebound.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            rebound.add(node.id)
        else:
            waiting += ast.iter_child_nodes(node)
    return libraries, rebound
