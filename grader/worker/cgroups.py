"""Control groups: limits on the memory and the number of processes of a whole family, and one blow that ends it.

Theory of operation
-------------------
Limits of a process (`rlimit`) count for each process by itself; a family of fifty may have fifty times as much. A
control group counts them together. There are two generations, and a machine may have both: in v1 memory and processes
are counted in separate hierarchies, in v2 in one. A group of ours is a folder in each hierarchy that counts something,
made beside or below the one that this process is in.

In v2 a group that holds processes cannot hand out controllers to groups below it, so the parent's folder is tried as
well: that is where a desktop session, and root, may make a sibling. Nothing that exists already is reconfigured, except
that a free controller is switched on for groups below.

To kill: v2 has a file for it. In v1 the limit of processes goes to zero first, so that nobody can fork away from the
signals, and then all members are killed until none is left.

All of this is an addition. Where it is not possible `Group.make` returns None, and `why_not` says why.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WANTED: Final = ("memory", "pids")
KILLING: Final = 5.0
"""Seconds that killed processes have to be gone. Hundreds of them that all compute take their time to die."""
PATIENCE: Final = 0.5
"""Seconds that an empty group has to be free for removal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A folder below which groups can be made.

    Attributes:
        folder: where this process is, or the level above.
        controllers: which of WANTED count there.
        unified: whether it is v2.
    """

    folder: Path
    controllers: tuple[str, ...]
    unified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A family of processes.

    Attributes:
        folders: its folder in each hierarchy.
        limited: what is limited: `memory`, `pids`, or both.
    """

    folders: tuple[Path, ...]
    limited: tuple[str, ...]

    @classmethod
    def make(cls, name: str, *, memory: int, pids: int) -> Group | None:
        """A new group, or None where none can be made.

        Args:
            name: of its folders; nobody else's may have it.
            memory: bytes that all members may use together, files in their tmpfs included.
            pids: how many processes and threads may exist at a time.
        """
        made: list[Path] = []
        limited: list[str] = []
        for place in _places():
            missing = tuple(controller for controller in place.controllers if controller not in limited)
            if missing and (folder := _make(place, name, missing, {"memory": memory, "pids": pids})):
                made.append(folder)
                limited.extend(missing)
        return cls(folders=tuple(made), limited=tuple(limited)) if made else None

    def add(self, pid: int) -> bool:
        """Put a process in; its later children are born in. Says whether that worked everywhere."""
        written = [_write(folder / "cgroup.procs", pid) for folder in self.folders]
        return all(written)

    def enter(self) -> None:
        """Put this process in. Raises `OSError` where that fails."""
        for folder in self.folders:
            if not _write(folder / "cgroup.procs", 0):  # its number may be another in here than out there
                raise OSError(errno.EACCES, "a control group cannot be entered", str(folder))

    def members(self) -> set[int]:
        """The processes in it, zombies included."""
        return {pid for folder in self.folders for pid in _members(folder)}

    def kill(self) -> bool:
        """Kill all members, whatever they do. Says whether all are gone, or zombies that wait for their parent.

        Then the group can be used again; otherwise nobody in it can fork any more.
        """
        if not self.members():
            return True
        closed = {}
        for folder in self.folders:
            if not _write(folder / "cgroup.kill", 1):
                closed[folder] = _read(folder / "pids.max").strip()
                _write(folder / "pids.max", 0)
        if not self._kill_one_by_one():
            return False
        for folder, most in closed.items():
            _write(folder / "pids.max", most)
        return True

    def _kill_one_by_one(self) -> bool:
        """Everybody is signalled before anybody is looked at: until then they compete for the CPU with this process."""
        deadline = time.monotonic() + KILLING
        while members := self.members() - {os.getpid()}:
            for pid in members:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if not any(_alive(pid) for pid in members):
                break
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    def remove(self) -> bool:
        """Remove the group, which must be empty: kill, reap, then remove. Says whether it is gone."""
        deadline = time.monotonic() + PATIENCE
        removed = [_remove(folder, deadline) for folder in self.folders]
        return all(removed)


