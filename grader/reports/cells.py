"""What became of the cells of a notebook, in words: as its author counts them, and with their own lines only."""

from __future__ import annotations

from itertools import groupby

from grader.model import CellOutcome, CellRun, Entity, Place
from grader.reports.wording import place, position, show

_SAID: dict[CellOutcome, str] = {
    CellOutcome.RAISED: "raised",
    CellOutcome.INTERRUPTED: "was still running after its budget and was stopped.",
    CellOutcome.KILLED: "ended the notebook's process, or did not stop when it was told to.",
    CellOutcome.NOT_RUN: "was not run.",
}


class CellNote(Entity, frozen=True, kw_only=True):
    """What is said about one cell, or about several in a row that were not run.

    Attributes:
        cells: `cell 3`, `cells 7 to 12`.
        said: what became of them; `error` goes on from there, in the student's words.
        trace: the student's own lines of the traceback, outermost first.
    """

    cells: str
    said: str
    error: str = ""
    trace: tuple[Place, ...] = ()


def cell_notes(cells: tuple[CellRun, ...]) -> tuple[CellNote, ...]:
    """One note for each cell, and one for each row of neighbours that were not run; in the order of the notebook."""
    in_order = sorted(cells, key=lambda run: run.cell)
    rows = groupby(enumerate(in_order), key=_row)
    return tuple(_note([run for _, run in row]) for _, row in rows)


def traceback(trace: tuple[Place, ...], limit: int, longest_source: int) -> str:
    """A traceback as text: for each line where it is and, below, what stands there; the innermost last.

    Past `limit` characters outer lines are left out and counted. A line that is called from itself stands there once.
    """
    steps = [(where, len(list(same))) for where, same in groupby(trace)]
    entries: list[str] = []
    while steps:
        entry = _entry(*steps[-1], longest_source)
        if entries and len(entry) + sum(map(len, entries)) > limit:
            break
        entries.insert(0, entry)
        steps.pop()
    outer = sum(times for _, times in steps)
    lines = "line" if outer == 1 else "lines"
    return "\n".join([f"… ({outer} outer {lines} left out)", *entries] if outer else entries)


def _row(numbered: tuple[int, CellRun]) -> tuple[bool, int]:
    """The same for neighbours that were not run, and different for all others."""
    index, run = numbered
    not_run = run.outcome is CellOutcome.NOT_RUN
    return not_run, run.cell - index if not_run else index


def _note(row: list[CellRun]) -> CellNote:
    first, last = row[0], row[-1]
    if len(row) > 1:
        joined = "and" if len(row) == 2 else "to"
        return CellNote(cells=f"cells {first.cell} {joined} {last.cell}", said="were not run.")
    said = _SAID[first.outcome]
    if first.outcome is CellOutcome.RAISED:
        error = first.error.strip()
        return CellNote(
            cells=f"cell {first.cell}", said=said if error else f"{said} an exception.", error=error, trace=first.trace
        )
    return CellNote(cells=f"cell {first.cell}", said=said, trace=first.trace)


def _entry(where: Place, times: int, longest_source: int) -> str:
    heading = place(where) if where.cell is None else position(where)
    if times > 1:
        heading += f" ({times} times)"
    return f"{heading}\n    {show(where.source, longest_source)}" if where.source else heading
