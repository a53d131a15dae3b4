"""Loads a submission from memory and finds the class to be graded.

Student files are compiled from the bytes the host sent; no directory of theirs is ever on `sys.path`. A submission's
own modules import each other through a finder that comes after all others, so a file called like a library never
replaces it.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any

from grader import wire
from grader.serving import Listing, NotFound
from grader.worker import offline
from grader.worker.damage import damage
from grader.worker.definitions import Definitions, Problem, Unit, definitions, definitions_of, execute

PACKAGE = "submission"


class Bundle:
    """A submission's files in memory.

    Attributes:
        sources: text of each module that could be decoded, by path.
        notebooks: the code cells of each notebook, by path.
    """

    def __init__(self, files: wire.Files) -> None:
        self._files = {path: file.content for path, file in files.items() if file.cells is None}
        self.notebooks = {path: file.cells for path, file in files.items() if file.cells is not None}
        self.sources: dict[str, str] = {}
        for path, content in self._files.items():
            try:
                self.sources[path] = importlib.util.decode_source(content)
            except (SyntaxError, ValueError, LookupError):  # also what no text codec is, or always fails
                continue

    def lines(self) -> dict[str, Listing]:
        """The lines of each module and cell by the name its code has, for showing the one an exception came from."""
        listings = {path: Listing(path, text.split("\n")) for path, text in self.sources.items()}
        return listings | {name: cell for path in self.notebooks for name, cell in self.listings(path)}

    def listings(self, path: str) -> list[tuple[str, Listing]]:
        """The cells of a notebook, in order, with the names their code has."""
        cells = self.notebooks[path]
        return [(cell_name(path, cell.number), Listing(path, cell.source.split("\n"), cell.number)) for cell in cells]

    def definitions(self, path: str) -> Definitions:
        """What a module or notebook defines. Raises `SyntaxError` when a module is no valid Python."""
        if path not in self.notebooks:
            return definitions(self.source(path), path, own_modules=self.modules())
        units = [
            Unit(filename=cell_name(path, cell.number), source=cell.source if cell.python is None else cell.python)
            for cell in self.notebooks[path]
            if cell.python is not None or not cell.source.lstrip().startswith("%%")
        ]
        return definitions_of(units, own_modules=self.modules())

    def reject(self, path: str, target: str) -> None:
        """Raise the `SyntaxError` of the cell that was to define `target`, if there is one."""
        definition = re.compile(rf"^[ \t]*class[ \t]+{re.escape(target)}\b", re.MULTILINE)
        for cell in self.notebooks.get(path, ()):
            if cell.python is None and definition.search(cell.source):
                compile(cell.source, cell_name(path, cell.number), "exec", dont_inherit=True)

    def modules(self) -> frozenset[str]:
        """Every name by which a file of the submission might import another."""
        return frozenset(part for path in self._files for part in PurePosixPath(path).with_suffix("").parts)

    def source(self, path: str) -> str:
        """The text of one file. Raises `SyntaxError` when it is not Python text."""
        known = self.sources.get(path)
        if known is not None:
            return known
        try:
            return importlib.util.decode_source(self._files[path])
        except UnicodeDecodeError as error:
            line = self._files[path].count(b"\n", 0, error.start) + 1
            problem = f"the file is not {error.encoding} text; save it as UTF-8"
            raise SyntaxError(problem, (path, line, None, None)) from None

    def paths(self, module: str, roots: Sequence[str]) -> str | None:
        """The path of the file that `import module` means, looked for below each root."""
        stem = module.replace(".", "/")
        for root in roots:
            for path in (f"{root}{stem}.py", f"{root}{stem}/__init__.py"):
                if path in self._files:
                    return path
        return None

    def has_folder(self, module: str, roots: Sequence[str]) -> bool:
        """Whether `import module` means a folder without a file of its own, a namespace package."""
        folders = tuple(f"{root}{module.replace('.', '/')}/" for root in roots)
        return any(path.startswith(folders) and path.endswith(".py") for path in self._files)


def cell_name(path: str, number: int) -> str:
    """The file name that the code of a cell has in tracebacks."""
    return f"{path}, cell {number}"


class Remains:
    """What a notebook that was run has left behind, as the `Loader` that a `Desk` asks for."""

    def __init__(self, bundle: Bundle, namespace: dict[str, Any]) -> None:
        self._bundle = bundle
        self._namespace = namespace

    def __call__(self, request: wire.Open) -> object:
        """The class. Raises `NotFound`, with the reason, when it is not there or could not work as it was meant to."""
        reason = damage(self._namespace, self._bundle.definitions(request.file), request.target)
        if reason:
            raise NotFound(reason)
        for name, value in _imported(request.supply).items():
            self._namespace.setdefault(name, value)
        return self._namespace[request.target]


class Submission:
    """Loads one submission; an instance is the `Loader` that a `Desk` asks for."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __call__(self, request: wire.Open) -> object:
        """Run the file (or only its definitions) and return the class. Raises what the student's code raises."""
        path = PurePosixPath(request.file)
        find_own_modules(self._bundle, request.file, definitions_only=request.definitions_only)
        sys.argv = [request.file]
        module = ModuleType(path.stem)
        module.__file__ = request.file
        module.__package__ = PACKAGE  # so that `from .helper import x` finds the file beside it
        sys.modules.setdefault(path.stem, module)
        module.__dict__.update(_imported(request.supply))
        problems = _run(module, self._bundle, request.file, request.definitions_only)
        if request.target not in module.__dict__:
            self._bundle.reject(request.file, request.target)
        return _find(module, request.target, problems)