def why_not() -> str:
    """Why no group can be made here that limits both memory and processes, for people; empty where one can."""
    places = _places()
    if not places:
        return "no hierarchy of control groups with memory or pids is mounted"
    group = Group.make(f"grader-trial-{os.getpid()}", memory=1 << 30, pids=64)
    if group is None:
        folders = ", ".join(str(place.folder) for place in places)
        return f"groups cannot be made or limited in {folders} (not writable, read-only, or not delegated)"
    missing = [controller for controller in WANTED if controller not in group.limited]
    works = _takes_a_process(group)
    group.remove()
    if not works:
        return f"processes cannot be moved to {group.folders[0].parent}"
    return f"no limit on {' and '.join(missing)}" if missing else ""


def _takes_a_process(group: Group) -> bool:
    hold, release = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(release)
        os.read(hold, 1)
        os._exit(0)
    os.close(hold)
    works = group.add(pid)
    os.close(release)
    os.waitpid(pid, 0)
    return works


def _places() -> list[_Place]:
    """Where groups can be tried, best first: v2 if it counts anything, then v1."""
    mounts = list(_mounts())
    places: list[_Place] = []
    for number, controllers, path in _memberships():
        for kind, root, point, options in mounts:
            unified = number == "0" and kind == "cgroup2"
            if not unified and not (kind == "cgroup" and controllers and set(controllers) <= options):
                continue
            inside = os.path.relpath(path, root) if _below(path, root) else "."
            folder = Path(os.path.normpath(point / inside))
            for candidate in (folder, folder.parent) if unified and folder != point else (folder,):
                counted = _read(candidate / "cgroup.controllers").split() if unified else controllers
                if useful := tuple(controller for controller in WANTED if controller in counted):
                    places.append(_Place(folder=candidate, controllers=useful, unified=unified))
            break
    return sorted(places, key=lambda place: not place.unified)


def _memberships() -> Iterator[tuple[str, list[str], str]]:
    """The hierarchies' numbers, their controllers, and this process's group in each."""
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        number, controllers, path = line.split(":", 2)
        yield number, controllers.split(",") if controllers else [], path


def _mounts() -> Iterator[tuple[str, str, Path, set[str]]]:
    """Mounted hierarchies: type, the group that is their root, where, and options."""
    for line in _read(Path("/proc/self/mountinfo")).splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            _, _, _, root, point, *_ = before.split(" ")
            yield kind, root, Path(point), set(options.split(","))


def _below(path: str, root: str) -> bool:
    return root == "/" or path == root or path.startswith(f"{root}/")


def _make(place: _Place, name: str, controllers: tuple[str, ...], limits: dict[str, int]) -> Path | None:
    """A folder with its limits set, or None, and then nothing is left of it."""
    if place.unified:
        given = _read(place.folder / "cgroup.subtree_control").split()
        for controller in controllers:
            if controller not in given and not _write(place.folder / "cgroup.subtree_control", f"+{controller}"):
                return None
    folder = place.folder / name
    try:
        folder.mkdir()
    except OSError:
        return None
    files = {"memory": "memory.max" if place.unified else "memory.limit_in_bytes", "pids": "pids.max"}
    if not all(_write(folder / files[controller], limits[controller]) for controller in controllers):
        _remove(folder, time.monotonic())
        return None
    if "memory" in controllers:  # swap would only put the limit off; not every kernel counts it
        if place.unified:
            _write(folder / "memory.swap.max", 0)
            _write(folder / "memory.oom.group", 1)
        else:
            _write(folder / "memory.memsw.limit_in_bytes", limits["memory"])
    return folder


def _members(folder: Path) -> list[int]:
    return [int(pid) for pid in _read(folder / "cgroup.procs").split() if pid != "0"]


def _alive(pid: int) -> bool:
    """Whether a process still runs; a zombie, which only waits for its parent, does not."""
    state = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return bool(state) and state[0] not in ("Z", "X")


def _remove(folder: Path, deadline: float) -> bool:
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.002)
        else:
            return True


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _write(file: Path, value: int | str) -> bool:
    """Write to a control file: a group's files are there or they are not, none is made."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.write(descriptor, str(value).encode())
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True
