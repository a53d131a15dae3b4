"""A fork whose child starts in namespaces of its own: one raw clone.

Theory of operation
-------------------
A fork shares everything the machine has: files, processes, sockets, shared memory. `clone` is a fork whose child starts
in new namespaces for processes, mounts, network, IPC and host name. It is one system call because the usual way, to
unshare and then fork once more for the pid namespace, costs a second copy of all page tables. Python is told about it
in the way that `os.fork` tells it, and so is libc about the new thread id; handlers of `pthread_atfork` do not run,
which is why the process must have one thread.

Where the caller may not do this, a user namespace makes it possible for many normal users: the child then has every
capability, in namespaces that hold nothing yet, and maps its own user to itself so that files keep their owners.

The child is process 1 of its namespace. When it ends, or is killed from outside, the kernel kills all that it started,
whatever they did to get away. Signals with a default action that anyone *inside* sends it are dropped: it cannot end by
`os.kill(os.getpid(), SIGTERM)`, nor by SIGKILL. Faults, `abort()` and CPU limits do end it.

A mount namespace begins as a copy: the child still sees every file until `rootfs.own_root` has run.
"""

from __future__ import annotations

import contextlib
import ctypes
import enum
import errno
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from grader.walls import NOT_LOCKED
from grader.worker import rootfs

NEWNS: Final = 0x00020000
NEWUTS: Final = 0x04000000
NEWIPC: Final = 0x08000000
NEWUSER: Final = 0x10000000
NEWPID: Final = 0x20000000
NEWNET: Final = 0x40000000
ALL: Final = NEWPID | NEWNS | NEWNET | NEWIPC | NEWUTS
"""Everything that a child gets where the caller is root; others add NEWUSER."""

CHILD_CLEARTID: Final = 0x00200000
CHILD_SETTID: Final = 0x01000000
PR_GET_DUMPABLE: Final = 3
PR_SET_DUMPABLE: Final = 4
PR_GET_TID_ADDRESS: Final = 40

_CLONE: Final = {"x86_64": 56, "aarch64": 220}
"""The number of the system call. They also differ in the last two arguments."""


class Kind(enum.Enum):
    """What gives this process namespaces."""

    ROOT = "root"
    USER = "user namespace"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Possible:
    """What this machine allows.

    Attributes:
        kind: the first of root and user namespaces that works.
        flags: what to give to `clone`; 0 where nothing works.
        reason: for people: why the better kinds do not work; empty for root.
    """

    kind: Kind
    flags: int
    reason: str


def clone(flags: int) -> int:
    """Fork into new namespaces. Returns like `os.fork`: 0 in the child, the child's pid as seen here in the parent.

    With NEWUSER the child's user and group are mapped to themselves before this returns; where that fails, the child
    says so on standard error and ends with NOT_LOCKED. Raises OSError in the parent only.
    """
    user, group = os.geteuid(), os.getegid()
    pid = _clone(flags)
    if pid == 0 and flags & NEWUSER:
        try:
            _map_ids(user, group)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.write(2, f"user namespace: {_said(error)}\n".encode(errors="replace"))
            os._exit(NOT_LOCKED)
    return pid


def possible() -> Possible:
    """Which namespaces a child can have here: found by trying, in a child, with a root of its own."""
    reasons: list[str] = []
    for kind, flags in ((Kind.ROOT, ALL), (Kind.USER, ALL | NEWUSER)):
        problem = "not running as root" if kind is Kind.ROOT and os.geteuid() != 0 else _try(flags)
        if not problem:
            return Possible(kind=kind, flags=flags, reason="; ".join(reasons))
        reasons.append(f"{kind.value}: {problem}")
    return Possible(kind=Kind.NONE, flags=0, reason="; ".join(reasons))


def _clone(flags: int) -> int:
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in _CLONE or sys.maxsize < 1 << 32:
        raise OSError(errno.ENOSYS, f"not known on {sys.platform} {machine}", "clone")
    api, libc = (
        ctypes.pythonapi,
        ctypes.PyDLL(None, use_errno=True),
    )  # PyDLL keeps the interpreter lock, as os.fork does
    for hook in (api.PyOS_BeforeFork, api.PyOS_AfterFork_Child, api.PyOS_AfterFork_Parent):
        hook.restype, hook.argtypes = None, ()
    libc.syscall.restype = ctypes.c_long
    # libc keeps its thread id in a place that the kernel knows; fork has the child's written there, and so do we.
    place = ctypes.c_void_p()
    if libc.prctl(PR_GET_TID_ADDRESS, ctypes.byref(place), 0, 0, 0) == 0 and place:
        flags |= CHILD_SETTID | CHILD_CLEARTID
    tid, none = ctypes.c_void_p(place.value), ctypes.c_void_p(None)
    stack_and_parent_tid, last = (none, none), (tid, none) if machine == "x86_64" else (none, tid)
    number, given = ctypes.c_long(_CLONE[machine]), ctypes.c_ulong(flags | signal.SIGCHLD)
    api.PyOS_BeforeFork()
    pid: int = libc.syscall(number, given, *stack_and_parent_tid, *last)
    if pid == 0:
        api.PyOS_AfterFork_Child()
        return 0
    problem = ctypes.get_errno()
    api.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(problem, os.strerror(problem), "clone")
    return pid


def _map_ids(user: int, group: int) -> None:
    """Map one user and one group to themselves. The kernel lets a process that is not dumpable write none of this."""
    libc = ctypes.CDLL(None)
    before = libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY)
        try:
            os.write(descriptor, text.encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"/proc/self/{name}") from error
        finally:
            os.close(descriptor)
    libc.prctl(PR_SET_DUMPABLE, before, 0, 0, 0)


def _try(flags: int) -> str:
    """Why a child cannot have these namespaces and a root of its own; empty where it can."""
    answer, said = os.pipe()
    with tempfile.TemporaryDirectory() as home:
        pid = os.fork()  # this process may have more threads than one; its fork has not
        if pid == 0:
            _trial(flags, Path(home), said)
        os.close(said)
        with open(answer, "rb") as lines:
            text = lines.read().decode(errors="replace")
        os.waitpid(pid, 0)
    return "" if text == "fine" else text or "the process that tried it died"


def _trial(flags: int, home: Path, said: int) -> NoReturn:
    user, group = os.geteuid(), os.getegid()
    try:
        pid = _clone(flags)
        if pid:
            os.waitpid(pid, 0)
            os._exit(0)
        if flags & NEWUSER:
            _map_ids(user, group)
        rootfs.own_root(home, [], [], size=1 << 20, inodes=64)
        os.write(said, b"fine")
    except BaseException as error:
        os.write(said, _said(error).encode(errors="replace"))
    finally:
        os._exit(0)


def _said(error: BaseException) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else repr(error)
