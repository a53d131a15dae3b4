from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from grader import wire
from grader.errors import PeerClosed, WarmProcessError
from grader.executors.warm import Lease, WarmProcess, sealed
from grader.forkserver import Fate
from grader.model import IsolationLevel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

QUIET = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "LANG": "C.UTF-8"}
SUBMISSION = b"""
import os
class Doubling:
    def __init__(self, how="well"):
        if how == "exit":
            os._exit(5)
    def __call__(self, x):
        return 2 * x
"""


def packets() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def soon() -> float:
    return time.monotonic() + 20


# -- leases: the other end is played by the test -----------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[Lease, socket.socket]]:
    """A lease on a child with the pid 4711, and the server's end of it."""
    ours, theirs = packets()
    theirs.send(b"4711")
    with ours, theirs:
        yield Lease("worker", ours, parent=os.getpid()), theirs


def test_a_lease_knows_the_pid_of_its_child(server):
    lease, _ = server

    assert lease.pid == 4711


def test_ending_a_lease_hangs_up_one_way_and_tells_the_fate(server):
    lease, theirs = server
    theirs.send(msgspec.json.encode(Fate(signal=9, peak=1)))

    assert lease.end() == Fate(signal=9, peak=1)
    assert theirs.recv(100) == b""


def test_the_fate_of_a_child_that_ended_by_itself_is_not_lost(server):
    lease, theirs = server
    theirs.send(msgspec.json.encode(Fate(code=3)))
    theirs.close()

    assert lease.end() == Fate(code=3)


def test_a_lease_whose_server_is_gone_says_so(server):
    lease, theirs = server
    theirs.close()

    with pytest.raises(WarmProcessError, match="the worker process is gone") as caught:
        lease.end()

    assert caught.value.room == "worker"


def test_a_child_that_was_never_born_is_a_process_that_is_gone_and_leaves_no_socket_open():
    ours, theirs = packets()
    theirs.close()
    with pytest.raises(WarmProcessError, match="the examiner process is gone"):
        Lease("examiner", ours, parent=os.getpid())
    still_open = ours.fileno() != -1
    ours.close()

    assert not still_open


# -- sealed files ------------------------------------------------------------------------------------------------------


def test_a_sealed_file_holds_its_content():
    with sealed(b"content") as descriptor:
        assert os.pread(descriptor, 100, 0) == b"content"
        assert os.fstat(descriptor).st_size == 7


def test_a_sealed_file_cannot_be_changed_by_whoever_has_its_descriptor():
    with sealed(b"content") as descriptor:
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"forged", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 0)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 100)
        with pytest.raises(PermissionError):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0)

        assert os.pread(descriptor, 100, 0) == b"content"


def test_a_sealed_file_is_closed_afterwards_even_after_an_error():
    with pytest.raises(ValueError, match="no"), sealed(b"") as descriptor:
        raise ValueError("no")

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


# -- processes ---------------------------------------------------------------------------------------------------------


def test_a_python_that_cannot_be_run_is_reported_and_leaves_nothing_open(monkeypatch):
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with pytest.raises(WarmProcessError, match="/nonexistent/python cannot be started: No such file") as caught:
        WarmProcess("worker", environment={})

    assert "Python that this user can run" in str(caught.value.hint)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_process_that_does_not_start_is_reported_with_its_last_words():
    process = WarmProcess("cellar", environment=QUIET)
    try:
        with pytest.raises(WarmProcessError) as caught:
            process.wait()

        assert caught.value.room == "cellar"
        assert "the cellar process did not start" in caught.value.message
        assert "grader.cellar" in caught.value.message
        assert caught.value.hint
        assert not process.alive()
    finally:
        process.close()


def test_nothing_can_be_spawned_from_a_process_that_is_gone():
    process = WarmProcess("cellar", environment=QUIET)
    try:
        with pytest.raises(WarmProcessError):
            process.wait()

        with pytest.raises(WarmProcessError, match="the cellar process is gone"):
            process.spawn(b"go", [])
    finally:
        process.close()


@pytest.fixture(scope="module")
def worker() -> Iterator[WarmProcess]:
    """The real worker process: starting it takes as long as importing torch."""
    os.environ["GRADER_TEST_CANARY"] = "secret"
    process = WarmProcess("worker", environment=QUIET, arguments=[tempfile.mkdtemp(), str(4 << 30)])
    try:
        process.wait()
        yield process
    finally:
        del os.environ["GRADER_TEST_CANARY"]
        process.close()


@contextlib.contextmanager
def hired(worker: WarmProcess) -> Iterator[tuple[Lease, wire.Asker]]:
    """A child of the worker that has loaded the submission above."""
    ours, theirs = socket.socketpair()
    payload = msgspec.json.encode({"memory": 4 << 30, "cpu_seconds": 20, "home": tempfile.mkdtemp()})
    with sealed(wire.pack({"doubling.py": wire.File(SUBMISSION)})) as bundle:
        lease = worker.spawn(payload, [theirs.fileno(), bundle])
    theirs.close()
    asker = wire.Asker(wire.Connection(ours, wire.Reply, peer="worker"))
    opened = asker.ask(wire.Open("doubling.py", "Doubling", False, seed=1, seconds=5.0), deadline=soon())
    assert isinstance(opened, wire.Opened)
    try:
        yield lease, asker
    finally:
        asker.close()


def build(*args: str) -> wire.Build:
    return wire.Build(args=args, kwargs={}, dtype=None, values={}, seconds=5.0)


def test_a_warm_worker_tells_what_walls_its_children_in(worker):
    assert worker.alive()
    assert worker.walls is not None
    assert worker.walls.level in tuple(IsolationLevel)


def test_a_child_answers_and_is_killed_on_demand(worker):
    with hired(worker) as (lease, asker):
        built = asker.ask(build(), deadline=soon())
        question = wire.Call(built.module, (21,), {}, echo=False, seconds=5.0)

        assert asker.ask(question, deadline=soon()) == wire.Returned(42, ())
        assert lease.end().signal == 9


def test_a_child_that_ends_itself_closes_the_connection_and_its_fate_is_known(worker):
    with hired(worker) as (lease, asker):
        with pytest.raises(PeerClosed):
            asker.ask(build("exit"), deadline=soon())

        assert lease.end().code == 5


def test_the_fates_of_many_children_that_are_killed_at_once_all_arrive(worker):
    fates: list[Fate | WarmProcessError] = []

    def spawn_and_end() -> None:
        for _ in range(15):
            ours, theirs = socket.socketpair()
            with ours, theirs, sealed(wire.pack({})) as bundle:
                try:
                    payload = msgspec.json.encode({"memory": 4 << 30, "cpu_seconds": 20, "home": tempfile.mkdtemp()})
                    fates.append(worker.spawn(payload, [theirs.fileno(), bundle]).end())
                except WarmProcessError as error:
                    fates.append(error)

    threads = [threading.Thread(target=spawn_and_end) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [fate for fate in fates if not isinstance(fate, Fate) or fate.signal != 9] == []
    assert len(fates) == 30


def test_a_warm_process_does_not_inherit_the_environment(worker):
    environment = Path(f"/proc/{worker._process.pid}/environ").read_bytes()

    assert b"secret" not in environment
    assert b"OMP_NUM_THREADS=1" in environment


def test_a_warm_process_ends_with_its_children_when_it_is_closed(worker):
    with hired(worker) as (lease, _):  # the last test of this file: the next would find the process closed
        worker.close()

        assert not worker.alive()
        with pytest.raises(ProcessLookupError):
            os.kill(lease.pid, 0)
        assert lease.end().signal == 9
