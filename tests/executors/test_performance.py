from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from grader import wire
from grader.errors import DeadlinePassed, WarmProcessError, WireError
from grader.executors.performance import END, PATIENCE, SERVE, Performance
from grader.executors.warm import Lease, WarmProcess, sealed
from grader.forkserver import Fate
from grader.model import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

LIMITS = Limits(seconds=20, notebook_seconds=15, cell_seconds=3, memory=4 << 30)


class Spawned:
    """A notebook's process as the host sees it; the test plays it.

    Attributes:
        payload: what it was told when it was forked.
        control: its end of the host's socket.
    """

    def __init__(self, payload: dict[str, Any], control: socket.socket) -> None:
        self.payload = payload
        self.control = control
        self.ended = False

    def message(self) -> tuple[bytes, list[int]]:
        """The next message, and the descriptors beside it."""
        message, descriptors, _, _ = socket.recv_fds(self.control, 100, 4)
        return message, descriptors


class FakeRooms:
    """Warm processes whose children are played by the test.

    Attributes:
        spawned: the children, in order.
    """

    def __init__(self, folder: Path, *, gone: bool = False) -> None:
        self._folder = folder
        self._gone = gone
        self._leases: dict[Lease, Spawned] = {}
        self._closing = contextlib.ExitStack()
        self.spawned: list[Spawned] = []

    def make_home(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))

    def spawn(self, room: str, payload: bytes, descriptors: list[int]) -> Lease:
        if self._gone:
            raise WarmProcessError("the worker process is gone", room=room)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs.send(b"4194305")  # no process has this number
        child = Spawned(msgspec.json.decode(payload), socket.socket(fileno=os.dup(descriptors[0])))
        lease = Lease(room, ours, parent=os.getpid())
        for each in (ours, theirs, child.control):
            self._closing.callback(each.close)
        self._leases[lease] = child
        self.spawned.append(child)
        return lease

    def end(self, lease: Lease, *, patience: float = 0.0) -> Fate:
        self._leases[lease].ended = True
        return Fate(signal=9)

    def close(self) -> None:
        self._closing.close()


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[FakeRooms]:
    rooms = FakeRooms(tmp_path)
    yield rooms
    rooms.close()


@pytest.fixture
def performance(rooms: FakeRooms) -> Iterator[Performance]:
    performance = Performance(rooms, 0, LIMITS, core=0)  # type: ignore[arg-type]
    yield performance
    performance.close()


@pytest.fixture
def stream() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours


def close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


# -- starting ----------------------------------------------------------------------------------------------------------


def test_nothing_is_started_before_a_worker_is_needed(performance, rooms):
    assert rooms.spawned == []
    assert performance.end() == performance.close() == Fate()


def test_the_budget_is_that_of_the_limits(performance):
    assert (performance.budget.seconds, performance.budget.cell_seconds) == (15, 3)


def test_the_first_worker_starts_the_process_in_a_home_of_its_own_and_gets_the_stream(performance, rooms, stream):
    performance.serve(stream.fileno())
    [child] = rooms.spawned
    message, descriptors = child.message()
    same = os.path.sameopenfile(descriptors[0], stream.fileno())
    close_all(descriptors)

    assert message == SERVE
    assert same
    assert child.payload["branching"] is True
    assert child.payload["memory"] == 4 << 30
    assert child.payload["cpu_seconds"] == 20 + 15 + 5
    assert list(Path(child.payload["home"]).iterdir()) == []


def test_all_later_workers_come_from_the_same_process(performance, rooms, stream):
    for _ in range(3):
        performance.serve(stream.fileno())
    [child] = rooms.spawned
    messages = []
    for _ in range(3):
        message, descriptors = child.message()
        close_all(descriptors)
        messages.append(message)

    assert messages == [SERVE] * 3


def test_a_process_that_died_is_replaced_by_one_that_runs_the_notebook_again(performance, rooms, stream):
    performance.serve(stream.fileno())
    first = rooms.spawned[0]
    first.control.close()
    performance.serve(stream.fileno())
    _, second = rooms.spawned
    message, descriptors = second.message()
    close_all(descriptors)

    assert first.ended
    assert not Path(first.payload["home"]).exists()
    assert message == SERVE
    assert second.payload["home"] != first.payload["home"]


