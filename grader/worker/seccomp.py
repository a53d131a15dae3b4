"""Which system calls a worker may make: a seccomp filter, made in Python and installed without privilege.

Theory of operation
-------------------
The kernel runs a small program (classic BPF) before each system call of the process and of all that it forks. The
program sees the call's number and its arguments as plain words, no memory behind them. So paths are not its business:
those are `landlock`'s. Its business is what has no path: processes, programs, sockets, signals, other processes'
memory, namespaces, keys, shared memory, and corners of the kernel that no exercise needs and that exploits start from.

The list is one of refusals, not of permissions. What torch, numpy, the allocator, the C library and Python call differs
between their versions and machines; with a list of permissions each update of one of them could turn correct
submissions into failures, silently and on some machines only. The usual price of a list of refusals is that a call
which is new in the kernel is allowed until somebody adds it. That price is not paid: every number beyond the last one
known here (`syscalls.LAST_KNOWN`) is answered with ENOSYS, as an older kernel would. What remains is the risk that a
call known here is dangerous and was overlooked.

Refused calls fail with EPERM, so that the student sees a Python error with a traceback instead of a dead process.
clone3 hides its flags in memory, where the filter cannot look; it fails with ENOSYS, upon which the C library uses
clone. Calls through another table than the machine's own (32-bit programs, x32) are refused altogether.

Arguments are compared in the width that the kernel uses: all that are looked at here are 32 bits wide, or such that the
kernel refuses set upper halves itself. The upper half of a pid, say, must not be compared: the kernel ignores it, so a
filter that reads it can be fooled with it.

Signals need care because a filter knows pids only as numbers that were true when it was installed:

- `Signals.ITSELF`: the process that installs it, and those named in `killable`. A fork of it can then not even signal
  itself (`abort`, `raise`): fit for processes that do not fork.
- `Signals.SINGLE`: any process or group, one at a time (not 0, not -1). Holds back nothing by itself: it belongs inside
  a pid namespace, or behind a Landlock that keeps signals inside (ABI 6). Without either, give each process after its
  fork a further filter with `ITSELF`; filters add up, and the strictest answer counts.

Refused besides what one would expect:

- chmod, chown, utime and extended attributes, in all forms: Landlock lets them pass everywhere, so that the owner of
  the installed libraries could make them unreadable for everybody graded later;
- F_SETOWN, F_SETSIG and their ioctls: they have the kernel send any signal to any process of the same user; leases:
  they stall whoever opens the file next;
- priority, scheduling and limits of other processes; becoming dumpable; another signal on the parent's death than
  SIGKILL;
- clone with CLONE_PARENT: the fork would escape the parent that waits for it;
- in pairs of sockets, datagrams: such a socket can be connected again, to any path.

The program is built once per profile and kept; `prepare` does so before the fork. A binary search over the numbers
keeps it short to walk, and kernels since 5.11 do not even run it for calls that are always allowed.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import os
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from grader.worker import bpf, syscalls
from grader.worker.bpf import ALLOW, Block, among, answer, any_bit


class Sockets(enum.Enum):
    """Which sockets can be made."""

    PAIRS = "two ends of a unix stream, connected to each other"
    UNIX = "any in the unix domain; they can be bound and connected"


class Signals(enum.Enum):
    """Who can be signalled."""

    ITSELF = "the process that installs the filter, and those it names"
    SINGLE = "any process or group, but not all at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a process may do.

    Attributes:
        processes: whether it may fork. Threads it may start in any case.
        programs: whether it may execute programs.
    """

    processes: bool
    programs: bool
    sockets: Sockets
    signals: Signals


MODULE: Final = Profile(processes=False, programs=False, sockets=Sockets.PAIRS, signals=Signals.ITSELF)
"""For a submission that is imported and called."""
NOTEBOOK: Final = Profile(processes=True, programs=False, sockets=Sockets.UNIX, signals=Signals.SINGLE)
"""For a notebook's client and kernel, until they are connected."""
KERNEL: Final = Profile(processes=True, programs=False, sockets=Sockets.PAIRS, signals=Signals.SINGLE)
"""For a notebook's kernel while cells run, and for what it forks."""

REFUSED: Final = (  # noqa: SIM905 - a hundred names read better as lines than one below the other
    # other processes
    "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp get_robust_list "
    "pidfd_getfd pidfd_send_signal "
    # namespaces, mounts, roots
    "unshare setns mount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick "
    "mount_setattr statmount listmount "
    # corners of the kernel
    "add_key request_key keyctl bpf perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register "
    "lsm_set_self_attr iopl ioperm modify_ldt uselib lookup_dcookie nfsservctl syslog "
    # the machine
    "kexec_load kexec_file_load init_module finit_module delete_module reboot swapon swapoff sethostname setdomainname "
    "settimeofday clock_settime adjtimex clock_adjtime acct quotactl quotactl_fd vhangup "
    # what outlives the process and is shared with all others
    "shmget shmat shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl mq_open mq_unlink "
    # files around Landlock
    "open_by_handle_at name_to_handle_at fanotify_init fanotify_mark "
    "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat file_setattr "
    "setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat"
).split()
"""In every profile, whatever the arguments."""

