"""Syntax trees and what stands in them, before anything is known of what the names mean."""

from __future__ import annotations

import ast
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple, TypeGuard

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_HOLDS_STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)
_RUN = frozenset({"eval", "exec"})


class Imported(NamedTuple):
    """A name bound by an import: the module as written, the dots before it, and the name in it, if one was taken."""

    module: str
    level: int
    name: str | None


class Spot(NamedTuple):
    """An expression, the function it is in, the names that are local there, and those of them that are parameters."""

    node: ast.expr
    function: str
    hidden: frozenset[str]
    parameters: frozenset[str]


Binding = ast.stmt | Imported


def parsed(content: bytes | str) -> ast.Module | None:
    """The syntax tree; None for what is no valid Python, or nested too deeply."""
    with warnings.catch_warnings(), suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        warnings.simplefilter("ignore")
        return ast.parse(content)
    return None


def top_level(tree: ast.Module) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield the statements that run in the module's own scope, and whether each is under a condition or in a loop."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, conditional = waiting.pop()
        if isinstance(node, ast.stmt):
            yield node, conditional
        if not isinstance(node, DEFINITIONS):
            children = (child for child in ast.iter_child_nodes(node) if isinstance(child, _HOLDS_STATEMENTS))
            waiting += [(child, node is not tree) for child in reversed([*children])]