def test_a_process_that_cannot_be_started_is_an_error_that_leaves_nothing_open(tmp_path, stream):
    rooms = FakeRooms(tmp_path, gone=True)
    performance = Performance(rooms, 0, LIMITS, core=0)  # type: ignore[arg-type]
    with pytest.raises(WarmProcessError):
        performance.serve(stream.fileno())
    performance.close()

    assert list(tmp_path.iterdir()) == []


# -- ending ------------------------------------------------------------------------------------------------------------


def answering(child: Spawned, packet: bytes) -> threading.Thread:
    """The process, which answers the request to end its last child."""

    def answer() -> None:
        while (message := child.message())[0] != END:
            close_all(message[1])
        child.control.send(packet)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_ending_a_worker_leaves_the_process_and_tells_the_worker_s_fate(performance, rooms, stream):
    performance.serve(stream.fileno())
    [child] = rooms.spawned
    thread = answering(child, msgspec.json.encode(Fate(code=5, peak=1)))
    fate = performance.end()
    thread.join()

    assert fate == Fate(code=5, peak=1)
    assert not child.ended


@pytest.mark.parametrize("packet", [b"nonsense", b"{}x", b'{"code": "5"}', b'{"verdict": "passed"}', b"\xff" * 4000])
def test_a_process_that_answers_with_nonsense_is_ended_as_a_whole(performance, rooms, stream, packet):
    performance.serve(stream.fileno())
    [child] = rooms.spawned
    thread = answering(child, packet)
    fate = performance.end()
    thread.join()

    assert fate == Fate(signal=9)
    assert child.ended
    assert not Path(child.payload["home"]).exists()


def test_a_process_that_does_not_answer_is_ended_as_a_whole_when_its_patience_is_over(performance, rooms, stream):
    performance.serve(stream.fileno())
    [child] = rooms.spawned
    began = time.monotonic()
    fate = performance.end()
    seconds = time.monotonic() - began

    assert fate == Fate(signal=9)
    assert child.ended
    assert PATIENCE <= seconds < PATIENCE + 1


def test_after_that_the_next_worker_runs_the_notebook_again(performance, rooms, stream):
    performance.serve(stream.fileno())
    performance.end()
    performance.serve(stream.fileno())

    assert [child.ended for child in rooms.spawned] == [True, False]


def test_a_process_that_hung_up_is_ended_without_waiting(performance, rooms, stream):
    performance.serve(stream.fileno())
    [child] = rooms.spawned
    child.control.close()
    began = time.monotonic()
    performance.end()

    assert child.ended
    assert time.monotonic() - began < 0.5


def test_a_process_that_takes_no_more_messages_does_not_hold_the_host_up(performance, rooms, stream):
    performance.serve(stream.fileno())
    began = time.monotonic()
    for _ in range(1000):
        performance.serve(stream.fileno())
        if len(rooms.spawned) > 1:
            break

    assert time.monotonic() - began < 5


def test_closing_ends_the_process_and_removes_its_home(performance, rooms, stream):
    performance.serve(stream.fileno())
    [child] = rooms.spawned
    (Path(child.payload["home"]) / "left behind").mkdir()
    fate = performance.close()
    close_all(child.message()[1])

    assert fate == Fate(signal=9)
    assert child.ended
    assert not Path(child.payload["home"]).exists()
    assert child.message() == (b"", [])


# -- real processes ----------------------------------------------------------------------------------------------------

CELLS = ("print('run', flush=True)", "import os, signal\nclass A:\n    def __init__(self, how=''):\n        exec(how)")


class OneRoom:
    """Rooms of which only the worker's is there.

    Attributes:
        spawned: how many children it had, which is how often the notebook was run.
    """

    def __init__(self, process: WarmProcess, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.spawned = 0

    def make_home(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))

    def spawn(self, room: str, payload: bytes, descriptors: list[int]) -> Lease:
        self.spawned += 1
        return self._process.spawn(payload, descriptors)

    def end(self, lease: Lease, *, patience: float = 0.0) -> Fate:
        return lease.end(patience=patience)


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmProcess]:
    environment = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "LANG": "C.UTF-8"}
    scratch = tmp_path_factory.mktemp("scratch")
    process = WarmProcess("worker", environment=environment, arguments=[str(scratch), str(LIMITS.memory)])
    try:
        process.wait()
        yield process
    finally:
        process.close()