_CLONE_THREAD: Final = 0x0001_0000
_CLONE_PARENT: Final = 0x0000_8000
_CLONE_NEW: Final = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000
"""Mount, cgroup, uts, ipc, user, pid and network namespaces."""

_AF_UNIX: Final = 1
_SOCK_STREAM: Final = 1
_SOCK_SEQPACKET: Final = 5
_SOCK_TYPE_MASK: Final = 0xF

_ALL_BITS: Final = 0xFFFF_FFFF
"""-1, as the 32 bits that the filter sees."""
_SIGKILL: Final = 9
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_REFUSED: Final = (35, 62, 0x59616D61)  # PR_SET_MM, PR_SCHED_CORE, PR_SET_PTRACER
_SCHED_OTHER: Final = 0
_PRIO_PROCESS: Final = 0
_IOPRIO_WHO_PROCESS: Final = 1
_FCNTL_REFUSED: Final = (8, 10, 15, 1024)  # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE
_IOCTL_REFUSED: Final = (
    0x5412,  # TIOCSTI: types into a terminal
    0x541C,  # TIOCLINUX: pastes into one
    0x5423,  # TIOCSETD: loads line disciplines
    0x8901,  # FIOSETOWN
    0x8902,  # SIOCSPGRP
    0x4008_6602,  # FS_IOC_SETFLAGS
    0x401C_5820,  # FS_IOC_FSSETXATTR
)

_OWN_PID: Final = 0xFFFF_0000
_MOST_KILLABLE: Final = 64
"""Pids are no larger than 2**22: in a program kept for later, this one and the next few stand for those to come."""

_AUDIT_ARCH: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}
_SECCOMP_SET_MODE_FILTER: Final = 1
_SECCOMP_FILTER_FLAG_TSYNC: Final = 1

_REFUSE: Final = answer(errno.EPERM)
_UNKNOWN: Final = answer(errno.ENOSYS)


class _Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def prepare(profile: Profile, *, killable: int = 0) -> None:
    """Build a profile's program ahead of time. `killable`: how many pids will be named.

    Raises:
        OSError: there are no filters for this system.
    """
    _template(profile, killable, _architecture())


