"""The definitions of a file without the rest of it, for files whose top-level code trains, plots, raises or never ends.

Theory of operation. A file is cut into its top-level statements. Kept are imports, functions and classes, and of the
assignments those that give a plain name to a harmless value which something kept looks up when it runs. Which names a
piece looks up is read from its bytecode, so a local variable that happens to have a constant's name keeps nothing.
A value is harmless when computing it can call nothing a student wrote: literals, names, operators, and calls of what
was imported from a library. Every piece is compiled and run on its own, so that one that fails costs only itself.

Standard library only: this runs in the worker.
"""

from __future__ import annotations
import __future__

import ast
import dis
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, TracebackType
from typing import Any

_BUILTINS = frozenset({"int", "float", "str", "bool", "len", "min", "max", "range", "tuple", "list", "dict", "set"})
_LONGEST_TEXT = 1000

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_HARMLESS = (
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Slice,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.Set,
    ast.Starred,
    ast.UnaryOp,
    ast.BinOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.JoinedStr,
    ast.FormattedValue,
    ast.Lambda,
    ast.Call,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A piece that did not compile or run: the line, the exception's type and what it says."""

    line: int
    type: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One top-level statement, compiled. `line` is where it begins."""

    line: int
    code: CodeType


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What is kept of a file.

    Attributes:
        filename: the name its code was compiled under.
        code: the pieces, in the order of the source.
        skipped: the lines on which the statements begin that are left out; docstrings do not count.
        problems: definitions that Python's compiler refuses although its parser does not.
    """

    filename: str
    code: tuple[Piece, ...]
    skipped: tuple[int, ...]
    problems: tuple[Problem, ...] = ()


def definitions(source: str, filename: str, *, own_modules: frozenset[str] = frozenset()) -> Definitions:
    """Take the definitions out of `source`. Constants never call what is imported from `own_modules`, the student's.

    Raises:
        SyntaxError: the file cannot be parsed, for whatever reason.
    """
    tree = _parse(source, filename)
    trusted = _trusted_names(tree, own_modules)
    flags = _future_flags(tree)
    kept: dict[int, Piece] = {}
    values: dict[int, ast.stmt] = {}
    problems: list[Problem] = []
    for index, statement in enumerate(tree.body):
        if not _is_kept(statement, trusted):
            continue
        try:
            kept[index] = Piece(line=_first_line(statement), code=_compile(statement, filename, flags))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            problems.append(_problem(error, filename, _first_line(statement)))
        if not _defines(statement):
            values[index] = statement
    used = _needed(kept, values)
    skipped = [
        _first_line(statement)
        for index, statement in enumerate(tree.body)
        if index not in used and not _is_docstring(statement)
    ]
    pieces = tuple(kept[index] for index in sorted(used))
    return Definitions(filename=filename, code=pieces, skipped=tuple(skipped), problems=tuple(problems))


def execute(definitions: Definitions, namespace: dict[str, Any]) -> tuple[Problem, ...]:
    """Run the pieces one by one in `namespace`, and return what went wrong. A piece that raises costs only itself.

    Raises:
        BaseException: whatever is neither an `Exception` nor `SystemExit`, such as an interrupt by the budget.
    """
    problems = list(definitions.problems)
    for piece in definitions.code:
        try:
            exec(piece.code, namespace)
        except (Exception, SystemExit) as error:
            problems.append(_problem(error, definitions.filename, piece.line))
    return tuple(sorted(problems, key=lambda problem: problem.line))


# -- reading -----------------------------------------------------------------------------------------------------------


def _parse(source: str, filename: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source, filename)
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error) or "too deeply nested", (filename, 1, 0, None)) from None


def _compile(statement: ast.stmt, filename: str, flags: int) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = ast.Module(body=[statement], type_ignores=[])
        code: CodeType = compile(module, filename, "exec", flags=flags, dont_inherit=True)
    return code


def _future_flags(tree: ast.Module) -> int:
    flags = 0
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            for alias in statement.names:
                flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
    return flags


def _first_line(statement: ast.stmt) -> int:
    decorators = statement.decorator_list if isinstance(statement, _DEFINITIONS) else []
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


# -- which statements could be kept ------------------------------------------------------------------------------------


