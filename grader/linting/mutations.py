"""Mutants: a reference solution with one small mistake each, made from its syntax tree.

A mutant changes a few characters of the source and leaves the rest as it is, comments included, so that what is
different about it can be shown as a diff. Whatever is no valid Python any more, or the same tree as another mutant, is
left out. That a mutant means something else than the original is not promised: `grader.examiner.equivalence` tells.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeGuard

from grader.linting.spans import Edit, Source

MODULES: Final = frozenset({"torch", "math", "nn", "F", "np", "numpy", "functional", "einops"})
"""Names before a dot that are no values."""

DIMENSIONAL: Final = frozenset(
    (
        *("transpose", "permute", "swapaxes", "softmax", "log_softmax", "unsqueeze", "squeeze", "cat", "concat"),
        *("stack", "chunk", "split", "sum", "mean", "amax", "max", "flatten", "unflatten", "size", "movedim", "norm"),
    )
)
"""Functions whose whole numbers name an axis."""

AXES: Final = (-3, -2, -1, 0, 1, 2)

OPERATORS: Final[dict[type[ast.operator], tuple[str, ...]]] = {
    ast.Add: ("-",),
    ast.Sub: ("+",),
    ast.Mult: ("/",),
    ast.Div: ("*", "//"),
    ast.FloorDiv: ("*", "/"),
    ast.Mod: ("//",),
    ast.MatMult: ("*",),
    ast.Pow: ("*",),
}
ORDERED: Final = (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod, ast.MatMult, ast.Pow)
"""Operators whose two sides may not change places."""

COMPARISONS: Final[dict[type[ast.cmpop], tuple[str, ...]]] = {
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Lt: ("<=", ">"),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<"),
    ast.GtE: (">", "<"),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One changed reference.

    Attributes:
        number: counts from 1, in the order of the lines.
        change: what was done, as a few words.
        line: where, in the original.
        source: the whole file, changed.
    """

    number: int
    change: str
    line: int
    source: str

    @property
    def name(self) -> str:
        """What it is called among others: `mutant-007`."""
        return f"mutant-{self.number:03}"


def mutants(source: str) -> tuple[Mutant, ...]:
    """All mutants of this source, those of earlier lines first.

    Raises:
        SyntaxError: it is not valid Python.
    """
    text = Source(source)
    seen = {ast.dump(text.tree)}
    made: list[Mutant] = []
    for edit in sorted(_edits(text), key=lambda each: (each.start, each.change)):
        changed = text.with_edit(edit)
        try:
            tree = ast.dump(ast.parse(changed))
        except SyntaxError:
            continue
        if tree not in seen:
            seen.add(tree)
            made.append(Mutant(number=len(made) + 1, change=edit.change, line=text.line_at(edit.start), source=changed))
    return tuple(made)


def diff(source: str, mutant: Mutant, *, name: str = "reference.py") -> str:
    """What is different about a mutant, as a unified diff."""
    lines = difflib.unified_diff(
        source.splitlines(), mutant.source.splitlines(), name, f"{name} ({mutant.change})", n=1, lineterm=""
    )
    return "\n".join(lines)


