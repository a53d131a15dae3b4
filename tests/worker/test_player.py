from __future__ import annotations

import sys

import pytest

from grader import wire

from ..patience import promptly

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

ENDLESS = "while True:\n    pass"
DEAF_TO = """
while True:
    try:
        while True:
            {body}
    except BaseException:
        pass
"""
DEAF = {
    "catches everything": DEAF_TO.format(body="pass"),
    "ignores the signal": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True:\n    pass",
    "is not in Python": "sum(range(1 << 62))",
    "prints without end": DEAF_TO.format(body="print('a' * 10_000)"),
}


def outcomes(executed: wire.Executed) -> dict[int, str]:
    return {report.cell: report.outcome for report in executed.cells}


# -- one cell ----------------------------------------------------------------------------------------------------------


def test_a_cell_past_its_budget_is_interrupted_at_its_line_and_the_others_run(perform):
    performed = promptly(lambda: perform(f"x = 1\n{ENDLESS}", "print(x)", cell_seconds=1.0), within=3.0)
    [report] = performed.executed.cells

    assert (report.cell, report.outcome, report.type) == (1, "interrupted", "KeyboardInterrupt")
    assert {frame.line for frame in report.frames} <= {2, 3}
    assert performed.executed.alive
    assert performed.executed.output == "1\n"
    assert 1.0 <= performed.seconds < 3.0


@pytest.mark.parametrize("cell", DEAF.values(), ids=DEAF)
def test_a_cell_that_does_not_stop_when_told_to_is_killed_a_second_later_and_no_other_runs(perform, cell):
    performed = promptly(lambda: perform("x = 1", cell, "print('not reached')", "y = 1", cell_seconds=1.0), within=4.5)

    assert outcomes(performed.executed) == {2: "killed", 3: "not-run", 4: "not-run"}
    assert not performed.executed.alive
    assert "not reached" not in performed.executed.output
    assert 2.0 <= performed.seconds < 4.5


def test_a_cell_that_swallows_the_interruption_and_ends_counts_as_interrupted(perform):
    swallowing = "import time\ntry:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    x = 'swallowed'"
    performed = perform(swallowing, "print(x)", cell_seconds=0.5)

    assert outcomes(performed.executed) == {1: "interrupted"}
    assert performed.executed.output == "swallowed\n"


def test_every_cell_has_the_budget_anew(perform):
    performed = perform(*["import time\ntime.sleep(0.6)"] * 3, cell_seconds=1.5)

    assert performed.executed.cells == ()
    assert performed.seconds > 1.8


# -- the process -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell",
    [
        "import os\nos._exit(0)",
        "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
        "import ctypes\nctypes.string_at(0)",
        "import os\nos.abort()",
    ],
)
def test_a_process_that_ends_is_noticed_at_once_whatever_the_budget(perform, cell):
    performed = promptly(
        lambda: perform("print('before')", cell, "print('after')", cell_seconds=30.0, seconds=60.0), within=2.0
    )

    assert outcomes(performed.executed) == {2: "killed", 3: "not-run"}
    assert not performed.executed.alive
    assert performed.executed.output == "before\n"
    assert performed.seconds < 2


def test_a_process_that_ends_itself_between_two_cells_leaves_the_rest_not_run(perform):
    delayed = "import os, threading\nthreading.Timer(0.3, os._exit, (0,)).start()"
    performed = promptly(lambda: perform(delayed, "import time\ntime.sleep(10)", "x = 1"), within=3.0)

    assert outcomes(performed.executed) == {2: "killed", 3: "not-run"}
    assert performed.seconds < 3


# -- the notebook ------------------------------------------------------------------------------------------------------


def test_the_whole_budget_cuts_the_cell_that_exceeds_it_and_no_other_runs(perform):
    sleep = "import time\ntime.sleep(0.7)"
    performed = promptly(
        lambda: perform(sleep, sleep, "time.sleep(30)", "print('not reached')", seconds=2.0, cell_seconds=10.0),
        within=4.0,
    )

    assert outcomes(performed.executed) == {3: "interrupted", 4: "not-run"}
    assert performed.executed.alive
    assert 2.0 <= performed.seconds < 4.0


def test_the_reports_of_very_many_failing_cells_are_cut(perform):
    performed = perform(*["1 / 0"] * 320, seconds=40.0)

    assert len(performed.executed.cells) == 300
    assert performed.executed.alive


def test_reports_that_a_cell_makes_up_are_cut_and_hold_no_more_than_text(perform):
    executed = perform(
        "kernel = get_ipython().kernel\n"
        "claim = {'ename': 'E' * 9999, 'evalue': 'v' * 99999, 'traceback': ['{}', 'nonsense', 5] * 100}\n"
        "kernel.session.send(kernel.iopub_socket, 'error', claim, parent=kernel.get_parent('shell'))"
    ).executed
    [report] = executed.cells

    assert (report.cell, report.outcome, report.frames) == (1, "raised", ())
    assert len(report.type) <= 200
    assert len(report.message) <= 4000


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("stream", "{}"),
        ("stream", "{'text': None}"),
        ("stream", "{'text': {'a': 1}}"),
        ("stream", "[]"),
        ("error", "{}"),
        ("error", "{'ename': [], 'evalue': {}, 'traceback': 'text'}"),
        ("status", "{'execution_state': 5}"),
        ("display_data", "{'data': 5}"),
        ("clear_output", "5"),
        ("stream", "'text'"),
        ("error", "'text'"),
        ("error", "{'traceback': 5}"),
        ("status", "{}"),
        ("status", "'text'"),
    ],
)
def test_messages_that_make_no_sense_do_not_end_the_notebook(perform, kind, content):
    executed = perform(
        "kernel = get_ipython().kernel\n"
        f"kernel.session.send(kernel.iopub_socket, {kind!r}, {content}, parent=kernel.get_parent('shell'))",
        "print('goes on')",
        cell_seconds=2.0,
    ).executed

    assert executed.alive
    assert executed.output.endswith("goes on\n")
