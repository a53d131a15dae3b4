from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from grader.errors import WarmProcessError
from grader.forkserver import Child, Fate, ForkServer, Note, Nursery
from grader.walls import CONFINED, Layer, Walls

WALLS = Walls(level=CONFINED, layers=(Layer(name="own root", stands=False, why="refused"),), open=())

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fork servers need Linux")

PATIENCE = 60.0
"""Seconds after which a test gives up. What it waits for takes milliseconds."""


class Host:
    """The other side of a fork server that runs in a child of this process."""

    def __init__(self, child: Child, nursery: Nursery | None = None) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(PATIENCE)
        self.pid = os.fork()
        if self.pid == 0:
            in_server(self.control, theirs, child, nursery)
        theirs.close()
        self.ended = False

    def spawn(self, payload: bytes = b"go", descriptors: tuple[int, ...] = ()) -> tuple[int, socket.socket]:
        """The pid of a new child, and its lease."""
        lease, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lease.settimeout(PATIENCE)
        with theirs:
            socket.send_fds(self.control, [payload], [theirs.fileno(), *descriptors])
        return msgspec.json.decode(lease.recv(4096), type=int), lease

    def fate(self, payload: bytes = b"go", descriptors: tuple[int, ...] = (), *, kill: bool = False) -> Fate:
        """How a new child ended, by itself or because it was killed."""
        _, lease = self.spawn(payload, descriptors)
        with lease:
            if kill:
                lease.shutdown(socket.SHUT_WR)
            return fate_from(lease)

    def wait(self) -> int:
        """Go away, and wait for the server to end. Returns its exit code."""
        self.control.close()
        deadline = time.monotonic() + PATIENCE
        while not self.ended and time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.ended = True
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        raise TimeoutError("the fork server did not end")

    def close(self) -> None:
        """Make sure that nothing is left."""
        self.control.close()
        if not self.ended:
            with contextlib.suppress(TimeoutError):
                self.wait()
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def in_server(control: socket.socket, theirs: socket.socket, child: Child, nursery: Nursery | None) -> None:
    code = 1
    try:
        signal.alarm(120)  # whatever a test does, nothing of it stays
        control.close()
        ForkServer(theirs, nursery).serve(child)
        code = 0
    finally:
        os._exit(code)


def fate_from(lease: socket.socket) -> Fate:
    return msgspec.json.decode(lease.recv(4096), type=Fate)


