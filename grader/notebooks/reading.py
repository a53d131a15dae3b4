"""From the bytes of a notebook to its code cells and to one piece of Python made of them, and back to the cells."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from grader.model import Cell, Entity, SourceFile
from grader.notebooks.documents import code_cells
from grader.notebooks.foreign import NotANotebookError
from grader.notebooks.translation import Translator

MAX_CODE = 2 << 20
"""Bytes of all code cells together, as UTF-8."""

_MOST_NOTES = 20
_BEFORE = (
    "\n\n"  # an encoding is declared in the first two lines of a module; what looks like it in a cell is a comment
)


class Notebook(Entity, frozen=True, kw_only=True):
    """What is graded of a notebook.

    Attributes:
        cells: all code cells, empty ones too.
        content: the Python of all cells, one below the other. It parses; a cell that is no Python is blank lines.
        repairs: what was put right or is left out, as sentences for the student and the instructor.
    """

    cells: tuple[Cell, ...]
    content: bytes
    repairs: tuple[str, ...] = ()


def read(content: bytes) -> Notebook:
    """Read a notebook of any version of the format, repairing what can be repaired.

    Raises:
        NotANotebookError: it is no notebook, none in Python, or larger than is read.
    """
    sources, repairs = code_cells(content)
    if sum(len(source.encode()) for source in sources) > MAX_CODE:
        raise NotANotebookError(
            f"its code is larger than {MAX_CODE >> 20} MiB; leave out what is only data and hand it in again"
        )
    cells: list[Cell] = []
    pieces = [_BEFORE]
    line = 1 + _BEFORE.count("\n")
    translator = Translator()
    for number, source in enumerate(sources, 1):
        python = translator.python(source, number)
        cells.append(Cell(number=number, source=source, python=python, line=line))
        pieces.append("\n" * (source.count("\n") + 1) if python is None else f"{python}\n")
        line += pieces[-1].count("\n")
    return Notebook(
        cells=tuple(cells),
        content="".join(pieces).encode(),
        repairs=(*repairs, *_cut(translator.notes)),
    )


def located(file: SourceFile, line: int) -> tuple[int | None, int]:
    """Return the cell that a line of a file's content is in, and the line within it; no cell, for a module."""
    index = bisect_right(file.cells, line, key=lambda cell: cell.line) - 1
    if index < 0:
        return None, line
    return file.cells[index].number, line - file.cells[index].line + 1


def broken_cells(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Return the cells that are meant to be Python and have a syntax error; `%%bash` and the like are not meant to."""
    return tuple(cell for cell in cells if cell.python is None and not cell.source.lstrip().startswith("%%"))


def _cut(notes: Sequence[str]) -> tuple[str, ...]:
    more = len(notes) - _MOST_NOTES
    return (*notes[:_MOST_NOTES], f"and {more} more of these") if more > 0 else tuple(notes)
