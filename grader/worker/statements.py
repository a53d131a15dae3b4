"""What a file's top-level statements bind, read from the syntax tree: nothing runs.

Standard library only: this runs in the worker.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Kind(Enum):
    """What gives a name its value."""

    CLASS = "class"
    FUNCTION = "function"
    IMPORT = "import"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A name that a statement gives a value.

    Attributes:
        certain: no branch decides whether it happens.
        decorated: a class or a function that went through something, which may have returned anything.
        module: for imports, the absolute name of the module, or an empty string.
        attribute: for `from module import attribute`.
    """

    name: str
    kind: Kind
    certain: bool = True
    decorated: bool = False
    module: str = ""
    attribute: str = ""


def bindings(statement: ast.stmt, *, certain: bool = True) -> tuple[Binding, ...]:
    """What a definition, an import, an assignment or a branch of these binds. What a star imports is not known."""
    if isinstance(statement, DEFINITIONS):
        kind = Kind.CLASS if isinstance(statement, ast.ClassDef) else Kind.FUNCTION
        decorated = bool(statement.decorator_list)
        return (Binding(name=statement.name, kind=kind, certain=certain, decorated=decorated),)
    if isinstance(statement, IMPORTS):
        return tuple(_imported(statement, alias, certain) for alias in statement.names if alias.name != "*")
    if isinstance(statement, ast.If | ast.Try):
        plain = (part for part in inside(statement) if not isinstance(part, ast.If | ast.Try))
        return tuple(binding for part in plain for binding in bindings(part, certain=False))
    return tuple(Binding(name=name, kind=Kind.VALUE, certain=certain) for name in sorted(assigned([statement])))


def _imported(statement: ast.Import | ast.ImportFrom, alias: ast.alias, certain: bool) -> Binding:
    name = alias.asname or alias.name.split(".")[0]
    if isinstance(statement, ast.Import):
        return Binding(name=name, kind=Kind.IMPORT, certain=certain, module=alias.name if alias.asname else name)
    module = "" if statement.level else statement.module or ""
    attribute = alias.name if alias.asname else name
    return Binding(name=name, kind=Kind.IMPORT, certain=certain, module=module, attribute=attribute)


def assigned(statements: Iterable[ast.stmt]) -> frozenset[str]:
    """Names that assignments, loops, `with`, `:=` or patterns may give a value at the top level, or `global` for it."""
    names: set[str] = set()
    waiting: list[ast.AST] = list(statements)
    while waiting:
        node = waiting.pop()
        if isinstance(node, DEFINITIONS):
            names.update(*(inner.names for inner in ast.walk(node) if isinstance(inner, ast.Global)))
        elif isinstance(node, _COMPREHENSIONS):
            names |= {inner.target.id for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
                names.add(node.name)
            waiting += ast.iter_child_nodes(node)
    return frozenset(names)


def defines(statement: ast.stmt) -> bool:
    """Whether a statement is a definition or an import, or a branch that holds one."""
    parts = inside(statement) if isinstance(statement, ast.If | ast.Try) else (statement,)
    return any(isinstance(part, DEFINITIONS + IMPORTS) for part in parts)


def inside(branch: ast.If | ast.Try) -> Iterator[ast.stmt]:
    """The statements of every branch, and of the branches among them. `elif` nests, however many there are."""
    waiting = _parts(branch)
    while waiting:
        statement = waiting.pop(0)
        yield statement
        if isinstance(statement, ast.If | ast.Try):
            waiting[:0] = _parts(statement)


def blocks(branch: ast.If | ast.Try) -> list[list[ast.stmt]]:
    """The lists of statements that a branch is made of, which may be changed in place."""
    if isinstance(branch, ast.If):
        return [branch.body, branch.orelse]
    return [branch.body, branch.orelse, *(handler.body for handler in branch.handlers), branch.finalbody]


def _parts(branch: ast.If | ast.Try) -> list[ast.stmt]:
    return [part for block in blocks(branch) for part in block]


def first_line(statement: ast.stmt) -> int:
    """Where it begins, with its decorators."""
    decorators = statement.decorator_list if isinstance(statement, DEFINITIONS) else []
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def is_docstring(statement: ast.stmt) -> bool:
    """Whether it is a text or another constant that nothing is done with."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
