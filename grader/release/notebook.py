"""The starter as a notebook: the same code in cells, with a cell that installs and one that checks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import nbformat

from grader.model import Assignment

LONGEST_ID = 64
"""Characters of a cell's id, as the format has it."""


def notebook(assignment: Assignment, starter: str, *, install: str) -> bytes:
    """The notebook. The same starter gives the same bytes, and its cells keep their ids when others change."""
    cells = [
        _markdown("title", f"# {assignment.title}\n\n{_TOLD.format(entry=assignment.entry)}"),
        _code(
            "install",
            f"# Once, where the checks are not installed yet, without the #:\n# %pip install --quiet {install}",
        ),
        *(_code(name, source) for name, source in _pieces(starter)),
        _markdown("self-check-title", f"## Check your own work\n\n{_CHECKING}"),
        _code("self-check", f"%load_ext grader\n%check {assignment.id}"),
    ]
    made = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    node = nbformat.from_dict(made)
    nbformat.validate(node)
    text: str = nbformat.writes(node)
    return f"{text}\n".encode()


_TOLD = (
    "Write the class `{entry}`; `README.md` says what it is to do. Each place that is yours is marked `YOUR CODE HERE`."
    " Before you hand this in, restart the kernel and run all cells."
)
_CHECKING = "These are the public checks. Run the cell as often as you like; more checks are made when it is graded."


def _markdown(name: str, source: str) -> dict[str, object]:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def _code(name: str, source: str) -> dict[str, object]:
    return {
        **{"cell_type": "code", "id": name, "metadata": {}, "source": source},
        **{"execution_count": None, "outputs": []},
    }


def _pieces(starter: str) -> Iterator[tuple[str, str]]:
    """The starter's code, in cells with their names: imports first, then one for each class and function."""
    lines = starter.splitlines()
    begin = 0
    current: list[str] = []
    name = "code"
    used: dict[str, int] = {}
    for node in ast.parse(starter).body:
        own = _name(node)
        end = node.end_lineno or node.lineno
        if current and (own != name or own not in ("imports", "code")):
            yield _unique(name, used), "\n".join(current).strip()
            current = []
        name = own
        current += lines[begin:end]
        begin = end
    current += lines[begin:]
    if "\n".join(current).strip():
        yield _unique(name, used), "\n".join(current).strip()


def _name(node: ast.stmt) -> str:
    """What a cell with this statement is called."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return re.sub(r"[^a-zA-Z0-9]+", "-", node.name).strip("-")[: LONGEST_ID - 4] or "definition"
    text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    return "imports" if text or isinstance(node, ast.Import | ast.ImportFrom) else "code"


def _unique(name: str, used: dict[str, int]) -> str:
    used[name] = used.get(name, 0) + 1
    return name if used[name] == 1 else f"{name}-{used[name]}"
