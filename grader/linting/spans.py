"""Source with its syntax tree, and changes to the characters that a node stands for."""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Characters `start` to `end` are to become `new`; `change` says what that means."""

    start: int
    end: int
    new: str
    change: str


class Source:
    """A file's text and tree.

    Attributes:
        tree: its syntax tree.
    """

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self._text = text
        self._lines = text.split("\n")
        self._begins = [0, *itertools.accumulate(len(line) + 1 for line in self._lines)]

    def of(self, node: ast.AST) -> str:
        """The characters of a node."""
        start, end = self._span(node)
        return self._text[start:end]

    def gap(self, left: ast.expr, right: ast.expr) -> str:
        """The characters between two nodes."""
        return self._text[self._span(left)[1] : self._span(right)[0]]

    def line_at(self, position: int) -> int:
        """The number of the line a character stands in."""
        return self._text.count("\n", 0, position) + 1

    def replaced(self, node: ast.AST, new: str, change: str) -> Edit:
        """Another text in a node's place."""
        start, end = self._span(node)
        return Edit(start=start, end=end, new=new, change=change)

    def over(self, first: ast.expr, last: ast.expr, new: str, change: str) -> Edit:
        """Another text in the place of all from one node to another."""
        return Edit(start=self._span(first)[0], end=self._span(last)[1], new=new, change=change)

    def between(self, left: ast.expr, right: ast.expr, new: str, change: str) -> Edit:
        """Another operator between two operands, whatever parentheses they stand in."""
        start, end = self._span(left)[1], self._span(right)[0]
        gap = self._text[start:end]
        before = gap[: gap.rfind(")") + 1]
        after = gap[gap.find("(", len(before)) :] if "(" in gap[len(before) :] else ""
        return Edit(start=start, end=end, new=f"{before}{new}{after}", change=change)

    def without(self, argument: ast.keyword, change: str) -> Edit:
        """No such argument, nor the comma before or after it."""
        start, end = self._span(argument)
        head = self._text[:start].rstrip()
        if head.endswith(","):
            return Edit(start=len(head) - 1, end=end, new="", change=change)
        tail = self._text[end:].lstrip()
        return Edit(start=start, end=len(self._text) - len(tail) + tail.startswith(","), new="", change=change)

    def with_edit(self, edit: Edit) -> str:
        """The whole text with one change."""
        return self._text[: edit.start] + edit.new + self._text[edit.end :]

    def _span(self, node: ast.AST) -> tuple[int, int]:
        line, column, end_line, end_column = (
            getattr(node, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")
        )
        return self._at(line, column), self._at(end_line, end_column)

    def _at(self, line: int, column: int) -> int:
        """Positions in a tree count bytes of UTF-8; ours count characters."""
        return self._begins[line - 1] + len(self._lines[line - 1].encode()[:column].decode())
