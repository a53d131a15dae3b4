"""What a worker gives up after the fork and before the first byte of student code.

Theory of operation
-------------------
This is the only place that takes rights away. `survey` finds out, once and in the warm process, what this machine
allows. A worker is then forked by one raw `clone` into namespaces of its own where they are to be had
(`namespaces.clone`), and `Lock.apply` does the rest in the single-threaded child, in an order that is forced:

1. Standard streams go nowhere, every descriptor but the one for questions is closed, the control group is entered:
   while everything is still allowed.
2. A root of its own (`rootfs`): Python and its libraries, read-only, and a small scratch space. It needs mounting, so
   it comes before anything that forbids that; what was opened before would lead out of it, so it comes after the
   closing.
3. Landlock: which files can be reached, and no TCP, no signals, no abstract sockets. It must come before the change of
   user, who could not enter the folders that lead to Python.
4. no_new_privs, capabilities, groups, user; undumpable; death together with the parent. The change of user clears the
   last two, so they come after it.
5. Limits on memory, CPU time, files, descriptors, processes.
6. The filter on system calls, last: it refuses most of what the steps above did.

Where namespaces are refused, the second step is left out, and Landlock, the filter and the limits make up the stack
that needs no privilege. What was possible in the survey must succeed in every child: `apply` raises where it does not,
and the child ends before it has seen any code. None of this is believed because calls returned 0: the level that is
reported follows from what locked children could still do when they tried (`proving`).

A notebook's process needs two things more: to fork, for the kernel and for what is forked from that, and unix sockets
between client and kernel, in its own folder. `Lock.tighten` takes the sockets away before the first cell runs, and
`Lock.settle` the forking from every process that answers questions.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grader.worker import landlock, namespaces, privileges, rootfs, seccomp
from grader.worker.cgroups import Group
from grader.worker.namespaces import Kind, Possible

FILE_SIZE: Final = 64 << 20
DESCRIPTORS: Final = 128
SCRATCH: Final = 256 << 20
"""Bytes of all files in the scratch space together, where that is a file system of its own."""
INODES: Final = 8192
PROCESSES: Final = 128
"""Processes and threads of a family: a notebook's kernel with everything it started, which is eight where the student
starts none. With 128 that do nothing but fork a family is dead after 0.3 s of two cores, with 512 after 1.3 s."""
TOGETHER: Final = PROCESSES * max(2, min(4, os.cpu_count() or 1))
"""The same where the kernel counts all families of a user as one, and whatever else the user runs."""

DEVICES_READ: Final = (Path("/dev/zero"), Path("/dev/full"), Path("/dev/random"), Path("/dev/urandom"))
DEVICES_WRITTEN: Final = (Path("/dev/null"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What this machine allows.

    Attributes:
        namespaces: the kind, and the flags for `clone`.
        users: numbers of users that nobody is; None where the user cannot be changed.
        landlock: the version of its interface; 0 where there is none.
        unfiltered: why system calls cannot be filtered; empty where they can.
        readable: what can be read inside.
        hidden: what of it cannot, nevertheless.
        processes: how many the worker's user may have at a time, with those that it has already.
    """

    namespaces: Possible
    users: range | None
    landlock: int
    unfiltered: str
    readable: tuple[Path, ...]
    hidden: tuple[Path, ...]
    processes: int

    @property
    def own_root(self) -> bool:
        """Whether workers have a root, processes and a network of their own."""
        return self.namespaces.kind is not Kind.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one worker may use: bytes of address space, and seconds of CPU time after which the kernel ends it."""

    memory: int
    cpu_seconds: int


def survey(found: Possible | None = None) -> Plan:
    """Find out what this machine allows; builds what every child would otherwise build.

    `found` is what to take for the namespaces that can be had, instead of trying.
    """
    found = found or namespaces.possible()
    readable = tuple(rootfs.readable_paths())
    users = privileges.strangers() if found.kind is not Kind.USER else None
    if found.kind is Kind.NONE and users is not None and not privileges.can_read(users[0], readable):
        users = None  # Python is in somebody's home: later imports would fail
    unfiltered = ""
    try:
        for profile in (seccomp.MODULE, seccomp.NOTEBOOK, seccomp.KERNEL):
            seccomp.prepare(profile)
    except OSError as error:
        unfiltered = error.strerror or str(error)
    counted_apart = users is not None or (found.kind is Kind.USER and _release() >= (5, 14))
    return Plan(
        namespaces=found,
        users=users,
        landlock=landlock.abi(),
        unfiltered=unfiltered,
        readable=readable,
        hidden=tuple(rootfs.hidden_paths()),
        processes=PROCESSES if counted_apart else TOGETHER + _tasks_of_this_user(),
    )


class Lock:
    """What is taken away in one child. Made before the fork, used in the child."""

    def __init__(self, plan: Plan, *, slot: int = 0, group: Group | None = None) -> None:
        """`slot` tells children that are alive together apart; `group` is the one to enter."""
        self._plan = plan
        self._user = None if plan.users is None else plan.users[slot % len(plan.users)]
        self._group = group

    def apply(self, *, keep: int, home: Path, bounds: Bounds, forking: bool = False) -> None:
        """Lock this process down.

        Args:
            keep: the one descriptor above 2 that stays open.
            home: an empty directory that nobody else uses, its path without symbolic links; it becomes working
                directory, home and temporary folder.
            bounds: what it may use.
            forking: whether it is to fork, as for a notebook.

        Raises:
            OSError: something failed that the survey promised. The process must end then.
        """
        plan = self._plan
        _silence_standard_streams()
        _close_others(keep)
        if self._group is not None:
            self._group.enter()
        self._settle_in(home)
        if plan.landlock:
            self._wall_files(home)
        privileges.drop(self._user)
        _limit(bounds, plan.processes if forking else None)
        self._filter(seccomp.NOTEBOOK if forking else seccomp.MODULE)

    def tighten(self) -> None:
        """In a notebook's kernel, once it is connected: no more sockets, in any of its threads."""
        self._filter(seccomp.KERNEL)

    def settle(self) -> None:
        """In a fork of a notebook's kernel that answers questions: nothing but what a module may do."""
        privileges.die_with_parent()
        self._filter(seccomp.MODULE)

    def _settle_in(self, home: Path) -> None:
        plan = self._plan
        if plan.own_root:
            rootfs.own_root(home, plan.readable, plan.hidden, size=SCRATCH, inodes=INODES, owner=self._user)
        else:
            if self._user is not None:
                os.chown(home, self._user, self._user)
            os.chdir(home)
        os.environ.update(HOME=str(home), TMPDIR=str(home), MPLCONFIGDIR=str(home))

    def _wall_files(self, home: Path) -> None:
        plan = self._plan
        temporary = (Path("/tmp"),) if plan.own_root else ()  # where it is the worker's own
        readable, opened = (plan.readable, ()) if plan.own_root else _without(plan.readable, plan.hidden)
        landlock.confine(
            readable=(*readable, *DEVICES_READ), writable=(home, *temporary, *DEVICES_WRITTEN), listable=opened
        )

    def _filter(self, profile: seccomp.Profile) -> None:
        if not self._plan.unfiltered:
            seccomp.confine(profile)