def find_own_modules(bundle: Bundle, file: str, *, definitions_only: bool) -> None:
    """Let `file` import the other modules of its submission: those beside it, and those at the top."""
    folder = "".join(f"{part}/" for part in PurePosixPath(file).parts[:-1])
    own = _Finder(bundle, tuple(dict.fromkeys((folder, ""))), definitions_only=definitions_only)
    sys.meta_path += [own, offline.Absent()]
    sys.modules[PACKAGE] = package = ModuleType(PACKAGE)
    package.__path__ = []


def _imported(statements: Iterable[str]) -> dict[str, Any]:
    """What import statements bind."""
    bound: dict[str, Any] = {}
    for statement in statements:
        exec(statement, bound)
    bound.pop("__builtins__", None)
    return bound


class _Finder(MetaPathFinder, Loader):
    """Imports a submission's own modules from memory."""

    def __init__(self, bundle: Bundle, roots: Sequence[str], *, definitions_only: bool) -> None:
        self._bundle = bundle
        self._roots = roots
        self._definitions_only = definitions_only

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        name = fullname.removeprefix(f"{PACKAGE}.")
        found = self._bundle.paths(name, self._roots)
        if found is None:
            if not self._bundle.has_folder(name, self._roots):
                return None
            return ModuleSpec(fullname, None, is_package=True)
        return ModuleSpec(fullname, self, origin=found, is_package=found.endswith("__init__.py"))

    def exec_module(self, module: ModuleType) -> None:
        origin = module.__spec__.origin if module.__spec__ else None
        assert origin is not None
        module.__file__ = origin
        _run(module, self._bundle, origin, self._definitions_only)


def _run(module: ModuleType, bundle: Bundle, path: str, definitions_only: bool) -> tuple[str, ...]:
    """Execute a file in a module's namespace; returns what could not be executed of its definitions."""
    if not definitions_only:
        exec(compile(bundle.source(path), path, "exec", dont_inherit=True), module.__dict__)
        return ()
    found = bundle.definitions(path)
    problems = execute(found, module.__dict__, persistent=path in bundle.notebooks)
    return tuple(f"{_place(problem, path)}: {problem.type}: {problem.text}" for problem in problems)


def _place(problem: Problem, path: str) -> str:
    """`line 3`, or in a notebook `cell 2, line 3`."""
    cell = problem.filename.removeprefix(path).removeprefix(", ")
    return f"{cell}, line {problem.line}" if cell else f"line {problem.line}"


def _find(module: ModuleType, name: str, problems: tuple[str, ...]) -> object:
    found = getattr(module, name, None)
    if isinstance(found, type):
        return found
    if found is not None:
        raise NotFound(f"{name} is not a class when the file has run, but a value of type {type(found).__name__}")
    raise NotFound("; ".join((f"{name} is not defined when the file has run", *problems)))
