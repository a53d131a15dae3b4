"""What became of the cells of a notebook, in words: as its author counts them, and with their own lines only."""

from __future__ import annotations

from itertools import groupby

from grader.model import CellOutcome, CellRun, Entity, Place
from grader.reports.texts import TEXTS
from grader.reports.wording import place, position, show

_SAID = {outcome: TEXTS[f"cell.{outcome}"] for outcome in CellOutcome}


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
    return "\n".join([TEXTS.say("cell.outer", n=outer), *entries] if outer else entries)


def _row(numbered: tuple[int, CellRun]) -> tuple[bool, int]:
    """The same for neighbours that were not run, and different for all others."""
    index, run = numbered
    not_run = run.outcome is CellOutcome.NOT_RUN
    return not_run, run.cell - index if not_run else index


def _note(row: list[CellRun]) -> CellNote:
    first, last = row[0], row[-1]
    if len(row) > 1:
        cells = TEXTS.say("cell.two" if len(row) == 2 else "cell.several", first=first.cell, last=last.cell)
        return CellNote(cells=cells, said=TEXTS["cell.were-not-run"])
    cells, error = TEXTS.say("cell.one", cell=first.cell), first.error.strip()
    if first.outcome is CellOutcome.RAISED and not error:
        return CellNote(cells=cells, said=TEXTS["cell.raised-unknown"], trace=first.trace)
    said = _SAID[first.outcome]
    return CellNote(
        cells=cells, said=said, error=error if first.outcome is CellOutcome.RAISED else "", trace=first.trace
    )


def _entry(where: Place, times: int, longest_source: int) -> str:
    heading = place(where) if where.cell is None else position(where)
    if times > 1:
        heading = TEXTS.say("cell.times", place=heading, n=times)
    return f"{heading}\n    {show(where.source, longest_source)}" if where.source else heading
