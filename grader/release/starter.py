"""The starter: the reference without what stands between `### BEGIN SOLUTION` and `### END SOLUTION`.

Everything outside of the marks stays, imports included, whether the starter itself uses them or not: a solution will.
In the place of a solution stands a line that says, when it is run, what is to be written there.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grader.errors import ConfigurationError

BEGIN: Final = "### BEGIN SOLUTION"
END: Final = "### END SOLUTION"
MARK: Final = re.compile(r"^\s*#{2,}\s*(BEGIN|END)\s+SOLUTIONS?\s*$", re.IGNORECASE)
YOURS: Final = "# YOUR CODE HERE"
TOLD: Final = "is not written yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """A starter, and what was taken out of it.

    Attributes:
        source: the whole file.
        removed: the lines that stood between the marks, as they were.
    """

    source: str
    removed: tuple[str, ...]


def starter(reference: Path) -> Starter:
    """Make the starter of a reference solution.

    Raises:
        ConfigurationError: the marks do not pair up, or there are none.
    """
    source = reference.read_text(encoding="utf-8")
    lines = source.splitlines()
    regions = _regions(lines, reference)
    kept: list[str] = []
    removed: list[str] = []
    position = 0
    for begin, end in regions:
        kept += [*lines[position:begin], *_placeholder(source, lines, begin, end)]
        removed += lines[begin + 1 : end]
        position = end + 1
    text = "\n".join([*kept, *lines[position:]]).rstrip() + "\n"
    try:
        ast.parse(text)
    except SyntaxError as error:
        what = f"without the solution, line {error.lineno} of the starter is not valid Python: {error.msg}"
        hint = f"let {BEGIN} and {END} enclose whole statements"
        raise ConfigurationError(f"{reference}: {what}", path=reference, hint=hint) from None
    return Starter(source=text, removed=tuple(removed))


def _regions(lines: list[str], reference: Path) -> list[tuple[int, int]]:
    """The lines of each pair of marks, counted from 0."""
    hint = f"write {BEGIN} before and {END} after what students are to write, each on a line of its own"
    found: list[tuple[int, int]] = []
    opened: int | None = None
    for number, line in enumerate(lines):
        mark = MARK.match(line)
        if mark is None:
            continue
        if (mark[1].upper() == "BEGIN") == (opened is not None):
            alone = number if opened is None else opened
            what = f"line {alone + 1}: {lines[alone].strip()} without its counterpart"
            raise ConfigurationError(f"{reference}: {what}", path=reference, hint=hint)
        if opened is None:
            opened = number
        else:
            found.append((opened, number))
            opened = None
    if opened is not None:
        what = f"line {opened + 1}: {lines[opened].strip()} without its counterpart"
        raise ConfigurationError(f"{reference}: {what}", path=reference, hint=hint)
    if not found:
        what = "there is no solution marked in it, so that its starter would be the solution"
        raise ConfigurationError(f"{reference}: {what}", path=reference, hint=hint)
    return found


def _placeholder(source: str, lines: list[str], begin: int, end: int) -> list[str]:
    """What stands in the place of lines `begin` to `end`."""
    inside = next((line for line in lines[begin + 1 : end] if line.strip()), lines[begin])
    indent = inside[: len(inside) - len(inside.lstrip())]
    owner = _function_at(ast.parse(source), begin + 1)
    if owner is None:
        return [f"{indent}{YOURS}"]
    return [f"{indent}{YOURS}, in the place of the next line", f'{indent}raise NotImplementedError("{owner} {TOLD}")']


def _function_at(tree: ast.Module, line: int) -> str | None:
    """The innermost function around a line, with its class: `SelfAttention.forward`. None outside of functions."""
    found: str | None = None
    path: list[str] = []
    body: list[ast.stmt] = tree.body
    while body:
        around = next((node for node in body if node.lineno <= line <= (node.end_lineno or node.lineno)), None)
        if isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            path.append(around.name)
            found = None if isinstance(around, ast.ClassDef) else ".".join(path)
        body = [] if around is None else [node for node in ast.iter_child_nodes(around) if isinstance(node, ast.stmt)]
    return found
