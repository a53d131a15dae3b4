"""Becomes a normal user who can run Python all the same: `somebody.py USER PROGRAM ARGUMENT...`

Where root has installed Python, and where the checkout lies, there is often a folder on the way that nobody else can
enter. In mounts of this process's own such a folder is replaced by one that holds the way alone.
"""

from __future__ import annotations

import ctypes
import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
NEEDED = (Path(__file__).parents[2], Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_path("purelib")))
"""Where all that is loaded lies, now and later."""


def become(user: int) -> None:
    """Stop being root."""
    libc = ctypes.CDLL(None, use_errno=True)
    open_the_way(libc, [path.resolve() for path in NEEDED])
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    libc.prctl(4, 1, 0, 0, 0)  # dumpable, as every process is that did not change its user


def open_the_way(libc: ctypes.CDLL, paths: Sequence[Path]) -> None:
    """Let everybody enter the folders that lead to these."""
    behind: dict[Path, list[Path]] = {}
    for path in sorted(paths):
        if closed := next((folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001), None):
            behind.setdefault(closed, []).append(path)
    if not behind:
        return
    checked(libc.unshare(NEWNS))
    checked(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    before = os.umask(0o022)
    for closed, hidden in behind.items():
        handles = {path: os.open(path, os.O_PATH) for path in hidden}
        checked(libc.mount(b"way", os.fsencode(closed), b"tmpfs", 0, b"mode=755"))
        for path, handle in handles.items():
            if not path.exists():  # it may lie in one that is there again
                path.mkdir(parents=True)
                source = f"/proc/self/fd/{handle}".encode()
                checked(libc.mount(source, os.fsencode(path), None, MS_BIND | MS_REC, None))
            os.close(handle)
    os.umask(before)


def checked(result: int) -> None:
    """Raise what libc has to say of a call that failed."""
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    become(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
