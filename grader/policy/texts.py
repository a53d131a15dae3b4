"""The texts that expressions come to, across a submission's files."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from grader.policy.folding import Unknown, fold
from grader.policy.meaning import Own, Scope
from grader.policy.trees import Binding, Imported

_MOST_STEPS: Final = 100_000
_MOST_ALIASES: Final = 8

Value = tuple[Scope, ast.expr]
"""An expression, and where the names in it are looked up."""


class Texts:
    """Works out texts that are made of constants, each once, and not for ever.

    Attributes:
        members: what is assigned to attributes of any object, by their names.
    """

    def __init__(
        self, bindings: Mapping[str, Mapping[str, Sequence[Binding]]], module: Callable[[str, str, int], str | None]
    ) -> None:
        """Know what binds the top-level names of each file, and which file an import means in another."""
        self._bindings = bindings
        self._module = module
        self._known: dict[int, Any] = {}
        self._steps = 0
        self.members: dict[str, list[Value]] = defaultdict(list)

    def text(self, scope: Scope, node: ast.expr) -> str | None:
        """The text an expression comes to, when it is made of constants; the parts of a path are joined with dots."""
        try:
            value = fold(node, _Constants(self, scope))
        except Unknown:
            return None
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return ".".join(value)
        return value if isinstance(value, str) else None

    def values_of(self, scope: Scope, node: ast.expr) -> list[Value]:
        """What a name or an attribute is given as its only value, or as its values; empty when that is not known."""
        match node:
            case ast.Attribute(attr=attribute):
                return self.members.get(attribute, [])
            case ast.Name(id=name) if name in scope.once:
                return [(scope, scope.once[name])]
            case ast.Name(id=name) if name not in scope.hidden:
                return self._value_of(Own(scope.file, name))
        return []

    def _value_of(self, own: Own) -> list[Value]:
        for _ in range(_MOST_ALIASES):
            match self._bindings.get(own.file, {}).get(own.name, []):
                case [ast.Assign(targets=[ast.Name()], value=value)]:
                    return [(Scope(own.file), value)]
                case [Imported(module=module, level=level, name=str(name))]:
                    own = Own(self._module(own.file, module, level) or "", name)
                case _:
                    return []
        return []

    def constant(self, scope: Scope, node: ast.expr, depth: int) -> Any:
        """The constant that a name or an attribute stands for, worked out once. Raises `Unknown`."""
        values = self.values_of(scope, node)
        if len(values) != 1:
            raise Unknown
        where, value = values[0]
        if id(value) not in self._known:
            self._known[id(value)] = Unknown  # for names that stand for each other in a circle
            self._known[id(value)] = fold(value, _Constants(self, where), depth)
        if self._known[id(value)] is Unknown:
            raise Unknown
        return self._known[id(value)]

    def spend(self) -> None:
        """Count a step of working out a text. Raises `Unknown` when there were too many."""
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise Unknown


class _Constants(NamedTuple):
    """The names of a scope, as folding asks for them."""

    texts: Texts
    scope: Scope

    def constant(self, node: ast.Name | ast.Attribute, depth: int) -> Any:
        return self.texts.constant(self.scope, node, depth)

    def spend(self) -> None:
        self.texts.spend()