def chain(node: ast.expr) -> tuple[ast.expr, list[str]]:
    """Take `a.b.c` apart into `a` and its attributes."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return node, attributes[::-1]


def imports(node: ast.AST) -> dict[str, Imported]:
    """What an import statement binds; `*` stands for itself."""
    if isinstance(node, ast.Import):
        tops = [alias.asname or alias.name.split(".")[0] for alias in node.names]
        names = zip(tops, node.names, strict=True)
        return {top: Imported(alias.name if alias.asname else top, 0, None) for top, alias in names}
    if isinstance(node, ast.ImportFrom):
        return {alias.asname or alias.name: Imported(node.module or "", node.level, alias.name) for alias in node.names}
    return {}


def bindings(tree: ast.Module) -> dict[str, list[Binding]]:
    """What binds each top-level name of a file, the last one at the end; `*` stands for what is imported with it."""
    bound: dict[str, list[Binding]] = defaultdict(list)
    for statement, conditional in top_level(tree):
        fresh: dict[str, Binding] = dict(imports(statement))
        if isinstance(statement, DEFINITIONS):
            fresh[statement.name] = statement
            # `@add_to(A) def f` makes f a part of A.
            for node in [arg for one in statement.decorator_list if isinstance(one, ast.Call) for arg in one.args]:
                if isinstance(node, ast.Name) and bound[node.id][-1:] != [statement]:
                    bound[node.id].append(statement)
        for target in [*getattr(statement, "targets", []), *filter(None, [getattr(statement, "target", None)])]:
            root, attributes = chain(target)
            if attributes and isinstance(root, ast.Name):  # `A.f = f` makes f a part of A
                bound[root.id].append(statement)
            fresh |= {node.id: statement for node in ast.walk(target) if is_stored(node)}
        if isinstance(statement, ast.Expr) and (whom := _patched(statement.value)):
            bound[whom].append(statement)  # so does `setattr(A, "f", f)`
        kept = _builds_on(statement) | {"*"}
        for name, binding in fresh.items():
            bound[name] = [*(bound[name] if conditional or name in kept else ()), binding]
    return bound


def _patched(node: ast.expr) -> str | None:
    match node:
        case ast.Call(func=ast.Name(id="setattr"), args=[ast.Name(id=whom), *_]):
            return whom
    return None


def is_stored(node: ast.AST) -> TypeGuard[ast.Name]:
    """Whether it is a name that is given a value, or deleted, here."""
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)


def _builds_on(binding: ast.stmt) -> frozenset[str]:
    """The names that a definition uses as they were before it: `class A(A)`, `f = cached(f)`, `n += 1`."""
    before = [getattr(binding, "value", None), *getattr(binding, "decorator_list", []), *getattr(binding, "bases", [])]
    before += [binding.target] if isinstance(binding, ast.AugAssign) else []
    return frozenset(node.id for one in before if one for node in ast.walk(one) if isinstance(node, ast.Name))


def expressions(statement: ast.stmt) -> Iterator[Spot]:
    """Yield each name, each chain of attributes, each call and each item, outer ones first; no annotations.

    What is written in a text that is run at once, `eval("f(x)")`, is part of the code.
    """
    waiting: list[tuple[ast.AST, str, frozenset[str], frozenset[str]]] = [(statement, "", frozenset(), frozenset())]
    while waiting:
        node, function, hidden, parameters = waiting.pop()
        inner = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.expr):
            root, attributes = chain(node)
            if attributes or isinstance(root, ast.Name | ast.Call | ast.Subscript):
                yield Spot(node, function, hidden, parameters)
            inner = [*ast.iter_child_nodes(root), *_run_at_once(root)] if not isinstance(root, ast.Name) else []
            node = root
        if isinstance(node, FUNCTIONS):
            outside = [*getattr(node, "decorator_list", []), *node.args.defaults, *filter(None, node.args.kw_defaults)]
            waiting += [(one, function, hidden, parameters) for one in outside]
            inner = [node.body] if isinstance(node, ast.Lambda) else list(node.body)
            function, hidden = getattr(node, "name", function), hidden | bound_in(node)
            parameters |= {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
        elif isinstance(node, ast.AnnAssign):
            inner = [node.target, *filter(None, [node.value])]
        waiting += [(one, function, hidden, parameters) for one in inner]


def _run_at_once(node: ast.expr) -> list[ast.stmt]:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text)), *_]) if name in _RUN:
            tree = parsed(text.strip())
            for inner in ast.walk(tree) if tree else ():
                if hasattr(inner, "lineno"):
                    inner.lineno = node.lineno
            return tree.body if tree else []
    return []


def bound_in(function: ast.AST) -> frozenset[str]:
    """The names that are local to a function: its parameters, and what it assigns, imports or defines."""
    if not isinstance(function, FUNCTIONS):
        return frozenset()
    found = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
    shared: set[str] = set()
    waiting: list[ast.AST] = [function.body] if isinstance(function, ast.Lambda) else list(function.body)
    while waiting:
        node = waiting.pop()
        found |= {node.id} if is_stored(node) else imports(node).keys()
        if isinstance(node, ast.Global):
            shared |= set(node.names)
        if isinstance(node, DEFINITIONS):
            found.add(node.name)
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return frozenset(found - shared)


def assignments(statement: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield what is assigned inside a statement, or by it, as targets and values; a loop assigns what it goes over."""
    for node in ast.walk(statement):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((target, value) for target in targets)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                yield target, value
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield target, value
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                yield target, value
            case ast.arguments():
                positional = [*node.posonlyargs, *node.args]
                with_default = positional[len(positional) - len(node.defaults) :]
                pairs = [*zip(with_default, node.defaults, strict=True)]
                pairs += [(arg, one) for arg, one in zip(node.kwonlyargs, node.kw_defaults, strict=True) if one]
                yield from ((ast.Name(arg.arg, ast.Store()), default) for arg, default in pairs)


def bound_once(statement: ast.stmt) -> dict[str, ast.expr]:
    """The names that a definition gives a value once, in plain assignments, with these values."""
    counts: Counter[str] = Counter()
    values: dict[str, ast.expr] = {}
    for node in ast.walk(statement):
        if is_stored(node):
            counts[node.id] += 1
        elif isinstance(node, ast.arg):
            counts[node.arg] += 2
        elif isinstance(node, ast.Assign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values |= {target.id: node.value for target in targets if isinstance(target, ast.Name)}
    return {name: value for name, value in values.items() if counts[name] == 1}
