from __future__ import annotations

import signal
import sys
import time

import pytest

from grader import wire
from grader.errors import PeerClosed
from grader.worker.branching import LAST_BREATH

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

COUNTER = """
import os, signal, time
values = [1, 2, 3]

class Counter:
    made = 0

    def __init__(self, how=""):
        Counter.made += 1
        values.append(Counter.made)
        if how == "exit":
            os._exit(5)
        if how == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if how == "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            time.sleep(600)

    def __call__(self, what):
        return {"values": list(values), "process": os.getpid(), "parent": os.getppid()}[what]
"""


def soon() -> float:
    return time.monotonic() + 20


def build(asker: wire.Asker, *args: str) -> wire.Reply:
    return asker.ask(wire.Build(args, {}, dtype=None, values={}, seconds=5.0), deadline=soon())


def told(asker: wire.Asker, what: str, module: int = 0) -> object:
    answer = asker.ask(wire.Call(module, (what,), {}, echo=False, seconds=5.0), deadline=soon())
    assert isinstance(answer, wire.Returned)
    return answer.value


def numbers(value: object) -> list[object]:
    assert isinstance(value, wire.Sequence)
    return list(value.items)


@pytest.fixture
def counter(perform):
    return perform("print('run once')", COUNTER)


def another(performed) -> wire.Asker:
    """An examiner for whom the class is open."""
    asker = performed.examiner()
    performed.execute(asker)
    performed.open(asker, "Counter")
    return asker


def test_every_examiner_is_told_what_came_of_the_one_run(counter):
    assert counter.execute(counter.asker) == counter.executed
    assert counter.execute(counter.examiner()) == counter.executed
    assert counter.executed.output == "run once\n"


def test_each_child_finds_the_namespace_as_the_last_cell_left_it(counter):
    found = []
    for _ in range(3):
        asker = another(counter)
        build(asker)
        build(asker)
        found.append(numbers(told(asker, "values")))

    assert found == [[1, 2, 3, 1, 2]] * 3


def test_children_are_different_processes_of_the_same_parent(counter):
    askers = []
    for _ in range(2):
        askers.append(another(counter))
        build(askers[-1])
        processes = told(askers[-1], "process"), told(askers[-1], "parent")
        askers.append(processes)
    (first, first_parent), (second, second_parent) = askers[1], askers[3]

    assert first != second
    assert first_parent == second_parent


def test_a_second_stream_ends_the_child_of_the_first(counter):
    first = another(counter)
    second = another(counter)
    with pytest.raises(PeerClosed):
        build(first)

    assert isinstance(build(second), wire.Built)


def test_a_child_that_ended_itself_is_reported_with_its_exit_code(counter):
    asker = another(counter)
    with pytest.raises(PeerClosed):
        build(asker, "exit")
    fate = counter.end()

    assert (fate.code, fate.signal, fate.stopped) == (5, None, False)


def test_a_child_that_crashed_is_reported_with_its_signal(counter):
    asker = another(counter)
    with pytest.raises(PeerClosed):
        build(asker, "crash")
    fate = counter.end()

    assert (fate.code, fate.signal, fate.stopped) == (None, signal.SIGSEGV, False)


def test_a_child_whose_examiner_hung_up_ends_well(counter):
    asker = another(counter)
    build(asker)
    asker.close()
    fate = counter.end()

    assert (fate.code, fate.signal, fate.stopped) == (0, None, False)
    assert fate.user_seconds + fate.system_seconds > 0
    assert fate.peak > 0


def test_a_child_that_goes_on_is_stopped_after_its_last_breath(counter):
    asker = another(counter)
    question = wire.Build(("hang",), {}, dtype=None, values={}, seconds=30.0)
    with pytest.raises(Exception, match="in time"):
        asker.ask(question, deadline=time.monotonic() + 0.3)
    began = time.monotonic()
    fate = counter.end()
    seconds = time.monotonic() - began

    assert (fate.signal, fate.stopped) == (signal.SIGKILL, True)
    assert LAST_BREATH <= seconds < LAST_BREATH + 0.5


def test_ending_a_child_that_was_ended_already_does_nothing(counter):
    another(counter).close()
    counter.end()
    fate = counter.end()

    assert (fate.code, fate.signal, fate.stopped) == (None, None, False)
    assert isinstance(build(another(counter)), wire.Built)


def test_a_child_ends_with_the_threads_that_it_started(perform, badge):
    performed = perform(
        f"import threading, time\nclass Counter:\n    def __init__(self):\n        {badge.source}\n"
        "        threading.Thread(target=time.sleep, args=(600,)).start()"
    )
    performed.open(performed.asker, "Counter")
    build(performed.asker)
    before = badge.bearers()
    performed.end()

    assert len(before) == 1
    assert badge.bearers() == []


@pytest.mark.parametrize(
    "attempt",
    ["os.fork()", "subprocess.Popen(['true'])", "os.kill(os.getppid(), 9)", "os.kill(1, 9)", "os.kill(-1, 9)"],
)
def test_a_child_can_neither_fork_nor_end_another(perform, attempt):
    performed = perform(f"import os, subprocess\nclass Counter:\n    def __init__(self):\n        {attempt}")
    performed.open(performed.asker, "Counter")
    answer = build(performed.asker)

    assert isinstance(answer, wire.Raised)
    assert answer.type == "PermissionError"
    assert isinstance(performed.execute(performed.examiner()), wire.Executed)
