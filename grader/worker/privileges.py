"""Gives up every right that a process may have beyond those of a normal user, and proves it.

Theory of operation
-------------------
The order is forced by what each step needs:

1. no_new_privs: from now on exec gives nothing. It needs nothing itself.
2. The bounding set and the securebits, while CAP_SETPCAP is still there: no exec and no change of user can bring a
   capability back, not even for user 0 of a user namespace.
3. Groups, then group, then user, while CAP_SETGID and CAP_SETUID are still there.
4. All capabilities. In a user namespace this is what ends the child's power over its own mounts and network.
5. Undumpable, and death together with the parent. A change of user clears the second, so it comes last.

Then the process looks at itself. Where something is left that should be gone, `drop` raises, and the process must end.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_GET_DUMPABLE: Final = 3
PR_CAPBSET_DROP: Final = 24
PR_SET_SECUREBITS: Final = 28
PR_SET_NO_NEW_PRIVS: Final = 38
PR_GET_NO_NEW_PRIVS: Final = 39
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
SECUREBITS: Final = 0xEF
"""NOROOT, NO_SETUID_FIXUP and NO_CAP_AMBIENT_RAISE, all locked, and KEEP_CAPS locked as it is: off."""
CAPABILITY_VERSION: Final = 0x20080522
HIGHEST_CAPABILITY: Final = 63


STRANGERS: Final = range(1_879_048_192, 1_879_048_192 + 65_536)
"""Numbers of users that no machine gives to anybody: above those of containers, and of accounts from directories."""


def strangers() -> range | None:
    """Users that nobody is, and that this process can become; None where it cannot become another."""
    if os.geteuid() != 0:
        return None
    try:
        with open("/proc/self/uid_map", encoding="ascii") as lines:
            mapped = [tuple(map(int, line.split())) for line in lines]
    except OSError:
        return None
    for first, _, count in sorted(mapped, reverse=True):
        if first <= STRANGERS.start and STRANGERS.stop <= first + count:
            return STRANGERS
        if count > len(STRANGERS) // 2:  # in a container that has its own: the upper end of those
            return range(first + count - 4096, first + count - 1)
    return None


def can_read(uid: int, paths: Iterable[Path]) -> bool:
    """Whether this user can read all of these: found out by a fork of this process, which is root."""
    pid = os.fork()
    if pid == 0:
        readable = False
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            readable = all(os.access(path, os.R_OK) for path in paths)
        finally:
            os._exit(0 if readable else 1)
    _, status = os.waitpid(pid, 0)
    return status == 0


def drop(uid: int | None, gid: int | None = None) -> None:
    """Give up all privileges, for good. To be called in a forked child with one thread.

    Args:
        uid: the user to become, where this process is root; None to stay who it is.
        gid: the group to become; by default the one with the user's number.

    Raises:
        OSError: a step failed, or did not have its effect; `filename` says which. The process must end then.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _require(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    for capability in range(HIGHEST_CAPABILITY + 1):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # the first that the kernel does not know, or none may be dropped
    libc.prctl(PR_SET_SECUREBITS, SECUREBITS, 0, 0, 0)  # only where there are capabilities
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    if uid is None:
        with contextlib.suppress(PermissionError):  # a normal user keeps the groups, as does a user namespace
            os.setgroups([])
    else:
        gid = uid if gid is None else gid
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    _require(libc.capset(_header(), bytes(24)), "capset")
    _require(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")
    die_with_parent()
    for fault in remaining(uid, gid):
        raise OSError(0, "not given up", fault)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends. A fork of this one has to say so again."""
    libc = ctypes.CDLL(None, use_errno=True)
    _require(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "parent-death signal")


def remaining(uid: int | None = None, gid: int | None = None) -> list[str]:
    """What this process could still do that it should not: empty after a `drop` that took effect."""
    libc = ctypes.CDLL(None, use_errno=True)
    held = ctypes.create_string_buffer(24)
    left = []
    if libc.capget(_header(), held) != 0 or any(held.raw):
        left.append("capabilities")
    if libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1:
        left.append("new privileges through exec")
    if libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0:
        left.append("dumpable")
    if uid is not None and os.getresuid() != (uid, uid, uid):
        left.append("user")
    if gid is not None and (os.getresgid() != (gid, gid, gid) or os.getgroups()):
        left.append("groups")
    return left


def _header() -> bytes:
    return struct.pack("Ii", CAPABILITY_VERSION, 0)


def _require(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