def _edits(text: Source) -> Iterator[Edit]:
    for scope in _functions(text.tree):
        for statement in _statements(scope):
            yield from _without(text, statement)
        expressions = list(_expressions(scope))
        signed = {id(node.operand) for node in expressions if _is_negative(node)}
        for node in expressions:
            if id(node) not in signed:
                yield from _numbers(text, node)
            for make in (_signs, _operators, _comparisons, _calls, _tuples):
                yield from make(text, node)
        yield from _cut_off(text, scope)
        yield from _names(text, scope)
    yield from _attributes(text)


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Every function that stands in no other function."""

    def within(body: list[ast.stmt]) -> Iterator[ast.FunctionDef]:
        for node in body:
            if isinstance(node, ast.FunctionDef):
                yield node
            elif isinstance(node, ast.ClassDef):
                yield from within(node.body)

    return within(tree.body)


def _statements(scope: ast.FunctionDef) -> Iterator[ast.stmt]:
    """The statements of a function, at any depth, without its docstring."""
    for node in ast.walk(scope):
        if isinstance(node, ast.stmt) and node is not scope and not _is_text(node):
            yield node


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _expressions(scope: ast.FunctionDef) -> Iterator[ast.expr]:
    """The expressions of a function in their surroundings; what is only said (messages, annotations) is left out."""
    waiting: list[ast.AST] = [*scope.args.defaults, *(each for each in scope.args.kw_defaults if each), *scope.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise | ast.JoinedStr) or _is_text(node):
            continue
        if isinstance(node, ast.Assert):
            waiting.append(node.test)
            continue
        if isinstance(node, ast.AnnAssign):
            waiting += [node.value] if node.value else []
            continue
        if isinstance(node, ast.expr):
            yield node
        waiting += ast.iter_child_nodes(node)


# -- statements --------------------------------------------------------------------------------------------------------


def _without(text: Source, statement: ast.stmt) -> Iterator[Edit]:
    if isinstance(statement, ast.Pass | ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return
    yield text.replaced(statement, "pass", "line removed")
    if isinstance(statement, ast.If):
        yield text.replaced(statement.test, "True", "condition always true")
        if statement.orelse:
            yield text.replaced(statement.test, "False", "condition never true")


# -- numbers -----------------------------------------------------------------------------------------------------------


def _numbers(text: Source, node: ast.expr) -> Iterator[Edit]:
    value = _number(node)
    if value is not None:
        for other in (value - 1, value + 1) if isinstance(value, int) else (value + 0.5, -value):
            if other != value:
                yield text.replaced(node, repr(other), f"{value!r} became {other!r}")


def _signs(text: Source, node: ast.expr) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield text.replaced(node, repr(not node.value), f"{node.value} became {not node.value}")
    if _is_negative(node) and _number(node) is None:
        yield text.replaced(node, text.of(node.operand), "sign removed")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield text.replaced(node, text.of(node.operand), "not removed")


def _is_negative(node: ast.expr) -> TypeGuard[ast.UnaryOp]:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def _number(node: ast.expr) -> int | float | None:
    if _is_negative(node):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value  # type: ignore[return-value]  # that is what was asked
    return None


# -- operators ---------------------------------------------------------------------------------------------------------


def _operators(text: Source, node: ast.expr) -> Iterator[Edit]:
    if not isinstance(node, ast.BinOp):
        return
    left, right = text.of(node.left), text.of(node.right)
    for sign in OPERATORS.get(type(node.op), ()):
        yield text.between(node.left, node.right, f" {sign} ", f"operator became {sign}")
    if isinstance(node.op, ORDERED):
        yield text.replaced(
            node, f"{_enclosed(node.right, right)} {_sign(text, node)} {_enclosed(node.left, left)}", "operands swapped"
        )
    if not isinstance(node.op, ast.MatMult):
        yield text.replaced(node, f"({left})", "right operand dropped")


def _sign(text: Source, node: ast.BinOp) -> str:
    return text.gap(node.left, node.right).strip("() \n")


def _enclosed(node: ast.expr, source: str) -> str:
    return f"({source})" if isinstance(node, ast.BinOp | ast.UnaryOp | ast.IfExp) else source


def _comparisons(text: Source, node: ast.expr) -> Iterator[Edit]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for sign in COMPARISONS.get(type(node.ops[0]), ()):
            yield text.between(node.left, node.comparators[0], f" {sign} ", f"comparison became {sign}")
    if isinstance(node, ast.BoolOp):
        other = "or" if isinstance(node.op, ast.And) else "and"
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield text.between(left, right, f" {other} ", f"operator became {other}")


# -- calls -------------------------------------------------------------------------------------------------------------


def _calls(text: Source, node: ast.expr) -> Iterator[Edit]:
    if not isinstance(node, ast.Call):
        return
    name = _last_name(node.func)
    if name != "super":
        yield from _dropped(text, node, name)
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield text.without(keyword, f"{keyword.arg} dropped")
    for first, second in zip(node.args, node.args[1:], strict=False):
        if ast.dump(first) != ast.dump(second):
            swapped = f"{text.of(second)}{text.gap(first, second)}{text.of(first)}"
            yield text.over(first, second, swapped, "arguments swapped")
    if name in DIMENSIONAL:
        for axis in (*node.args, *(keyword.value for keyword in node.keywords if keyword.arg in ("dim", "axis"))):
            value = _number(axis)
            for other in AXES if isinstance(value, int) else ():
                if other != value:
                    yield text.replaced(axis, repr(other), f"axis {value} became {other}")


def _dropped(text: Source, node: ast.Call, name: str) -> Iterator[Edit]:
    """The call replaced by what it is made on, or by its first argument."""
    if isinstance(node.func, ast.Attribute) and _is_value(node.func.value):
        yield text.replaced(node, text.of(node.func.value), f"{name}() dropped")
    elif node.args and not name[:1].isupper() and not isinstance(node.args[0], ast.Starred):
        yield text.replaced(node, f"({text.of(node.args[0])})", f"{name}() dropped")


def _is_value(node: ast.expr) -> bool:
    """Whether what stands before a dot is a value that could stand in the call's place."""
    if isinstance(node, ast.Name):
        return node.id not in MODULES and node.id != "self"
    if isinstance(node, ast.Attribute):
        return _is_value(node.value) or _is_self(node.value)
    return not (isinstance(node, ast.Call) and _last_name(node.func) == "super")


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _last_name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _tuples(text: Source, node: ast.expr) -> Iterator[Edit]:
    if isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
        for first, second in zip(node.elts, node.elts[1:], strict=False):
            if ast.dump(first) != ast.dump(second):
                swapped = f"{text.of(second)}{text.gap(first, second)}{text.of(first)}"
                yield text.over(first, second, swapped, "elements swapped")


