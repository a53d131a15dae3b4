"""What a worker gives up after the fork and before the first byte of student code.

Theory of operation
-------------------
This is the only place that takes rights away. It runs in a freshly forked, single-threaded child. Today it applies what
needs no privilege and costs nothing: limits on memory, CPU time, file size and descriptors, no core files, no new
privileges through exec, death together with the fork server, closed descriptors, a scratch directory of its own. That
bounds accidents. It does not keep determined code from reading files of the same user, which is why the level it
reports is `process-only`.

The order matters: descriptors and directories first, while everything is still allowed, limits last.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38
FILE_SIZE: Final = 64 << 20
DESCRIPTORS: Final = 128

_libc = ctypes.CDLL(None, use_errno=True)


def apply(*, keep: int, home: Path, memory: int, cpu_seconds: int) -> None:
    """Lock this process down.

    Args:
        keep: the one descriptor above 2 that stays open.
        home: an empty directory that nobody else uses; it becomes working directory, home and temporary folder.
        memory: address space in bytes.
        cpu_seconds: CPU time after which the kernel kills the process.
    """
    _silence_standard_streams()
    _close_others(keep)
    _settle_in(home)
    die_with_parent()
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for what, limit in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_seconds),
    ):
        _lower(what, limit)


def die_with_parent() -> None:
    """Have the kernel kill this process when the one that forked it ends. A fork of this one has to say so again."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _silence_standard_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def _close_others(keep: int) -> None:
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)


def _settle_in(home: Path) -> None:
    os.chdir(home)
    os.environ.update(HOME=str(home), TMPDIR=str(home), MPLCONFIGDIR=str(home))


def _lower(what: int, limit: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(what, (limit, limit))