def _is_kept(statement: ast.stmt, trusted: frozenset[str]) -> bool:
    """Whether a statement may run: a definition, an import, a harmless assignment, or a branch of nothing but these."""
    if isinstance(statement, _DEFINITIONS + _IMPORTS):
        return True
    if isinstance(statement, ast.Assign):
        return all(map(_is_plain, statement.targets)) and _is_harmless(statement.value, trusted)
    if isinstance(statement, ast.AnnAssign):
        return statement.value is not None and _is_plain(statement.target) and _is_harmless(statement.value, trusted)
    if isinstance(statement, ast.If):
        guard = any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(statement.test))
        return not guard and _is_harmless(statement.test, trusted) and _holds_only_kept(statement, trusted)
    return isinstance(statement, ast.Try) and _holds_only_kept(statement, trusted)


def _holds_only_kept(branch: ast.If | ast.Try, trusted: frozenset[str]) -> bool:
    return all(
        isinstance(statement, ast.Pass) or _is_docstring(statement) or _is_kept(statement, trusted)
        for statement in _inside(branch)
    )


def _inside(branch: ast.If | ast.Try) -> Iterator[ast.stmt]:
    yield from branch.body
    yield from branch.orelse
    if isinstance(branch, ast.Try):
        for handler in branch.handlers:
            yield from handler.body
        yield from branch.finalbody


def _defines(statement: ast.stmt) -> bool:
    """Whether a statement is kept for its own sake, and not only when its name is looked up."""
    if isinstance(statement, ast.If | ast.Try):
        return any(map(_defines, _inside(statement)))
    return isinstance(statement, _DEFINITIONS + _IMPORTS)


def _is_plain(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(map(_is_plain, target.elts))
    return isinstance(target, ast.Name)


def _is_harmless(value: ast.expr, trusted: frozenset[str]) -> bool:
    waiting: list[ast.AST] = [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.expr) and not isinstance(node, _HARMLESS):
            return False
        if isinstance(node, ast.Call) and not _is_trusted(node.func, trusted):
            return False
        if isinstance(node, ast.Lambda):
            waiting += [*node.args.defaults, *filter(None, node.args.kw_defaults)]  # its body does not run here
        else:
            waiting += ast.iter_child_nodes(node)
    return True


def _is_trusted(function: ast.expr, trusted: frozenset[str]) -> bool:
    while isinstance(function, ast.Attribute):
        function = function.value
    return isinstance(function, ast.Name) and function.id in trusted


def _trusted_names(tree: ast.Module, own_modules: frozenset[str]) -> frozenset[str]:
    """Names that hold a library's things or a builtin wherever the file uses them at its top level."""
    libraries: set[str] = set()
    rebound: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, _IMPORTS):
            for alias in node.names:
                module = alias.name if isinstance(node, ast.Import) else "." * node.level + (node.module or "")
                own = module.startswith(".") or module.split(".")[0] in own_modules
                (rebound if own else libraries).add(alias.asname or alias.name.split(".")[0])
        elif isinstance(node, _DEFINITIONS):
            rebound.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            rebound.add(node.id)
        else:
            waiting += ast.iter_child_nodes(node)
    return (_BUILTINS | libraries) - rebound


# -- which are needed --------------------------------------------------------------------------------------------------


def _needed(kept: dict[int, Piece], values: dict[int, ast.stmt]) -> set[int]:
    """The definitions, and the assignments to names that these, and then the assignments themselves, look up."""
    needed = {index for index in kept if index not in values}
    bound = {index: _assigned(values[index]) for index in kept if index in values}
    looked_up: set[str] = set()
    fresh = set(needed)
    while fresh:
        for index in fresh:
            looked_up |= _looked_up(kept[index].code)
        fresh = {index for index, names in bound.items() if index not in needed and names & looked_up}
        needed |= fresh
    return needed


def _assigned(statement: ast.stmt) -> set[str]:
    nodes = ast.walk(statement)
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _looked_up(code: CodeType) -> set[str]:
    """The names that a piece of code, or a function or class inside it, looks up in the module when it runs."""
    names: set[str] = set()
    waiting = [code]
    while waiting:
        code = waiting.pop()
        names |= {
            instruction.argval
            for instruction in dis.get_instructions(code)
            if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
        }
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return names


# -- what went wrong ---------------------------------------------------------------------------------------------------


def _problem(error: BaseException, filename: str, line: int) -> Problem:
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
    return Problem(line=line, type=type(error).__name__, text=text[:_LONGEST_TEXT])
