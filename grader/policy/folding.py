"""The text that an expression of constants comes to: `"scaled_" + "dot"`, `"tod"[::-1]`, `"".join(["a", "b"])`.

Only what has one meaning whatever runs before it, and only in small: everything else is `Unknown`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

LONGEST: Final = 300
"""Characters of a text, and items of a list, that are still worked out."""
DEEPEST: Final = 40

_METHODS: Final = frozenset(
    (
        *("join", "split", "replace", "format", "encode", "decode", "strip", "lstrip", "rstrip", "removeprefix"),
        *("removesuffix", "lower", "upper", "casefold", "capitalize", "title", "swapcase"),
    )
)
_PLAIN_FIELDS: Final = re.compile(r"[^{}]*(\{\d?\}[^{}]*)*")
_CODECS: Final = frozenset({"utf-8", "utf8", "ascii", "latin-1"})


class Unknown(Exception):
    """What an expression comes to is not known, or too large."""


class Names(Protocol):
    """Knows what names stand for, and how much may be spent on finding out."""

    def constant(self, node: ast.Name | ast.Attribute, depth: int) -> Any:
        """The constant that a name or an attribute stands for. Raises `Unknown`."""

    def spend(self) -> None:
        """One more step is taken. Raises `Unknown` when it is one too many."""


@dataclass(frozen=True, slots=True)
class _With:
    """Names, one of which stands for the item of a comprehension."""

    names: Names
    name: str
    value: Any

    def constant(self, node: ast.Name | ast.Attribute, depth: int) -> Any:
        same = isinstance(node, ast.Name) and node.id == self.name
        return self.value if same else self.names.constant(node, depth)

    def spend(self) -> None:
        self.names.spend()


def fold(node: ast.expr, named: Names, depth: int = 0) -> Any:
    """The constant an expression comes to: text, bytes, a whole number, or a list of these. Raises `Unknown`."""
    named.spend()
    if depth > DEEPEST:
        raise Unknown
    value = _fold(node, named, depth + 1)
    if isinstance(value, str | bytes | list) and len(value) > LONGEST:
        raise Unknown
    return value


def _fold(node: ast.expr, named: Names, depth: int) -> Any:
    match node:
        case ast.Constant(value=str() | bytes() | int() as value):
            return value
        case ast.Name() | ast.Attribute():
            return named.constant(node, depth)
        case ast.JoinedStr(values=values):
            return "".join(str(fold(value, named, depth)) for value in values)
        case ast.FormattedValue(value=value, conversion=-1 | 115, format_spec=None):
            return str(fold(value, named, depth))
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [fold(item, named, depth) for item in items]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(fold(operand, named, depth))
        case ast.BinOp(left=left, op=op, right=right):
            return _combined(fold(left, named, depth), op, fold(right, named, depth))
        case ast.Subscript(value=value, slice=ast.Slice() as cut):
            bounds = [None if each is None else _number(fold(each, named, depth)) for each in _parts(cut)]
            return _part(fold(value, named, depth), slice(*bounds))
        case ast.Subscript(value=value, slice=index):
            return _part(fold(value, named, depth), _number(fold(index, named, depth)))
        case ast.ListComp(elt=item, generators=[loop]) | ast.GeneratorExp(elt=item, generators=[loop]):
            return _listed(item, loop, named, depth)
        case ast.Call(func=function, args=args, keywords=[]):
            return _called(function, args, named, depth)
    raise Unknown


def _called(function: ast.expr, args: list[ast.expr], named: Names, depth: int) -> Any:
    match function, args:
        case ast.Name(id="map"), [ast.Name() as each, items]:
            values = fold(items, named, depth)
            return [_called(each, [_constant(value)], named, depth + 1) for value in values]
        case ast.Name(id=name), _:
            return _builtin(name, [fold(arg, named, depth) for arg in args])
        case ast.Attribute(value=ast.Name(id="bytes"), attr="fromhex"), [text]:
            return _tried(bytes.fromhex, fold(text, named, depth))
        case ast.Attribute(value=value, attr=method), _ if method in _METHODS:
            return _method(fold(value, named, depth), method, [fold(arg, named, depth) for arg in args])
    raise Unknown


def _builtin(name: str, args: list[Any]) -> Any:
    match name, args:
        case "chr", [int(code)]:
            return _tried(chr, code)
        case "str", [str() | int() as value]:
            return str(value)
        case "bytes", [list(numbers)]:
            return _tried(bytes, numbers)
        case (("list" | "tuple"), [str() | list() as items]):
            return list(items)
        case "reversed", [str() | list() as items]:
            return list(items)[::-1]
    raise Unknown


def _method(value: Any, method: str, args: list[Any]) -> Any:
    if not isinstance(value, str | bytes) or (method == "format" and not _PLAIN_FIELDS.fullmatch(str(value))):
        raise Unknown
    if not all(isinstance(arg, str | bytes | int) or (method == "join" and isinstance(arg, list)) for arg in args):
        raise Unknown
    if method in ("encode", "decode") and not all(str(arg).lower() in _CODECS for arg in args):
        raise Unknown
    return _tried(getattr(value, method), *args)


def _combined(left: Any, op: ast.operator, right: Any) -> Any:
    match left, op, right:
        case (str(), ast.Add(), str()) | (bytes(), ast.Add(), bytes()) | (list(), ast.Add(), list()):
            return left + right
        case int(), (ast.Add() | ast.Sub()), int() if max(abs(left), abs(right)) < 1 << 32:
            return left + right if isinstance(op, ast.Add) else left - right
        case ((str() | list()), ast.Mult(), int()) if abs(right) <= LONGEST:
            return left * right
        case str(), ast.Mod(), _ if "%" not in left.replace("%s", ""):
            values = right if isinstance(right, list) else [right]
            if all(isinstance(value, str | int) for value in values):
                return _tried(left.__mod__, tuple(values))
    raise Unknown


def _listed(item: ast.expr, loop: ast.comprehension, named: Names, depth: int) -> list[Any]:
    """A comprehension without conditions over a list of constants."""
    if loop.ifs or loop.is_async or not isinstance(loop.target, ast.Name):
        raise Unknown
    name = loop.target.id
    items = fold(loop.iter, named, depth)
    if not isinstance(items, str | list | bytes):
        raise Unknown
    return [fold(item, _With(named, name, value), depth) for value in items]


def _parts(cut: ast.Slice) -> tuple[ast.expr | None, ast.expr | None, ast.expr | None]:
    return cut.lower, cut.upper, cut.step


def _part(value: Any, index: int | slice) -> Any:
    if not isinstance(value, str | bytes | list):
        raise Unknown
    return _tried(value.__getitem__, index)


def _constant(value: Any) -> ast.expr:
    if not isinstance(value, str | bytes | int):
        raise Unknown
    return ast.Constant(value)


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise Unknown
    return value


def _tried(function: Callable[..., Any], *args: Any) -> Any:
    try:
        return function(*args)
    except Exception:
        raise Unknown from None
