"""Which files a worker reaches: Landlock, a wall around the file system that needs no privilege.

Theory of operation
-------------------
A ruleset names the rights it *handles*; whatever it handles is refused everywhere, except below the paths that a rule
opens. Here every right that the kernel knows is handled, and two kinds of rules open something again: `readable` paths
for reading files and listing folders, `writable` ones for that and for making, changing, renaming and removing what
lies below. Nothing is executable (mapping a shared library is reading, only execve needs that right), no device file
can be made, and devices that are opened later answer no ioctl.

Kernels know different rights. `_RIGHTS_SINCE` lists them by the version of the interface (ABI); a right that this
kernel does not know is not handled, which means not refused:

- below ABI 2 files cannot be renamed from one folder to another at all;
- below ABI 3 truncating by path is not held back;
- below ABI 4 neither is TCP, below 6 neither are abstract unix sockets and signals to processes outside of this wall
  (forks stay inside it), below 9 neither are unix sockets that have a path.

The filter on system calls (`seccomp`) refuses those too, so that each of the two covers for the other. What Landlock
never holds back, on any kernel: `stat`, `access`, `readlink` and `chdir` (what exists can be found out by name),
`chmod`, `chown`, `utime` and extended attributes, locks, UDP, shared memory, and every file that is open already.

A wall cannot be taken down again; later ones only add to it. It holds for the *calling thread* and for what that starts
afterwards: call it where there is one thread only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from grader.worker import syscalls

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
"""The same number on every architecture of `_MACHINES`."""
_MACHINES: Final = ("x86_64", "aarch64", "riscv64", "ppc64le", "s390x", "loongarch64")

_CREATE_RULESET_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1
_LOG_SAME_EXEC_OFF: Final = 1

EXECUTE: Final = 1 << 0
WRITE_FILE: Final = 1 << 1
READ_FILE: Final = 1 << 2
READ_DIR: Final = 1 << 3
REMOVE_DIR: Final = 1 << 4
REMOVE_FILE: Final = 1 << 5
MAKE_CHAR: Final = 1 << 6
MAKE_DIR: Final = 1 << 7
MAKE_REG: Final = 1 << 8
MAKE_SOCK: Final = 1 << 9
MAKE_FIFO: Final = 1 << 10
MAKE_BLOCK: Final = 1 << 11
MAKE_SYM: Final = 1 << 12
REFER: Final = 1 << 13
TRUNCATE: Final = 1 << 14
IOCTL_DEV: Final = 1 << 15
RESOLVE_UNIX: Final = 1 << 16

_RIGHTS_SINCE: Final = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE, 5: IOCTL_DEV, 9: RESOLVE_UNIX}
_TCP: Final = 1 << 0 | 1 << 1  # bind, connect; since ABI 4
_SCOPES: Final = 1 << 0 | 1 << 1  # abstract unix sockets, signals; since ABI 6

_READING: Final = READ_FILE | READ_DIR
_MAKING: Final = MAKE_REG | MAKE_DIR | MAKE_SOCK | MAKE_FIFO | MAKE_SYM
_CHANGING: Final = WRITE_FILE | TRUNCATE | REMOVE_FILE | REMOVE_DIR | REFER | RESOLVE_UNIX
_OF_FILES: Final = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV | RESOLVE_UNIX
"""The kernel takes no others in a rule on something that is not a folder."""


def abi() -> int:
    """The version of Landlock that this kernel speaks; 0 where it has none, or does not let us use it."""
    if not sys.platform.startswith("linux") or os.uname().machine not in _MACHINES:
        return 0
    try:
        return syscalls.call(_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION, what="no Landlock")
    except OSError:
        return 0


def confine(
    *, readable: Sequence[Path], writable: Sequence[Path], listable: Sequence[Path] = (), version: int | None = None
) -> None:
    """Leave this thread, and all that it starts, nothing but these files and what lies below these folders.

    Args:
        readable: what may be read.
        writable: what may be read, changed, made and removed. Links are followed; what does not exist is skipped.
        listable: folders in which, and in all below, names may be read.
        version: keep to an older version of the interface than the kernel's own.

    Raises:
        OSError: there is no Landlock here, or it refuses; the text says what was refused. Nothing is confined then.
    """
    version = version or abi()
    if version == 0:
        raise OSError(errno.EOPNOTSUPP, "this kernel has no Landlock, or does not let this process use it")
    handled = handled_rights(version)
    attribute = _ruleset(version, handled)
    ruleset = syscalls.call(_CREATE_RULESET, attribute, len(attribute), 0, what="Landlock takes no ruleset")
    try:
        _open_paths(ruleset, listable, handled & READ_DIR)
        _open_paths(ruleset, readable, handled & _READING)
        _open_paths(ruleset, writable, handled & (_READING | _MAKING | _CHANGING))
        quiet = _LOG_SAME_EXEC_OFF if version >= 7 else 0  # who is refused cannot flood the audit log
        syscalls.renounce_privileges()  # here, so that a refusal before changes nothing
        syscalls.call(_RESTRICT_SELF, ruleset, quiet, what="Landlock cannot be entered")
    finally:
        os.close(ruleset)


def handled_rights(version: int) -> int:
    """The rights to files that this version of the interface can take away, as a bit mask."""
    mask = 0
    for since, rights in _RIGHTS_SINCE.items():
        if version >= since:
            mask |= rights
    return mask


def _ruleset(version: int, handled: int) -> bytes:
    """`struct landlock_ruleset_attr`, as long as this version knows it."""
    fields = [handled]
    if version >= 4:
        fields.append(_TCP)
    if version >= 6:
        fields.append(_SCOPES)
    return struct.pack(f"={len(fields)}Q", *fields)


def _open_paths(ruleset: int, paths: Iterable[Path], rights: int) -> None:
    for path in paths:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            continue
        try:
            allowed = rights if stat.S_ISDIR(os.fstat(place).st_mode) else rights & _OF_FILES
            rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, place))
            syscalls.call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0, what=f"Landlock takes no rule on {path}")
        finally:
            os.close(place)
