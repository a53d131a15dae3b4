"""A warm process that forks a child for each request, and never loses one.

Theory of operation
-------------------
The host starts a process, which imports everything once and then calls `ForkServer.serve`. The two share one control
socket. To spawn, the host sends a payload together with a fresh *lease* socket and whatever descriptors the child
shall have. The fork server forks, keeps its end of the lease, and answers on it with the child's pid. From then on the
lease is the child's life line, in both directions:

- the child ends: the server reaps it and sends its exit status and resource use over the lease;
- the host shuts the lease down, or dies (then the kernel does it): the server kills the child's process
  group, everything that escaped from it, reaps, and answers as above.

Only the server reaps, so a pid cannot be reused between the decision to kill and the kill. The server is a child
subreaper: what a child leaves behind becomes the server's own child and is killed when it is found.

Fork is safe only in a process with one thread; `serve` refuses to start otherwise (set `OMP_NUM_THREADS=1` before torch
is imported). Before the first fork the heap is frozen for the garbage collector and, where the kernel can, collapsed
into huge pages: a fork copies page tables, and this makes them 500 times smaller.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import select
import signal
import socket
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, NoReturn, Protocol

import msgspec

from grader.errors import WarmProcessError
from grader.walls import Walls

MESSAGE_CAP: Final = 64 << 10
MADV_COLLAPSE: Final = 25
HUGE_PAGE: Final = 2 << 20
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_DUMPABLE: Final = 4


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a server says about itself: that it is warm, and what walls its children in, or why it cannot be."""

    ready: bool
    message: str = ""
    walls: Walls | None = None


class Fate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a child ended: `signal` or `code` is set. Seconds are CPU time, `peak` is resident memory in KiB.

    `stopped` says that it had hung up, but went on until it was killed.
    """

    signal: int | None = None
    code: int | None = None
    stopped: bool = False
    user_seconds: float = 0.0
    system_seconds: float = 0.0
    peak: int = 0


Child = Callable[[bytes, list[int]], None]
"""What a forked child does with its payload and descriptors. When it returns, the child exits."""


class Nursery(Protocol):
    """Where children come from, and what is put in order after them."""

    def fork(self) -> int:
        """Fork as `os.fork` does. Raises `OSError` in the parent only."""

    def ended(self, pid: int) -> None:
        """A child has ended, or is about to be killed: kill all that belongs to it. It is reaped afterwards."""


class _Plain:
    """Children that share everything with the machine."""

    def fork(self) -> int:
        """Fork."""
        return os.fork()

    def ended(self, pid: int) -> None:
        """Nothing to put in order."""


class ForkServer:
    """The warm process's side: waits on the control socket, forks, watches the leases."""

    def __init__(self, control: socket.socket, nursery: Nursery | None = None) -> None:
        self._control = control
        self._nursery = nursery or _Plain()
        self._leases: dict[int, socket.socket] = {}  # pid -> lease
        self._pids: dict[int, int] = {}  # pid descriptor -> pid
        self._poll = select.poll()

    def announce(self, note: Note) -> None:
        """Tell the host that the process is warm, or why it is not."""
        self._control.send(msgspec.json.encode(note))

    def serve(self, child: Child) -> None:
        """Fork for each request until the host goes away. Returns in the server only; a child never returns from it."""
        _require_one_thread()
        become_subreaper()
        _become_undumpable()
        settle_memory()
        self._poll.register(self._control, select.POLLIN)
        while True:
            events = self._poll.poll(1000 if self._leases else None)
            if events:
                # One event at a time: acting on it may close descriptors that the rest of the list speaks of.
                descriptor, _ = events[0]
                if descriptor == self._control.fileno():
                    if not self._accept(child):
                        break
                elif (pid := self._pids.get(descriptor) or self._leaseholder(descriptor)) is not None:
                    self._end(pid)
            sweep(self._leases.keys())
        for pid in tuple(self._leases):
            self._end(pid)
        sweep(())

    def _accept(self, child: Child) -> bool:
        payload, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_CAP, 16)
        if not payload:
            return False
        lease, *rest = descriptors
        try:
            pid = self._nursery.fork()
        except OSError:  # no process or no namespace can be had: the host sees that its lease is closed
            for descriptor in descriptors:
                os.close(descriptor)
            return True
        if pid == 0:
            os.close(lease)
            self._in_child(child, payload, rest)
        for descriptor in rest:
            os.close(descriptor)
        watch = os.pidfd_open(pid)
        self._leases[pid] = socket.socket(fileno=lease)
        self._pids[watch] = pid
        self._poll.register(watch, select.POLLIN)
        self._poll.register(self._leases[pid], select.POLLIN)
        self._say(pid, msgspec.json.encode(pid))
        return True

    def _in_child(self, child: Child, payload: bytes, descriptors: list[int]) -> NoReturn:
        code = 70  # EX_SOFTWARE: our own fault, unless the child returns
        try:
            self._control.close()
            for lease in self._leases.values():
                lease.close()
            for watch in self._pids:
                os.close(watch)
            os.setsid()
            child(payload, descriptors)
            code = 0
        finally:
            os._exit(code)

    def _leaseholder(self, descriptor: int) -> int | None:
        return next((pid for pid, lease in self._leases.items() if lease.fileno() == descriptor), None)

    def _end(self, pid: int) -> None:
        """Kill a child and its process group unless they are dead already, reap, say how it ended, and forget it."""
        status, usage = end(pid, self._nursery, spared=self._leases.keys() - {pid})
        fate = Fate(
            signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            user_seconds=usage.ru_utime,
            system_seconds=usage.ru_stime,
            peak=usage.ru_maxrss,
        )
        self._say(pid, msgspec.json.encode(fate))
        lease = self._leases.pop(pid)
        self._poll.unregister(lease)
        lease.close()
        watch = next(descriptor for descriptor, owner in self._pids.items() if owner == pid)
        self._poll.unregister(watch)
        os.close(watch)
        del self._pids[watch]

    def _say(self, pid: int, message: bytes) -> None:
        with contextlib.suppress(OSError):  # the host closed the lease: nobody wants to know
            self._leases[pid].send(message, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)