def _silence_standard_streams() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def _close_others(keep: int) -> None:
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)


def _without(folders: Sequence[Path], hidden: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """These folders, and instead of one that holds something hidden, everything in it that does not; then those opened.

    Landlock opens a folder with all that is below, and cannot take anything back. Python's import lists a folder before
    it looks for anything in there: the names in those that were opened must stay readable.
    """
    visible: list[Path] = []
    opened: list[Path] = []
    waiting = list(folders)
    while waiting:
        folder = waiting.pop()
        real = folder.resolve()
        if any(real.is_relative_to(path) for path in hidden):
            continue
        if any(path.is_relative_to(real) for path in hidden):
            opened.append(folder)
            waiting += folder.iterdir()
        else:
            visible.append(folder)
    return tuple(visible), tuple(opened)


def _limit(bounds: Bounds, processes: int | None) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: FILE_SIZE,
        resource.RLIMIT_NOFILE: DESCRIPTORS,
        resource.RLIMIT_AS: bounds.memory,
        resource.RLIMIT_CPU: bounds.cpu_seconds,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if processes is not None:
        limits[resource.RLIMIT_NPROC] = processes
    for what, limit in limits.items():
        _, hard = resource.getrlimit(what)
        lower = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (lower, lower))


def _release() -> tuple[int, ...]:
    """The kernel's version. Since 5.14 processes are counted for each user namespace apart."""
    numbers = os.uname().release.split("-")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdecimal())


def _tasks_of_this_user() -> int:
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdecimal() and entry.stat().st_uid == os.geteuid():
                count += len(os.listdir(f"/proc/{entry.name}/task"))
        except OSError:
            continue  # it has ended
    return count