def _cut_off(text: Source, scope: ast.FunctionDef) -> Iterator[Edit]:
    """A value through which no gradient flows back."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign | ast.Return) and isinstance(node.value, ast.Call | ast.BinOp):
            yield text.replaced(node.value, f"({text.of(node.value)}).detach()", "gradient cut off")


# -- one thing for another of its kind ---------------------------------------------------------------------------------


def _names(text: Source, scope: ast.FunctionDef) -> Iterator[Edit]:
    """A local name read in the place of another that was made the same way, such as keys for queries."""
    made: dict[str, list[str]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            made.setdefault(_shape(node.value), []).append(node.targets[0].id)
    read = [
        (node, node.id) for node in ast.walk(scope) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    ]
    yield from _exchanged(text, made, read)


def _attributes(text: Source) -> Iterator[Edit]:
    """An attribute of the module read in the place of another that was made the same way."""
    made: dict[str, list[str]] = {}
    for node in ast.walk(text.tree):
        if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Attribute):
            made.setdefault(ast.dump(node.value), []).append(target.attr)
    read = [
        (node, node.attr)
        for node in ast.walk(text.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _is_self(node.value)
    ]
    yield from _exchanged(text, made, read)


def _exchanged(text: Source, made: dict[str, list[str]], read: Sequence[tuple[ast.expr, str]]) -> Iterator[Edit]:
    known = {name for _, name in read}
    for alike in made.values():
        for node, name in read:
            for other in dict.fromkeys(alike) if name in alike else ():
                if other != name and other in known:
                    whole = text.of(node)
                    yield text.replaced(node, whole[: len(whole) - len(name)] + other, f"{name} became {other}")


def _shape(value: ast.expr) -> str:
    """What an expression looks like without the names in it."""
    return " ".join(type(node).__name__ for node in ast.walk(value))