def become_subreaper() -> None:
    """Have what children leave behind become children of this process."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end(pid: int, nursery: Nursery, *, spared: Collection[int]) -> tuple[int, resource.struct_rusage]:
    """Kill a child and its process group unless they are dead already, and every child of this process but those
    spared, with all that descends from them. Returns how the child ended, as `os.wait4` says it.

    Everybody is killed before anybody is waited for: who is killed dies when it is given the CPU next, and hundreds who
    are still alive would come first.
    """
    nursery.ended(pid)
    kill_families([pid, *_strays(spared)])
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # it holds its pid until it is reaped, so this hits no stranger
    _, status, usage = os.wait4(pid, 0)
    sweep(spared)
    return status, usage


def sweep(spared: Collection[int]) -> None:
    """Kill and reap every child of this process but those spared, with all that descends from them, until there is no
    other. Nobody is waited for as long as new ones turn up: whoever loses its parent becomes a child of this process.
    """
    known: set[int] = set()
    while strays := _strays(spared):
        if new := [pid for pid in strays if pid not in known]:
            kill_families(new)
            known.update(new)
        elif not (reaped := {pid for pid in strays if _reap(pid, os.WNOHANG)}):
            _reap(strays[0], 0)
        else:
            known -= reaped


def kill_families(pids: Collection[int]) -> None:
    """Kill these processes and all that descends from them, and reap nobody.

    Parents go before their children are looked for: the kernel gives up a fork whose process was killed meanwhile (but
    not one that was stopped), so what is not seen then has become a child of this process, and is found there.
    """
    family = [*pids]
    for pid in family:  # grows while it is walked
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        family += children(pid)


def children(pid: int | None = None) -> list[int]:
    """The children of a process with one thread; by default of this one."""
    parent = pid or os.getpid()
    try:
        file = os.open(f"/proc/{parent}/task/{parent}/children", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        text = b""
        while more := os.read(file, 1 << 16):
            text += more
    except OSError:
        return []
    finally:
        os.close(file)
    return [int(child) for child in text.split()]


def _strays(spared: Collection[int]) -> list[int]:
    return [pid for pid in children() if pid not in spared]


def _reap(pid: int, options: int) -> bool:
    """Whether a child was dead, and is gone now."""
    try:
        return os.waitpid(pid, options)[0] == pid
    except ChildProcessError:
        return True


def _require_one_thread() -> None:
    try:
        threads = os.listdir("/proc/self/task")
    except OSError:
        return  # no /proc: another system than Linux
    if len(threads) != 1:
        raise WarmProcessError(
            f"{len(threads)} threads are running in a process that is about to fork",
            room="fork server",
            hint="OMP_NUM_THREADS=1 must be set before torch is imported",
        )


def _become_undumpable() -> None:
    """Other processes of the same user cannot read this one's memory, nor does a crash write it down."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def settle_memory() -> None:
    """Freeze the heap for the collector and collapse anonymous memory into huge pages. Both are only about speed."""
    gc.collect()
    gc.freeze()
    try:
        maps = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in maps:
        span, access, _, _, inode, *name = line.split(maxsplit=5)
        if inode != "0" or not access.startswith("rw") or (name and name[0].startswith("[v")):
            continue
        low, high = (int(edge, 16) for edge in span.split("-"))
        for start in range(-(-low // HUGE_PAGE) * HUGE_PAGE, high - HUGE_PAGE + 1, HUGE_PAGE):
            libc.madvise(start, HUGE_PAGE, MADV_COLLAPSE)