def confine(profile: Profile, *, killable: Sequence[int] = ()) -> None:
    """Hold this process, and all that it forks, to a profile from here on. It cannot be undone, only added to.

    Args:
        profile: what it may do.
        killable: other processes that `Signals.ITSELF` lets it signal.

    Raises:
        OSError: there are no filters for this system, or the kernel refuses. Nothing is confined then.
        ValueError: `killable` holds something else than pids, or too many.
    """
    if len(killable) > _MOST_KILLABLE or any(not 0 < pid < _OWN_PID for pid in killable):
        raise ValueError(f"killable: expected at most {_MOST_KILLABLE} positive pids, got {list(killable)}")
    architecture = _architecture()
    template, pids = _template(profile, len(killable), architecture)
    code = bytearray(template)
    known = (os.getpid(), *killable)
    for place, index in pids:
        struct.pack_into("=I", code, place, known[index])
    syscalls.renounce_privileges()
    program = _Program(len(code) // bpf.SIZE, bytes(code))
    unsynced = syscalls.call(
        _SECCOMP[architecture],
        _SECCOMP_SET_MODE_FILTER,
        _SECCOMP_FILTER_FLAG_TSYNC,
        ctypes.byref(program),
        what="the filter on system calls cannot be installed",
    )
    if unsynced:
        raise OSError(errno.EBUSY, f"the filter on system calls cannot be installed: thread {unsynced} has another")


def _architecture() -> str:
    """This machine's, if there is a table for it."""
    if not sys.platform.startswith("linux"):
        raise OSError(errno.EOPNOTSUPP, f"filters on system calls need Linux, this is {sys.platform}")
    machine = os.uname().machine
    if machine not in syscalls.ARCHITECTURES or sys.maxsize < 1 << 32 or sys.byteorder != "little":
        bits = 64 if sys.maxsize > 1 << 32 else 32
        raise OSError(
            errno.EOPNOTSUPP,
            f"no table of system calls for {bits}-bit programs on {machine}; there are {syscalls.ARCHITECTURES}",
        )
    return machine


@cache
def _template(profile: Profile, killable: int, architecture: str) -> tuple[bytes, tuple[tuple[int, int], ...]]:
    """A program with placeholders, and where they are: (offset in bytes, 0 for itself or which of the killable)."""
    program = assemble(profile, killable=killable, architecture=architecture)
    pids = tuple(
        (position * bpf.SIZE + bpf.CONSTANT_OFFSET, step.constant - _OWN_PID)
        for position, step in enumerate(program)
        if step.compares and _OWN_PID <= step.constant <= _OWN_PID + killable
    )
    return b"".join(step.packed() for step in program), pids


def assemble(profile: Profile, *, killable: int = 0, architecture: str) -> Block:
    """The program for a profile, with placeholders for pids."""
    rules = {}
    for name, rule in _rules(profile, killable).items():
        number = syscalls.number(name, architecture)
        if number is not None:
            rules[number] = rule
    return bpf.program(
        rules,
        architecture=_AUDIT_ARCH[architecture],
        elsewhere=_REFUSE,
        last=syscalls.LAST_KNOWN,
        beyond=_UNKNOWN,
    )


def _rules(profile: Profile, killable: int) -> dict[str, Block]:
    """What is answered to each call that is not simply allowed."""
    itself = (0, _OWN_PID)
    mine = among(0, itself, ALLOW, _REFUSE)
    rules = dict.fromkeys(REFUSED, _REFUSE)
    rules |= {
        "clone3": _UNKNOWN,
        "personality": among(0, (0, _ALL_BITS), ALLOW, _REFUSE),
        "prlimit64": mine,
        "sched_setaffinity": mine,
        "sched_setattr": mine,
        # Threads of libraries say at their start that they are scheduled as the process is, each by its own number, and
        # zmq aborts where it may not. Nobody is hurt by being made ordinary, or what the grader is itself.
        "sched_setscheduler": among(1, sorted({_SCHED_OTHER, _own_scheduling()}), ALLOW, mine),
        "migrate_pages": mine,
        "move_pages": mine,
        "setpriority": among(0, (_PRIO_PROCESS,), among(1, itself, ALLOW, _REFUSE), _REFUSE),
        "ioprio_set": among(0, (_IOPRIO_WHO_PROCESS,), among(1, itself, ALLOW, _REFUSE), _REFUSE),
        "fcntl": among(1, _FCNTL_REFUSED, _REFUSE, ALLOW),
        "ioctl": among(1, _IOCTL_REFUSED, _REFUSE, ALLOW),
        "prctl": _prctl(),
    }
    return rules | _processes(profile) | _sockets(profile.sockets) | _signals(profile.signals, killable)


def _own_scheduling() -> int:
    """How this process is scheduled, which may be as a batch job."""
    return os.sched_getscheduler(0) if sys.platform == "linux" else _SCHED_OTHER


def _prctl() -> Block:
    others = among(0, _PR_REFUSED, _REFUSE, ALLOW)
    death = among(0, (_PR_SET_PDEATHSIG,), among(1, (_SIGKILL,), ALLOW, _REFUSE), others)
    return among(0, (_PR_SET_DUMPABLE,), among(1, (0,), ALLOW, _REFUSE), death)


def _processes(profile: Profile) -> dict[str, Block]:
    rules = {}
    if profile.processes:
        rules["clone"] = any_bit(0, _CLONE_NEW | _CLONE_PARENT, _REFUSE, ALLOW)
    else:
        threads = any_bit(0, _CLONE_THREAD, ALLOW, _REFUSE)
        rules["clone"] = any_bit(0, _CLONE_NEW | _CLONE_PARENT, _REFUSE, threads)
        rules |= dict.fromkeys(("fork", "vfork", "pidfd_open"), _REFUSE)
    if not profile.programs:
        rules |= dict.fromkeys(("execve", "execveat"), _REFUSE)
    return rules


def _sockets(sockets: Sockets) -> dict[str, Block]:
    if sockets is Sockets.UNIX:
        unix = among(0, (_AF_UNIX,), ALLOW, _REFUSE)
        return {"socket": unix, "socketpair": unix}
    streams = among(1, (_SOCK_STREAM, _SOCK_SEQPACKET), ALLOW, _REFUSE, mask=_SOCK_TYPE_MASK)
    rules = dict.fromkeys(("socket", "bind", "listen", "connect", "accept", "accept4"), _REFUSE)
    return rules | {"socketpair": among(0, (_AF_UNIX,), streams, _REFUSE)}


def _signals(signals: Signals, killable: int) -> dict[str, Block]:
    if signals is Signals.SINGLE:
        return {"kill": among(0, (0, _ALL_BITS), _REFUSE, ALLOW)}
    known = among(0, range(_OWN_PID, _OWN_PID + 1 + killable), ALLOW, _REFUSE)
    return dict.fromkeys(("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"), known)