@pytest.fixture
def start() -> Iterator[Callable[..., Host]]:
    """Starts fork servers, and ends them after the test."""
    hosts: list[Host] = []

    def starting(child: Child, nursery: Nursery | None = None) -> Host:
        hosts.append(Host(child, nursery))
        return hosts[-1]

    yield starting
    for host in hosts:
        host.close()


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def is_gone(pid: int) -> bool:
    """Whether no process of this number runs any more; one that is only waiting to be reaped does not run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


def obey(payload: bytes, descriptors: list[int]) -> None:
    """What a child does: its payload is the name of a function in this file, or a line for its first descriptor."""
    globals()[payload.decode()](descriptors)


# -- what children do --------------------------------------------------------------------------------------------------


def return_at_once(_descriptors: list[int]) -> None:
    pass


def exit_with_3(_descriptors: list[int]) -> None:
    os._exit(3)


def leave_politely(_descriptors: list[int]) -> None:
    sys.exit(0)


def raise_an_error(_descriptors: list[int]) -> None:
    raise RuntimeError("no")


def crash(_descriptors: list[int]) -> None:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)  # pytest would print where it happened
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def compute(_descriptors: list[int]) -> None:
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass


def loop_for_ever(_descriptors: list[int]) -> None:
    for number in {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM, signal.SIGQUIT}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    while True:
        pass


def leave_a_daemon(descriptors: list[int]) -> None:
    """A grandchild in a session of its own, whose parents are gone: the classic way to escape."""
    if os.fork() == 0:
        os.setsid()
        if (daemon := os.fork()) == 0:
            loop_for_ever([])
        os.write(descriptors[0], f"{daemon}\n".encode())  # the daemon itself may be killed before it comes to that
        os._exit(0)
    os.wait()


def leave_a_daemon_and_wait(descriptors: list[int]) -> None:
    leave_a_daemon(descriptors)
    time.sleep(60)


def leave_a_family(descriptors: list[int]) -> None:
    """Three generations, each in a session of its own, all of them alive."""
    for _ in range(3):
        if os.fork():
            break
        os.setsid()
        os.write(descriptors[0], f"{os.getpid()}\n".encode())
    time.sleep(60)


def tell_who_it_is(descriptors: list[int]) -> None:
    facts = (os.getpid(), os.getsid(0), len(os.listdir("/proc/self/task")))
    os.write(descriptors[0], msgspec.json.encode(facts))


def list_descriptors(descriptors: list[int]) -> None:
    own = set(descriptors)
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append((int(name), os.readlink(f"/proc/self/fd/{name}")))
    sockets = [
        target for number, target in found if number not in own and target.startswith(("socket:", "anon_inode:"))
    ]
    os.write(descriptors[0], msgspec.json.encode(sockets))


def read_pids(reading: int, count: int) -> list[int]:
    """Wait until so many lines with pids have arrived on a pipe."""
    content = b""
    deadline = time.monotonic() + PATIENCE
    while content.count(b"\n") < count:
        ready, _, _ = select.select([reading], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError("the children did not say who they are")
        content += os.read(reading, 4096)
    return [int(line) for line in content.split()]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


# -- how children end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "code"),
    [(b"return_at_once", 0), (b"exit_with_3", 3), (b"leave_politely", 70), (b"raise_an_error", 70)],
)
def test_a_child_that_ends_by_itself_is_told_with_its_exit_code(start, deed, code):
    fate = start(obey).fate(deed)

    assert (fate.code, fate.signal) == (code, None)


def test_a_child_that_crashes_is_told_with_its_signal(start):
    fate = start(obey).fate(b"crash")

    assert (fate.code, fate.signal) == (None, signal.SIGSEGV)


def test_a_child_that_ignores_every_signal_is_killed_on_demand(start):
    host = start(obey)
    started = time.monotonic()
    fate = host.fate(b"loop_for_ever", kill=True)

    assert fate.signal == signal.SIGKILL
    assert time.monotonic() - started < 5


def test_what_a_child_used_is_told(start):
    fate = start(obey).fate(b"compute")

    assert 0.09 < fate.user_seconds + fate.system_seconds < 1
    assert fate.peak > 1000


def test_the_fate_of_a_killed_child_waits_for_a_host_that_is_slow_to_read_it(start):
    pid, lease = start(obey).spawn(b"loop_for_ever")
    with lease:
        lease.shutdown(socket.SHUT_WR)
        hung_up = select.poll()
        hung_up.register(lease, select.POLLHUP)

        assert hung_up.poll(PATIENCE * 1000)
        assert is_gone(pid)
        assert fate_from(lease).signal == signal.SIGKILL


def test_a_child_is_killed_when_the_host_closes_its_lease(start):
    pid, lease = start(obey).spawn(b"loop_for_ever")
    lease.close()

    assert eventually(lambda: is_gone(pid))


def test_children_end_independently_of_each_other(start):
    host = start(obey)
    first, first_lease = host.spawn(b"loop_for_ever")
    second, second_lease = host.spawn(b"loop_for_ever")
    with first_lease, second_lease:
        first_lease.shutdown(socket.SHUT_WR)

        assert fate_from(first_lease).signal == signal.SIGKILL
        assert is_gone(first)
        assert not is_gone(second)
        assert host.fate(b"exit_with_3").code == 3
        assert not is_gone(second)


def test_a_hundred_children_one_after_the_other_each_tell_their_own_fate(start):
    host = start(obey)
    fates = [host.fate(deed).code for deed in [b"return_at_once", b"exit_with_3"] * 50]

    assert fates == [0, 3] * 50


def test_children_that_end_at_the_same_time_all_tell_their_fate(start):
    host = start(obey)
    leases = [host.spawn(b"exit_with_3")[1] for _ in range(20)]
    fates = [fate_from(lease).code for lease in leases]
    for lease in leases:
        lease.close()

    assert fates == [3] * 20


# -- what children are given -------------------------------------------------------------------------------------------


def test_a_child_gets_its_payload_and_its_descriptors(start, pipe):
    reading, writing = pipe
    host = start(lambda payload, descriptors: os.write(descriptors[0], payload) and None)
    host.fate(b"\x00 any bytes \xff", (writing,))

    assert os.read(reading, 100) == b"\x00 any bytes \xff"


def test_a_child_has_a_session_and_a_thread_of_its_own(start, pipe):
    reading, writing = pipe
    host = start(obey)
    host.fate(b"tell_who_it_is", (writing,))
    pid, session, threads = msgspec.json.decode(os.read(reading, 1000))

    assert pid == session != host.pid
    assert threads == 1


def test_a_child_inherits_neither_the_control_socket_nor_the_leases_of_its_siblings(start, pipe):
    reading, writing = pipe
    before = {os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if is_open(name)}
    host = start(obey)
    _, sibling = host.spawn(b"loop_for_ever")
    with sibling:
        host.fate(b"list_descriptors", (writing,))

    assert set(msgspec.json.decode(os.read(reading, 10_000))) - before == set()


def is_open(name: str) -> bool:
    return Path(f"/proc/self/fd/{name}").is_symlink()


# -- what children leave behind ----------------------------------------------------------------------------------------


def test_a_daemon_is_gone_when_the_fate_of_its_child_is_told(start, pipe):
    reading, writing = pipe
    fate = start(obey).fate(b"leave_a_daemon", (writing,))
    (daemon,) = read_pids(reading, 1)

    assert fate.code == 0
    assert is_gone(daemon)


def test_a_daemon_is_gone_when_its_child_was_killed(start, pipe):
    reading, writing = pipe
    _, lease = start(obey).spawn(b"leave_a_daemon_and_wait", (writing,))
    with lease:
        (daemon,) = read_pids(reading, 1)

        lease.shutdown(socket.SHUT_WR)
        assert fate_from(lease).signal == signal.SIGKILL
        assert is_gone(daemon)


def test_every_generation_of_a_family_is_gone_when_its_child_was_killed(start, pipe):
    reading, writing = pipe
    _, lease = start(obey).spawn(b"leave_a_family", (writing,))
    with lease:
        family = read_pids(reading, 3)

        lease.shutdown(socket.SHUT_WR)
        assert fate_from(lease).signal == signal.SIGKILL
        assert all(map(is_gone, family))


def test_a_daemon_does_not_cost_a_sibling_its_life(start, pipe):
    _, writing = pipe
    host = start(obey)
    sibling, lease = host.spawn(b"loop_for_ever")
    with lease:
        host.fate(b"leave_a_daemon", (writing,))

        assert not is_gone(sibling)


# -- the server itself -------------------------------------------------------------------------------------------------


def test_a_server_ends_when_the_host_goes_away_and_takes_its_children_with_it(start, pipe):
    reading, writing = pipe
    host = start(obey)
    child, lease = host.spawn(b"loop_for_ever")
    other, other_lease = host.spawn(b"leave_a_daemon_and_wait", (writing,))
    (daemon,) = read_pids(reading, 1)
    with lease, other_lease:
        code = host.wait()

    assert code == 0
    assert all(map(is_gone, (child, other, daemon)))


def test_a_server_that_nobody_wants_anything_of_ends_with_the_host(start):
    assert start(obey).wait() == 0


def test_a_host_that_dies_takes_everything_with_it(pipe):
    reading, writing = pipe
    host_pid = os.fork()
    if host_pid == 0:
        try:
            host = Host(obey)
            child, _lease = host.spawn(b"loop_for_ever")
            os.write(writing, f"{host.pid}\n{child}\n".encode())
            time.sleep(60)
        finally:
            os._exit(1)
    try:
        family = read_pids(reading, 2)
    finally:
        os.kill(host_pid, signal.SIGKILL)
        os.waitpid(host_pid, 0)

    assert eventually(lambda: all(map(is_gone, family)))


def test_a_server_tells_that_it_is_warm():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ForkServer(theirs).announce(Note(ready=True, walls=WALLS))

        assert msgspec.json.decode(ours.recv(4096), type=Note) == Note(ready=True, walls=WALLS)


def test_a_process_with_a_second_thread_refuses_to_serve():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with ours, theirs, pytest.raises(WarmProcessError, match="threads are running") as caught:
            ForkServer(theirs).serve(obey)
    finally:
        stop.set()
        thread.join()

    assert "OMP_NUM_THREADS=1" in str(caught.value.hint)


# -- the nursery -------------------------------------------------------------------------------------------------------


class Reluctant:
    """A nursery that fails at every second fork, and writes down whom it was told about."""

    def __init__(self, notes: int) -> None:
        self._notes = notes
        self._count = 0

    def fork(self) -> int:
        """Fork, or not."""
        self._count += 1
        if self._count % 2:
            raise OSError(errno.EAGAIN, "no process to be had")
        return os.fork()

    def ended(self, pid: int) -> None:
        """Write it down."""
        os.write(self._notes, f"{pid}\n".encode())


def open_descriptors(pid: int) -> int:
    time.sleep(0.005)
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a_fork_that_fails_closes_the_lease_and_costs_the_server_nothing(start):
    reading, notes = os.pipe()
    server = start(obey, Reluctant(notes))
    os.close(notes)
    fates, descriptors = [], []
    for _ in range(3):
        lease, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lease.settimeout(PATIENCE)
        with lease:
            with theirs:
                socket.send_fds(server.control, [b"return_at_once"], [theirs.fileno()])
            fates.append(lease.recv(4096))
        descriptors.append(min(open_descriptors(server.pid) for _ in range(20)))  # it may just be reading a file
        assert server.fate(b"exit_with_3").code == 3
    server.wait()
    with open(reading) as lines:
        ended = lines.read().split()

    assert fates == [b""] * 3
    assert len(set(descriptors)) == 1
    assert len(ended) == 3


def say_whether_it_is_dumpable(descriptors: list[int]) -> None:
    os._exit(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE


def test_neither_the_server_nor_its_children_can_be_read_or_dumped_by_others_of_the_same_user(start):
    assert start(obey).fate(b"say_whether_it_is_dumpable").code == 0