@pytest.fixture
def room(worker: WarmProcess, tmp_path: Path) -> OneRoom:
    return OneRoom(worker, tmp_path)


@contextlib.contextmanager
def staged(room: OneRoom, *cells: str) -> Iterator[Performance]:
    """A notebook that waits to be examined."""
    code = tuple(wire.CodeCell(number, source, source) for number, source in enumerate(cells, 1))
    with sealed(wire.pack({"n.ipynb": wire.File(b"", code)})) as bundle:
        performance = Performance(room, bundle, LIMITS, core=0)  # type: ignore[arg-type]
        yield performance
        performance.close()


@pytest.fixture
def notebook(room: OneRoom, tmp_path: Path) -> Iterator[Performance]:
    with staged(room, *CELLS) as performance:
        yield performance
    homes = list(tmp_path.iterdir())

    assert homes == []


@contextlib.contextmanager
def asked(notebook: Performance) -> Iterator[wire.Asker]:
    """An examiner for whom the notebook's class is open."""
    ours, theirs = socket.socketpair()
    with theirs:
        notebook.serve(theirs.fileno())
    with contextlib.closing(wire.Asker(wire.Connection(ours, wire.Reply, peer="worker"))) as asker:
        asker.ask(wire.Execute("n.ipynb", 1, 3.0, 15.0), deadline=time.monotonic() + 30)
        asker.ask(wire.Open("n.ipynb", "A", False, seed=1, seconds=5.0), deadline=time.monotonic() + 30)
        yield asker


def build(asker: wire.Asker, how: str = "") -> wire.Reply:
    question = wire.Build((how,), {}, dtype=None, values={}, seconds=5.0)
    return asker.ask(question, deadline=time.monotonic() + 10)


def test_workers_of_one_notebook_follow_each_other_and_each_is_ended(notebook):
    fates = []
    for how in ("", "os._exit(3)", "os.kill(os.getpid(), signal.SIGSEGV)", ""):
        with asked(notebook) as asker, contextlib.suppress(WireError):
            build(asker, how)
        fates.append(notebook.end())

    assert [(fate.code, fate.signal) for fate in fates] == [(0, None), (3, None), (None, 11), (0, None)]


def test_what_one_worker_changes_is_not_seen_by_the_next(notebook, room):
    with asked(notebook) as asker:
        build(asker, "A.mark = 5")
        seen = [isinstance(build(asker, "assert A.mark == 5"), wire.Built)]
        notebook.end()
    with asked(notebook) as asker:
        seen.append(isinstance(build(asker, "assert A.mark == 5"), wire.Built))
        notebook.end()

    assert seen == [True, False]
    assert room.spawned == 1


@pytest.mark.parametrize("first", ["x = 1", "import time\ntime.sleep(1.2)"], ids=["brief", "long"])
def test_a_worker_that_hangs_does_not_cost_another_run_of_the_notebook(room, first):
    with staged(room, first, *CELLS) as notebook:
        with asked(notebook) as asker:
            question = wire.Build(("import time; time.sleep(60)",), {}, dtype=None, values={}, seconds=30.0)
            with pytest.raises(DeadlinePassed):
                asker.ask(question, deadline=time.monotonic() + 0.5)
            fate = notebook.end()
        with asked(notebook) as asker:
            built = build(asker)

    assert fate.signal == 9
    assert isinstance(built, wire.Built)
    assert room.spawned == 1


STOPS_ITSELF = """
import os, signal, threading, time

def watch():
    while not os.path.exists("stop"):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGSTOP)

threading.Thread(target=watch).start()
"""


def test_a_notebook_s_process_that_stopped_itself_is_killed_and_the_next_worker_runs_the_notebook_again(room):
    with staged(room, *CELLS, STOPS_ITSELF) as notebook:
        with asked(notebook) as asker:
            build(asker, "open('stop', 'w').close(); time.sleep(0.5)")
            fate = notebook.end()
        with asked(notebook) as asker:
            built = build(asker)

    assert fate.signal == 9
    assert isinstance(built, wire.Built)
    assert room.spawned == 2
