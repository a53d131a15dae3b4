from __future__ import annotations

import pytest

from grader.model import CellOutcome, CellRun, Place
from grader.reports.cells import cell_notes, traceback

from . import sample

LIMITS = (2_000, 300)


def run(cell: int, outcome: CellOutcome = CellOutcome.NOT_RUN, error: str = "") -> CellRun:
    return CellRun(cell=cell, outcome=outcome, error=error)


def sentences(*cells: CellRun) -> list[str]:
    return [" ".join([note.cells, note.said, note.error]).strip() for note in cell_notes(cells)]


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        (run(3, CellOutcome.RAISED, "NameError: name 'x' is not defined"), "raised NameError: name 'x' is not defined"),
        (run(3, CellOutcome.RAISED, " "), "raised an exception."),
        (run(3, CellOutcome.INTERRUPTED, "KeyboardInterrupt"), "was still running after its budget and was stopped."),
        (run(3, CellOutcome.KILLED), "ended the notebook's process, or did not stop when it was told to."),
        (run(3), "was not run."),
    ],
)
def test_it_is_said_what_became_of_a_cell(cell: CellRun, sentence: str) -> None:
    assert sentences(cell) == [f"cell 3 {sentence}"]


def test_neighbours_that_were_not_run_are_told_together() -> None:
    killed = run(4, CellOutcome.KILLED)

    told = sentences(run(2), killed, run(5), run(6), run(7), run(9), run(10), run(12))

    assert [sentence.split(" were")[0].split(" was")[0].split(" ended")[0] for sentence in told] == [
        "cell 2",
        "cell 4",
        "cells 5 to 7",
        "cells 9 and 10",
        "cell 12",
    ]


def test_cells_are_told_in_the_order_of_the_notebook() -> None:
    assert sentences(run(8), run(3, CellOutcome.RAISED, "E"), run(7)) == [
        "cell 3 raised E",
        "cells 7 and 8 were not run.",
    ]


def test_every_outcome_has_its_words() -> None:
    assert all(sentences(run(1, outcome, "E")) for outcome in CellOutcome)


def test_a_traceback_shows_the_students_lines_with_the_innermost_last() -> None:
    trace = (sample.in_cell(3, "demo(x)", 2, "<module>"), sample.in_cell(1, "return y", 7, "demo"))

    assert traceback(trace, *LIMITS) == "cell 3, line 2\n    demo(x)\ncell 1, line 7, in demo\n    return y"


def test_a_line_outside_of_the_notebook_names_its_file() -> None:
    assert traceback((Place(file="tools.py", line=3),), *LIMITS) == "tools.py, line 3"


def test_a_line_that_is_called_from_itself_stands_in_a_traceback_once() -> None:
    trace = (sample.in_cell(1, "f(9)", 5), *[sample.in_cell(1, "f(n)", 2, "f")] * 19)

    assert traceback(trace, *LIMITS) == "cell 1, line 5\n    f(9)\ncell 1, line 2, in f (19 times)\n    f(n)"


def test_of_a_long_traceback_the_innermost_lines_are_kept() -> None:
    trace = tuple(sample.in_cell(1, f"step({number})", number) for number in range(1, 101))

    text = traceback(trace, 100, 300)

    assert text.startswith("… (97 outer lines left out)\ncell 1, line 98\n")
    assert text.endswith("cell 1, line 100\n    step(100)")


def test_a_traceback_is_bounded_and_hides_nothing_however_hostile_it_is() -> None:
    flood = "\u202e\n`" * 10_000
    hostile = Place(file=flood, line=1, source=flood, function=flood)

    text = traceback((hostile,) * 3 + (sample.WHERE, hostile), 80, 80)

    assert len(text) < 1_000
    assert "\u202e" not in text
    assert len(text.splitlines()) == 3
