from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from grader import wire
from grader.errors import PeerClosed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")


def soon() -> float:
    return time.monotonic() + 20


def members(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def test_cells_draw_the_same_random_numbers_in_every_run(perform):
    cell = "import random, numpy, torch\nprint(random.random(), numpy.random.rand(), torch.rand(1).item())"

    assert perform(cell).executed.output == perform(cell).executed.output


def test_cells_run_in_an_empty_folder_without_the_names_of_the_grader(perform):
    executed = perform(
        "import os, sys\nprint(os.path.basename(os.getcwd()) == os.path.basename(os.environ['HOME']), sys.argv)",
        "print([name for name in dir() if 'grader' in name.lower()], __name__)",
    ).executed

    assert executed.cells == ()
    assert executed.output == "True ['attention.ipynb']\n[] __main__\n"


def test_a_notebook_that_did_not_survive_is_told_once_and_then_hung_up_on(perform):
    performed = perform("import os\nos._exit(0)")
    with pytest.raises(PeerClosed):
        performed.open(performed.asker, "Anything")

    assert not performed.executed.alive
    assert performed.lease.end(patience=2.0).code == 0


def test_what_is_left_of_a_notebook_is_two_processes_and_one_more_for_the_examiner(perform):
    performed = perform("x = 1")

    assert len(members(performed.lease.pid)) == 2  # the child leads a session of its own


def test_whoever_answers_an_examiner_is_a_fork_of_the_kernel(perform):
    which = "import os\nclass Which:\n    def __call__(self):\n        return [os.getpid(), os.getppid()]"
    performed = perform(f"{which}\nprint(os.getpid())")
    performed.open(performed.asker, "Which")
    performed.asker.ask(wire.Build((), {}, dtype=None, values={}, seconds=5.0), deadline=soon())
    answer = performed.asker.ask(wire.Call(0, (), {}, echo=False, seconds=5.0), deadline=soon())
    itself, parent = answer.value.items

    assert itself != parent == int(performed.executed.output)


def test_nothing_is_left_when_the_notebook_is_ended(perform, badge):
    leave = "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)"
    performed = perform(
        f"import os, time\n{badge.source}",
        "if os.fork() == 0:\n    time.sleep(600)",
        leave,
        leave.replace("time.sleep(600)", "os.system('sleep 600')"),
    )
    until = time.monotonic() + 10
    while len(before := badge.bearers()) != 4 and time.monotonic() < until:
        time.sleep(0.01)  # those in between take a moment to end
    performed.lease.end()

    assert len(before) == 4  # the kernel, its child, one that got away from both, and who answers the examiner
    assert badge.bearers() == []
    assert members(performed.lease.pid) == []


def test_a_kernel_that_ends_while_it_serves_ends_the_whole_notebook(perform, badge):
    performed = perform(
        f"import os, threading, time\n{badge.source}\nos.fork() or time.sleep(600)",
        "class Ends:\n    def __init__(self):\n        open('end', 'w').close()\n        time.sleep(60)",
        "def watch():\n    while not os.path.exists('end'):\n        time.sleep(0.01)\n    os._exit(3)\n\n"
        "threading.Thread(target=watch).start()",
    )
    performed.open(performed.asker, "Ends")
    with pytest.raises(PeerClosed):
        performed.asker.ask(wire.Build((), {}, dtype=None, values={}, seconds=50.0), deadline=soon())

    assert performed.lease.end(patience=5.0).code == 0
    assert badge.bearers() == []


def test_the_notebook_ends_when_the_host_hangs_up(perform):
    performed = perform("x = 1")
    performed.close()

    assert performed.lease.end(patience=5.0).code == 0


def test_names_supplied_to_a_forgetful_notebook_are_there_unless_it_binds_them_itself(perform):
    performed = perform("np = 'mine'\nclass Uses:\n    def __call__(self):\n        return [math.floor(2.5), np]")
    supply = ("import math", "import numpy as np")
    question = wire.Open("attention.ipynb", "Uses", False, seed=1, seconds=5.0, supply=supply)
    performed.asker.ask(question, deadline=soon())
    performed.asker.ask(wire.Build((), {}, dtype=None, values={}, seconds=5.0), deadline=soon())
    answer = performed.asker.ask(wire.Call(0, (), {}, echo=False, seconds=5.0), deadline=soon())

    assert list(answer.value.items) == [2, "mine"]


def test_a_class_that_the_cells_damaged_is_not_found_and_the_reason_is_said(perform):
    performed = perform("class Uses:\n    def __call__(self, x):\n        return list(x)", "list = 5")
    answer = performed.open(performed.asker, "Uses")

    assert isinstance(answer, wire.Raised)
    assert (answer.stage, "list is" in answer.message) == ("find", True)
