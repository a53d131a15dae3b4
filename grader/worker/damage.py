"""Whether the class to be graded can be graded from the namespace that a notebook's cells left behind.

Theory of operation. When all cells have run, the class may be there and still be useless: a demonstration named a
tensor `list`, a helper was replaced by its own instance, the cell with an import failed. What the class looks up when
its methods are called is read from the bytecode of its definition, and on through the notebook's own functions and
classes. Each of those names must still hold the kind of thing that its definition gives. What cannot be told counts as
healthy, since the other way is a second execution. A student's values are told by their type alone, and looked for
without comparing keys that are not plain text: nothing they define runs.
"""

from __future__ import annotations

import builtins
import functools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType

from grader.worker.definitions import Definitions, Piece
from grader.worker.lookups import lookups
from grader.worker.statements import Binding, Kind

_MAKERS = (FunctionType, BuiltinFunctionType, MethodType, functools.partial)
_BUILTINS = frozenset(dir(builtins))
_LONGEST_NAME = 80
_UNKNOWN = object()


def damage(namespace: Mapping[str, object], definitions: Definitions, target: str) -> str:
    """Why `target` cannot be graded from a namespace in which all cells have run: one sentence, or "" when it can.

    `definitions` are those of the same cells, under the file names that the cells were compiled with.
    """
    held = _named(namespace)
    notebook = _Notebook.of(definitions)
    if target not in held:
        return _missing(target, notebook) or f"{target} is not defined when all cells have run"
    found = held[target]
    if not _is_a(found, type):
        return f"{target} is {_words(found)} when all cells have run, not a class"
    earlier = _outdated(found, notebook, target)
    if earlier:
        return earlier
    uses = _reached(notebook, {target, _type_name(found)})  # it may have been made under another name
    return next(filter(None, (_trouble(name, uses, held, notebook) for name in uses.late)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notebook:
    """The pieces that bind each name, in order, and the names that something else may give a value."""

    binding: Mapping[str, tuple[tuple[Piece, Binding], ...]]
    assigned: frozenset[str]

    @classmethod
    def of(cls, definitions: Definitions) -> _Notebook:
        binding: dict[str, tuple[tuple[Piece, Binding], ...]] = {}
        for piece in definitions.code:
            for bound in piece.bindings:
                binding[bound.name] = (*binding.get(bound.name, ()), (piece, bound))
        return cls(binding=binding, assigned=definitions.assigned)

    def pieces(self, name: str) -> Iterator[Piece]:
        """Those that may have given the name its value: the last, and earlier ones if that builds on them."""
        for piece, bound in reversed(self.binding.get(name, ())):
            yield piece
            if bound.certain and name not in lookups(piece.code).early:
                return


# -- the class itself --------------------------------------------------------------------------------------------------


def _outdated(found: object, notebook: _Notebook, target: str) -> str:
    """Whether the methods of a class stand in an earlier definition of its name, and none in the last one."""
    classes = [piece for piece, bound in notebook.binding.get(target, ()) if bound.kind is Kind.CLASS]
    if len(classes) < 2 or target in notebook.assigned or not _has_methods(classes[-1], target):
        return ""
    attributes: Mapping[str, object] = type.__dict__["__dict__"].__get__(found)
    codes = [value.__code__ for value in attributes.values() if type(value) is FunctionType]
    if any(_stands_in(code, classes[-1]) for code in codes):
        return ""
    for piece in reversed(classes[:-1]):
        if any(_stands_in(code, piece) for code in codes):
            return (
                f"{target} is still the one that {piece.filename} defines, not the last one, in {classes[-1].filename}"
            )
    return ""


def _has_methods(piece: Piece, name: str) -> bool:
    bodies = [code for code in piece.code.co_consts if isinstance(code, CodeType) and code.co_name == name]
    return any(isinstance(constant, CodeType) for body in bodies for constant in body.co_consts)


def _stands_in(code: CodeType, piece: Piece) -> bool:
    filename = code.co_filename
    return type(filename) is str and filename == piece.filename and piece.line <= code.co_firstlineno <= piece.end


# -- what it needs -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Uses:
    """The names that are looked up when something is called, in the order of discovery, and how."""

    late: dict[str, None] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)


def _reached(notebook: _Notebook, seen: set[str]) -> _Uses:
    uses = _Uses()
    waiting = sorted(seen)
    while waiting:
        for piece in notebook.pieces(waiting.pop()):
            found = lookups(piece.code)
            uses.late.update(dict.fromkeys(sorted(found.late)))
            uses.called.update(found.called)
            uses.whole.update(found.whole)
            fresh = (found.early | found.late) - seen
            waiting += sorted(fresh)
            seen |= fresh
    return uses


def _trouble(name: str, uses: _Uses, held: Mapping[str, object], notebook: _Notebook) -> str:
    if name not in held:
        return _missing(name, notebook)
    value = held[name]
    providers = notebook.binding.get(name, ())
    if not providers:
        spoiled = name in _BUILTINS and name in uses.called and not callable(value)
        return f"{name} is {_words(value)} when all cells have run, not Python's own {name}" if spoiled else ""
    if any(_fits(value, bound, uses, assigned=name in notebook.assigned) for _, bound in providers):
        return ""
    piece, bound = providers[-1]
    verb = "imports" if bound.kind is Kind.IMPORT else "defines"
    return f"{name} is {_words(value)} when all cells have run, not what {piece.filename} {verb}"


def _missing(name: str, notebook: _Notebook) -> str:
    for piece, bound in reversed(notebook.binding.get(name, ())):
        if bound.certain:
            verb = {Kind.IMPORT: "imports", Kind.VALUE: "sets"}.get(bound.kind, "defines")
            return f"{name} is missing when all cells have run, although {piece.filename} {verb} it"
    return ""


def _fits(value: object, bound: Binding, uses: _Uses, *, assigned: bool) -> bool:
    """Whether a name may hold `value`, given one of the statements that bind it; when in doubt it may."""
    if bound.kind is Kind.VALUE or (not assigned and (bound.decorated or bound.kind is Kind.IMPORT)):
        return True
    if bound.kind is Kind.CLASS:
        return bound.name not in uses.whole or _is_a(value, type, *_MAKERS)
    if bound.kind is Kind.FUNCTION:
        return callable(value)
    given = _given(bound)
    if value is given:
        return True
    if _is_a(given, ModuleType):
        return _is_a(value, ModuleType, type, *_MAKERS)
    if _is_a(given, type):
        return _is_a(value, type, *_MAKERS)
    return callable(value) or not (callable(given) or bound.name in uses.called)


def _given(bound: Binding) -> object:
    """What an import gives, as far as that is known without importing anything."""
    modules = _named(sys.modules)
    module = modules.get(bound.module, _UNKNOWN)
    if not bound.attribute:
        return module
    given = modules.get(f"{bound.module}.{bound.attribute}", _UNKNOWN)
    if _is_a(module, ModuleType):
        given = _named(vars(ModuleType)["__dict__"].__get__(module)).get(bound.attribute, given)
    return given


# -- values that must not be trusted -----------------------------------------------------------------------------------


def _is_a(value: object, *kinds: type) -> bool:
    """What `isinstance` says, without asking the value for its `__class__`."""
    return any(type.__subclasscheck__(kind, type(value)) for kind in kinds)


def _named(values: Mapping[str, object]) -> dict[str, object]:
    """The entries of a namespace whose key is plain text: any other could define how it is compared."""
    return {name: value for name, value in values.items() if type(name) is str}


def _type_name(kind: object) -> str:
    """A type's name as plain text, without asking its metaclass."""
    return str.__str__(type.__dict__["__name__"].__get__(kind))


def _words(value: object) -> str:
    if value is None:
        return "None"
    for kind, words in ((type, "a class"), (ModuleType, "a module"), (FunctionType, "a function")):
        if _is_a(value, kind):
            return words
    name = _type_name(type(value))
    known = name.isidentifier() and len(name) <= _LONGEST_NAME
    return f"a value of type {name}" if known else "a value of another type"
