"""Runs the command as on a machine that refuses some system calls: `lesser_machine.py NAME[,NAME...] ARGUMENT...`.

Without `mount` there are no roots of one's own, as in most containers; without `landlock_create_ruleset` the kernel
knows no Landlock.
"""

from __future__ import annotations

import ctypes
import errno
import os
import runpy
import struct
import sys

from grader.worker import syscalls

LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ERRNO, ALLOW = 0x0005_0000, 0x7FFF_0000
OTHERS = {"landlock_create_ruleset": (444, 444), "landlock_restrict_self": (446, 446), "seccomp": (317, 277)}
OTHERS |= {"setgroups": (116, 159), "setresuid": (117, 147), "capset": (126, 91), "prlimit64": (302, 261)}
"""Numbers of system calls that the walls themselves make, by architecture."""

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(names: list[str]) -> None:
    """Have these system calls fail from here on, in everything that is started too."""
    steps = [(LOAD, 0, 0, 0)]
    for name in names:
        number = (syscalls.NUMBERS | OTHERS)[name][syscalls.ARCHITECTURES.index(os.uname().machine)]
        assert number is not None
        steps += [(IF_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | errno.EPERM)]
    steps.append((RETURN, 0, 0, ALLOW))
    program = Program(len(steps), b"".join(struct.pack("HBBI", *step) for step in steps))
    syscalls.renounce_privileges()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)) == 0, os.strerror(ctypes.get_errno())


if __name__ == "__main__":
    refuse(sys.argv[1].split(","))
    sys.argv[1:] = sys.argv[2:]
    runpy.run_module("grader", run_name="__main__", alter_sys=True)
