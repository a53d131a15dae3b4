"""Notebooks for tests: small ones from a few cells, whole ones from modules."""

from __future__ import annotations

import ast
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

Document = dict[str, Any]


def code(source: str, **others: Any) -> Document:
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source, **others}


def text(source: str) -> Document:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def notebook(*cells: str | Document, kernel: str = "python3", language: str = "python") -> Document:
    """A notebook as Jupyter saves it; a cell that is only text is a code cell."""
    named = [{"id": f"cell-{number}", **_cell(cell)} for number, cell in enumerate(cells)]
    spec = {"name": kernel, "language": language, "display_name": kernel}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": spec}, "cells": named}


def old_notebook(*cells: str | Document) -> Document:
    """The same in format 3, with its worksheets."""
    old = [
        {"cell_type": "code", "language": "python", "metadata": {}, "outputs": [], "collapsed": False}
        | {"input": cell["source"].splitlines(keepends=True), "prompt_number": 1}
        for cell in map(_cell, cells)
    ]
    sheets = [{"metadata": {}, "cells": old}]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": "Untitled"}, "worksheets": sheets}


def saved(document: Document) -> bytes:
    return json.dumps(document, indent=1).encode()


def cut(source: str) -> list[str]:
    """The cells of a module: one for each top-level statement, with the comments above it; they join to the same text.

    What does not parse is one cell.
    """
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return [source]
    lines = source.splitlines(keepends=True)
    ends = [statement.end_lineno or statement.lineno for statement in statements]
    if len(set(ends)) < len(ends):  # statements share a line
        return [source]
    bounds = [0, *ends[:-1], len(lines)]
    return ["".join(lines[start:end]) for start, end in pairwise(bounds)]


def write_as_notebook(module: Path, target: Path) -> None:
    """Write a module as a notebook."""
    cells = cut(module.read_bytes().decode("utf-8-sig"))
    target.write_bytes(saved(notebook(*(cell.strip("\r\n") for cell in cells))))


def _cell(cell: str | Document) -> Document:
    return code(cell) if isinstance(cell, str) else cell
