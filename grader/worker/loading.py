"""Loads a submission from memory and finds the class to be graded.

Student files are compiled from the bytes the host sent; no directory of theirs is ever on `sys.path`. A submission's
own modules import each other through a finder that comes after all others, so a file called like a library never
replaces it.
"""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import PurePosixPath
from types import ModuleType

from grader import wire
from grader.serving import Listing, NotFound
from grader.worker.definitions import definitions, execute

OUTPUT_CAP = 8000
PACKAGE = "submission"


class Bundle:
    """A submission's files in memory.

    Attributes:
        sources: text of each file that could be decoded, by path.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files
        self.sources: dict[str, str] = {}
        for path, content in files.items():
            try:
                self.sources[path] = importlib.util.decode_source(content)
            except (SyntaxError, ValueError, LookupError):  # also what no text codec is, or always fails
                continue

    def lines(self) -> dict[str, Listing]:
        """Each file's lines, for showing the one an exception came from."""
        return {path: Listing(path, text.split("\n")) for path, text in self.sources.items()}

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


class Submission:
    """Loads one submission; an instance is the `Loader` that a `Desk` asks for."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    def __call__(self, request: wire.Open) -> object:
        """Run the file (or only its definitions) and return the class. Raises what the student's code raises."""
        path = PurePosixPath(request.file)
        folder = "" if str(path.parent) == "." else f"{path.parent}/"
        roots = (folder,) if not folder else (folder, "")
        sys.meta_path.append(_Finder(self._bundle, roots, definitions_only=request.definitions_only))
        sys.argv = [request.file]
        module = ModuleType(path.stem)
        module.__file__ = request.file
        module.__package__ = PACKAGE  # so that `from .helper import x` finds the file beside it
        sys.modules[PACKAGE] = package = ModuleType(PACKAGE)
        package.__path__ = []
        sys.modules.setdefault(path.stem, module)
        problems = _run(module, self._bundle, request.file, request.definitions_only)
        return _find(module, request.target, problems)


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
    source = bundle.source(path)
    if not definitions_only:
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
        return ()
    problems = execute(definitions(source, path, own_modules=bundle.modules()), module.__dict__)
    return tuple(f"line {problem.line}: {problem.type}: {problem.text}" for problem in problems)


def _find(module: ModuleType, name: str, problems: tuple[str, ...]) -> object:
    found = getattr(module, name, None)
    if isinstance(found, type):
        return found
    if found is not None:
        raise NotFound(f"{name} is not a class when the file has run, but a value of type {type(found).__name__}")
    raise NotFound("; ".join((f"{name} is not defined when the file has run", *problems)))


class BoundedText(io.TextIOBase):
    """A text stream that keeps the first characters written to it and drops the rest, however much it is."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._room = OUTPUT_CAP

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str) -> int:
        """Keep what there is room for; says that all of it was written."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._room > 0:
            self._kept.append(text[: self._room])
            self._room -= len(self._kept[-1])
        return len(text)

    def text(self) -> str:
        """What was kept."""
        return "".join(self._kept).encode("utf-8", "replace").decode()
