"""What looks as if it hid a call: names that are computed, code that is made from texts.

None of this proves anything, and some of it is good style elsewhere. It is told to the instructor and costs nothing.
What honest code does is left out: `getattr(self, f"head_{i}")` takes something of the student's own, and
`getattr(F, activation)` with a name that was handed in as an argument calls what the caller says.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final, NamedTuple

from grader.forbidden import is_form_of
from grader.policy.meaning import ByName, Scope, Visit
from grader.policy.program import Program
from grader.policy.trees import Spot, chain

_RUNS_TEXT: Final = frozenset(
    (
        *("builtins.eval", "builtins.exec", "builtins.compile", "builtins.__builtins__", "builtins.__dict__"),
        *("pickle.loads", "pickle.load", "pickle.Unpickler", "marshal.loads", "marshal.load", "runpy.run_path"),
        *("types.FunctionType", "types.CodeType", "torch.jit.CompilationUnit", "torch._C.CompilationUnit"),
        *("torch.ops.load_library", "torch.classes.load_library", "gc.get_objects", "gc.get_referents"),
        *("cloudpickle.loads", "dill.loads", "runpy.run_module", "codeop.compile_command"),
    )
)
"""Functions that turn data into something that can be called."""

_RUNS_ALL: Final = ("ctypes.", "cffi.", "torch.utils.cpp_extension.", "importlib.util.", "importlib.machinery.")
"""Modules that are for nothing else."""

_DECODES: Final = frozenset(
    (
        *("base64.b64decode", "base64.b32decode", "base64.b16decode", "base64.b85decode", "base64.decodebytes"),
        *("codecs.decode", "binascii.unhexlify", "binascii.a2b_hex", "binascii.a2b_base64", "zlib.decompress"),
    )
)
_PLAIN_METHODS: Final = frozenset({"lower", "upper", "strip", "capitalize", "title", "removeprefix", "removesuffix"})
_DEEPEST: Final = 4


class Suspicion(NamedTuple):
    """A line, and what it does there, as a part of a sentence that begins with "it"."""

    file: str
    line: int
    function: str
    does: str


def suspicions(program: Program, visits: Iterable[Visit], forbid: tuple[str, ...]) -> Iterator[Suspicion]:
    """Yield what looks like hiding in the expressions that the graded class reaches."""
    search = _Search(program, forbid)
    decoders: list[Suspicion] = []
    computes = False
    for visit in visits:
        taken = program.by_name(visit.scope, visit.spot.node)
        where = (visit.scope.file, visit.spot.node.lineno, visit.spot.function)
        does = search.does(visit, taken)
        if does is not None:
            yield Suspicion(*where, does)
        computes = computes or (taken is not None and taken.text is None)
        for decoder in sorted(one for one in visit.meanings if isinstance(one, str) and one in _DECODES):
            does = f"decodes a text with {decoder} and takes something by a computed name"
            decoders.append(Suspicion(*where, does))
    if computes:
        yield from decoders


class _Search:
    """Judges one expression after the other."""

    def __init__(self, program: Program, forbid: tuple[str, ...]) -> None:
        self._program = program
        self._forbid = forbid

    def does(self, visit: Visit, taken: ByName | None) -> str | None:
        """What an expression does that hides something, in words; None for all others."""
        for one in sorted(one for one in visit.meanings if isinstance(one, str)):
            if one in _RUNS_TEXT or one.startswith(_RUNS_ALL):
                return f"uses {one.removeprefix('builtins.')}"
        if taken is not None and taken.text is None:
            return self._by_computed_name(visit.scope, visit.spot, taken)
        unknown = None if visit.meanings else self._by_forbidden_name(visit.spot, taken)
        return unknown or self._passed_on(visit.scope, visit.spot)

    def _by_computed_name(self, scope: Scope, spot: Spot, taken: ByName) -> str | None:
        if taken.how == "module":
            return "imports a module by a computed name"
        library = sorted(one for one in taken.base if isinstance(one, str) and self._is_of_library(one))
        if taken.how == "global" and not self._is_given(scope, spot, taken.name):
            return "takes a global variable by a computed name"
        if not library or (self._is_given(scope, spot, taken.name) and not self._names_it):
            return None
        return f"takes something of {library[0]} by a computed name"

    def _is_of_library(self, dotted: str) -> bool:
        packages = {name.partition(".")[0] for name in self._forbid}
        return dotted.partition(".")[0] in packages

    def _is_given(self, scope: Scope, spot: Spot, name: ast.expr, depth: int = 0) -> bool:
        """Whether a name was handed in: it is a parameter, or what one was kept as."""
        match name:
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in _PLAIN_METHODS:
                return self._is_given(scope, spot, value, depth)
            case ast.IfExp(body=one, orelse=other):
                return self._is_given(scope, spot, one, depth) and self._is_given(scope, spot, other, depth)
            case ast.Constant():
                return True
            case ast.Name(id=id_) if id_ in spot.parameters and id_ not in scope.once:
                return True
            case ast.Attribute() | ast.Name():
                values = self._program.texts.values_of(scope, name)
                if isinstance(name, ast.Attribute):  # kept by another method, whose parameters are not known here
                    return bool(values) and all(isinstance(one, ast.Name | ast.Constant) for _, one in values)
                return depth < _DEEPEST and any(self._is_given(at, spot, one, depth + 1) for at, one in values)
        return False

    def _by_forbidden_name(self, spot: Spot, taken: ByName | None) -> str | None:
        """Something unknown is asked for what has the name of a forbidden function, and nothing here is called so."""
        names = [taken.text.rpartition(".")[2]] if taken and taken.text else chain(spot.node)[1]
        for name in names:
            if name not in self._defined and any(is_form_of(name, one) for one in self._forbid):
                return f"takes {name} of something that is not known"
        return None

    def _passed_on(self, scope: Scope, spot: Spot) -> str | None:
        """`getattr` is handed to another function together with a part of the library."""
        match spot.node:
            case ast.Call(args=args) if len(args) > 1:
                found = [self._program.meanings(scope, arg) for arg in args[:8]]
                library = any(isinstance(one, str) and self._is_of_library(one) for each in found for one in each)
                if library and any("builtins.getattr" in each for each in found):
                    return "hands getattr to another function, with a part of a library"
        return None

    @cached_property
    def _defined(self) -> frozenset[str]:
        """What the student's files call anything themselves: definitions, parameters, variables and attributes."""
        found: set[str] = set()
        for tree in self._program.trees.values():
            for node in ast.walk(tree):
                match node:
                    case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                        found.add(name)
                    case ast.Attribute(attr=name, ctx=ast.Store()) | ast.Name(id=name, ctx=ast.Store()):
                        found.add(name)
                    case ast.arg(arg=name):
                        found.add(name)
        return frozenset(found)

    @cached_property
    def _names_it(self) -> bool:
        """Whether a text in the files is the name of a forbidden function, so that it may be what was handed in."""
        for path, tree in self._program.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant | ast.BinOp | ast.JoinedStr):
                    text = self._program.texts.text(Scope(path), node)
                    last = (text or "").rpartition(".")[2]
                    if last and any(is_form_of(last, name) for name in self._forbid):
                        return True
        return False
