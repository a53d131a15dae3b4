"""How what student code did came to an end, in words: a process, or a cell of a notebook."""

from __future__ import annotations

from grader import wire
from grader.checks.faults import place as where
from grader.forkserver import Fate
from grader.model import CellOutcome, CellRun
from grader.text import clean

BROKEN_OFF = 70
"""The exit code of a worker whose own part, not the student's, could not go on."""

TRACE_CAP = 12

SIGNALS = {
    4: "an illegal instruction",
    6: "an abort inside a library",
    7: "a bus error",
    8: "an arithmetic fault inside a library",
    9: "being killed, most often for using too much memory",
    11: "a segmentation fault or an abort inside a library, often very deep recursion or wrong use of memory",
    24: "using too much CPU time",
    25: "writing a file that is too large",
}
"""What ended a process, as the end of a sentence, by signal number."""


def cell_run(report: wire.CellReport) -> CellRun:
    """A worker's report of a cell, cleaned; what it claims beyond the known outcomes counts as an exception."""
    known = {outcome.value: outcome for outcome in CellOutcome}
    error = f"{report.type}: {report.message}" if report.message.strip() else report.type
    return CellRun(
        cell=report.cell,
        outcome=known.get(report.outcome, CellOutcome.RAISED),
        error=clean(error, limit=600, keep_newlines=False),
        trace=tuple(place for frame in report.frames[-TRACE_CAP:] if (place := where((frame,))) is not None),
    )


def describe_fate(fate: Fate) -> str:
    """How a process ended, as the end of a sentence that begins with "the process"."""
    if fate.stopped or fate.code == BROKEN_OFF:
        return "broke off its connection to the grader"
    if fate.signal is not None:
        return f"was ended by {SIGNALS.get(fate.signal, f'signal {fate.signal}')}"
    return f"ended itself with exit code {fate.code} (for example through os._exit)"
