"""The definitions of a file without the rest of it, for files whose top-level code trains, plots, raises or never ends.

Theory of operation. A file, or each cell of a notebook, is cut into its top-level statements. Kept are imports,
functions and classes, and of the assignments those that give a plain name to a harmless value which something kept
looks up when it runs. What is harmless and what is looked up is decided over all cells together. Every piece is
compiled and run on its own, so that one that fails costs only itself.

Standard library only: this runs in the worker.
"""

from __future__ import annotations
import __future__

import ast
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import CodeType, TracebackType
from typing import Any

from grader.worker.harmless import Harmless
from grader.worker.lookups import lookups
from grader.worker.statements import Binding, assigned, bindings, defines, first_line, is_docstring

_LONGEST_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Unit:
    """Code that is executed in one go, as a cell of a notebook is: the name it is compiled under, and its text."""

    filename: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a file or cell."""

    filename: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A piece that did not compile or run: its file or cell, the line, the exception's type and what it says."""

    filename: str
    line: int
    type: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One top-level statement, compiled.

    Attributes:
        filename: the name it was compiled under.
        line: where it begins.
        end: its last line.
        code: runs the statement.
        bindings: the names it gives a value.
    """

    filename: str
    line: int
    end: int
    code: CodeType
    bindings: tuple[Binding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What is kept of a file, or of a notebook's cells.

    Attributes:
        filenames: the names the code was compiled under, in order.
        code: the pieces, in the order of the source.
        skipped: where the statements begin that are left out; docstrings do not count.
        problems: cells that cannot be parsed, and definitions that only Python's compiler refuses.
        assigned: names that a statement gives a value, kept or not, other than by defining or importing it.
    """

    filenames: tuple[str, ...]
    code: tuple[Piece, ...]
    skipped: tuple[Place, ...]
    problems: tuple[Problem, ...] = ()
    assigned: frozenset[str] = frozenset()


def definitions(source: str, filename: str, *, own_modules: frozenset[str] = frozenset()) -> Definitions:
    """Take the definitions out of `source`. Constants never call what is imported from `own_modules`, the student's.

    Raises:
        SyntaxError: the file cannot be parsed, for whatever reason.
    """
    return _kept([(filename, _parse(source, filename))], own_modules)


def definitions_of(units: Iterable[Unit], *, own_modules: frozenset[str] = frozenset()) -> Definitions:
    """Take the definitions out of a notebook's cells. A cell that cannot be parsed costs only itself: a problem."""
    units = tuple(units)
    parsed: list[tuple[str, ast.Module]] = []
    problems: list[Problem] = []
    for unit in units:
        try:
            parsed.append((unit.filename, _parse(unit.source, unit.filename)))
        except SyntaxError as error:
            problems.append(_problem(error, unit.filename, 1))
    kept = _kept(parsed, own_modules)
    filenames = tuple(unit.filename for unit in units)
    return replace(kept, filenames=filenames, problems=_in_order((*kept.problems, *problems), filenames))


def execute(definitions: Definitions, namespace: dict[str, Any], *, persistent: bool = False) -> tuple[Problem, ...]:
    """Run the pieces one by one in `namespace`, and return what went wrong. A piece that raises costs only itself.

    With `persistent`, pieces that failed are tried again as long as that helps any of them: the cell with the imports
    may stand below the class. The last definition of a name wins however late an earlier one succeeds.

    Raises:
        BaseException: whatever is neither an `Exception` nor `SystemExit`, such as an interrupt by the budget.
    """
    owners: dict[str, int] = {}
    failed: dict[int, Problem] = {}
    pending = dict(enumerate(definitions.code))
    while pending:
        failed = _attempt(pending, namespace, owners)
        if not persistent or len(failed) == len(pending):
            break
        pending = {index: pending[index] for index in failed}
    return _in_order((*definitions.problems, *failed.values()), definitions.filenames)


def _attempt(pieces: dict[int, Piece], namespace: dict[str, Any], owners: dict[str, int]) -> dict[int, Problem]:
    """Run pieces, by their index, and return the problems. `owners` are the pieces that last defined each name."""
    problems: dict[int, Problem] = {}
    for index, piece in pieces.items():
        later = {name: namespace[name] for name, owner in owners.items() if owner > index and name in namespace}
        try:
            exec(piece.code, namespace)
        except (Exception, SystemExit) as error:
            problems[index] = _problem(error, piece.filename, piece.line)
        else:
            owners.update({bound.name: max(index, owners.get(bound.name, index)) for bound in piece.bindings})
        finally:
            namespace.update(later)
    return problems


# -- reading -----------------------------------------------------------------------------------------------------------


def _parse(source: str, filename: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source, filename)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error) or "too deeply nested", (filename, 1, 0, None)) from None


def _kept(parsed: Sequence[tuple[str, ast.Module]], own_modules: frozenset[str]) -> Definitions:
    statements = [(filename, statement) for filename, tree in parsed for statement in tree.body]
    harmless = Harmless((statement for _, statement in statements), own_modules)
    rebound = assigned(statement for _, statement in statements)
    pieces: dict[int, Piece] = {}
    problems: list[Problem] = []
    flags = 0
    for index, (filename, statement) in enumerate(statements):
        flags |= _future_flags(statement)  # holds for the cells below, too
        harmless.trim(statement)
        if not harmless.keeps(statement):
            continue
        try:
            pieces[index] = _piece(statement, filename, flags)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            problems.append(_problem(error, filename, first_line(statement)))
    used = _needed(pieces, {index for index in pieces if not defines(statements[index][1])})
    skipped = [
        Place(filename=filename, line=first_line(statement))
        for index, (filename, statement) in enumerate(statements)
        if index not in used and not is_docstring(statement)
    ]
    return Definitions(
        filenames=tuple(filename for filename, _ in parsed),
        code=tuple(pieces[index] for index in sorted(used)),
        skipped=tuple(skipped),
        problems=tuple(problems),
        assigned=rebound,
    )


def _piece(statement: ast.stmt, filename: str, flags: int) -> Piece:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = ast.Module(body=[statement], type_ignores=[])
        code: CodeType = compile(module, filename, "exec", flags=flags, dont_inherit=True)
    line = first_line(statement)
    end = statement.end_lineno or line
    return Piece(filename=filename, line=line, end=end, code=code, bindings=bindings(statement))


def _future_flags(statement: ast.stmt) -> int:
    flags = 0
    if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
        for alias in statement.names:
            flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
    return flags


def _needed(pieces: dict[int, Piece], values: set[int]) -> set[int]:
    """The definitions, and the assignments to names that these, and then the assignments themselves, look up."""
    needed = set(pieces) - values
    looked_up: set[str] = set()
    fresh = set(needed)
    while fresh:
        for index in fresh:
            found = lookups(pieces[index].code)
            looked_up |= found.early | found.late
        fresh = {index for index in values - needed if any(bound.name in looked_up for bound in pieces[index].bindings)}
        needed |= fresh
    return needed


# -- what went wrong ---------------------------------------------------------------------------------------------------


def _in_order(problems: Iterable[Problem], filenames: Sequence[str]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (filenames.index(problem.filename), problem.line)))


def _problem(error: BaseException, filename: str, line: int) -> Problem:
    """The problem of a piece; its line is the innermost one of the same file or cell that was running."""
    if isinstance(error, SyntaxError) and error.filename == filename:
        line = error.lineno or line
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == filename:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    try:
        text = str(error)
    except Exception:  # a student's own exception may fail at saying what it is
        text = ""
    return Problem(filename=filename, line=line, type=type(error).__name__, text=text[:_LONGEST_TEXT])
