"""A room around a whole run, from which nothing reaches this machine, whatever the walls inside it are worth.

Theory of operation
-------------------
The program reads a plan (JSON) from standard input, makes namespaces for processes, mounts, network, IPC and host name,
forks, and the child is process 1 in there. Process 1 arranges the files, runs the plan's command as process 2, and
watches: it is nobody's victim, since no signal from inside reaches it and, where the command runs as another user,
nothing of it can be read. When the command is over, it says on standard output what it saw, and ends; with it the
kernel ends all that is left. Whoever started this program can end everything by killing it.

    every file system           read-only
    /tmp, /dev/shm, homes       empty, in memory
    `closed` folders            empty but for what the plan keeps: other users could not walk through them
    `overlays`                  as they are, writable, and every change is forgotten in the end
    `rooms`                     the plan's own folders, writable, at their usual paths
    `seats`                     a room's folder in the place of another: a copy of the package, say

Namespaces are made with plain system calls and with nothing of what is under test.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn

HOST_PID = 2
"""The command is the second process in its namespace, always."""
REFUSED = 75
"""Exit code where this machine refuses what a room is made of; the reason stands on standard error."""
FAILED = 70
"""Where anything else went wrong, which is a mistake in here."""
PATIENCE = 1.0
"""Seconds that processes have to disappear after the command has ended."""

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
MNT_DETACH, AT_FDCWD, AT_RECURSIVE, MOUNT_SETATTR = 2, -100, 0x8000, 442
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 24, 22, 38
HARMS_THE_MACHINE = (16, 17, 22, 25)
"""Capabilities for kernel modules, raw devices, the power switch and the clock."""
CALLS = {
    "x86_64": {"arch": 0xC000003E, "clone": 56, "unshare": 272, "setns": 308, "mount": 165, "pivot_root": 155},
    "aarch64": {"arch": 0xC00000B7, "clone": 220, "unshare": 97, "setns": 268, "mount": 40, "pivot_root": 41},
}
CLONE3 = 435

libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is run in which room.

    Attributes:
        command, environment, folder: what is run, and where.
        seconds: after which it is killed.
        user: as which user and group; None for the present one.
        refuse: install a filter that refuses namespaces, as containers do.
        rooms, overlays, closed, seats: see above. `seats` maps a place to the folder that is put there.
        kept: what must stay reachable in closed and emptied folders, read-only.
        watch: folders that should not change, by their names; True for those too large to be read through.
    """

    command: list[str]
    folder: str
    seconds: float
    environment: dict[str, str] = field(default_factory=dict)
    user: int | None = None
    refuse: bool = False
    rooms: list[str] = field(default_factory=list)
    overlays: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    seats: dict[str, str] = field(default_factory=dict)
    watch: dict[str, tuple[str, bool]] = field(default_factory=dict)

    def dumped(self) -> bytes:
        """What this program reads."""
        return json.dumps(asdict(self)).encode()


# -- the room ----------------------------------------------------------------------------------------------------------


def separate() -> None:
    """Leave this machine's namespaces; the next child is process 1 of the new ones."""
    flags = NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET
    user, group = os.geteuid(), os.getegid()
    checked(libc.unshare(flags if user == 0 else flags | NEWUSER), "unshare")
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path(f"/proc/self/{name}").write_text(text)


def arrange(plan: Plan) -> dict[str, int]:
    """Put every file where the plan wants it. What is kept is opened first: its path may be closed in between.

    Returns what `overlay` returns.
    """
    before = os.umask(0o022)  # other users walk through the folders that are made here
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    handles = {path: os.open(path, os.O_PATH) for path in (*plan.rooms, *plan.kept, *plan.seats.values())}
    set_attributes("/", on=MS_RDONLY, recursive=True)
    for groups in Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*"):
        if os.path.ismount(groups):
            set_attributes(str(groups), off=MS_RDONLY)
    mount("proc", "/proc", "proc", 0)
    for place in sorted({*plan.closed, "/tmp", "/dev/shm"}):
        mode = "1777" if place in ("/tmp", "/dev/shm") else "755"
        mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode},size=2g")
        for path in [*plan.rooms, *plan.kept]:
            if Path(path).is_relative_to(place):
                stand_in(path, handles[path])
    for path in plan.rooms:
        put(path, handles[path], writable=True)
    changes = overlay(plan.overlays)
    for place, path in plan.seats.items():
        put(place, handles[path], writable=True)
    for handle in handles.values():
        os.close(handle)
    os.umask(before)
    return changes


def stand_in(path: str, handle: int) -> None:
    """Show a folder or file again at its path, of which nothing is left."""
    if stat.S_ISDIR(os.fstat(handle).st_mode):
        Path(path).mkdir(parents=True, exist_ok=True)
    else:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).touch()
    put(path, handle)


def put(place: str, handle: int, *, writable: bool = False) -> None:
    """Mount what a handle stands for at a place."""
    mount(f"/proc/self/fd/{handle}", place, None, MS_BIND | MS_REC)
    if writable:
        set_attributes(place, off=MS_RDONLY)


def overlay(places: list[str]) -> dict[str, int]:
    """Make folders writable whose changes are forgotten. Where the kernel cannot, they stay read-only.

    Returns handles of the folders that collect the changes of each.
    """
    if not places:
        return {}
    changes = {}
    lower = {
        place: os.open(place, os.O_PATH) for place in places
    }  # one may be below /tmp, which is covered for a while
    mount("tmpfs", "/tmp", "tmpfs", 0, "mode=755,size=2g")
    more = ",userxattr" if os.geteuid() else ""
    for number, (place, handle) in enumerate(lower.items()):
        upper, work = Path(f"/tmp/{number}/upper"), Path(f"/tmp/{number}/work")
        work.mkdir(parents=True)
        upper.mkdir()  # for everybody: the place itself may be for its owner only
        real = f"/proc/self/fd/{handle}"
        with contextlib.suppress(OSError):
            mount("overlay", real, "overlay", 0, f"lowerdir={real},upperdir={upper},workdir={work}{more}")
            changes[place] = os.open(upper, os.O_PATH)
        os.close(handle)
    checked(libc.umount2(b"/tmp", MNT_DETACH), "umount2 /tmp")
    return changes


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    checked(libc.mount(*words, ctypes.c_ulong(flags), data and os.fsencode(data)), f"mount {target}")


def set_attributes(target: str, *, on: int = 0, off: int = 0, recursive: bool = False) -> None:
    attributes = struct.pack("=4Q", on, off, 0, 0)
    scope = AT_RECURSIVE if recursive else 0
    result = libc.syscall(
        MOUNT_SETATTR, AT_FDCWD, os.fsencode(target), scope, attributes, ctypes.c_size_t(len(attributes))
    )
    checked(result, f"mount_setattr {target}")


def raise_loopback() -> None:
    """A network that leads nowhere, but to itself."""
    with contextlib.suppress(OSError), socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP


def checked(result: int, what: str) -> int:
    if result < 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem), what)
    return result


# -- the command -------------------------------------------------------------------------------------------------------


def become(plan: Plan) -> NoReturn:
    """Turn into the plan's command, as its user, with its filter."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)  # standard output is process 1's, for what it saw
    die_with_parent()
    if os.geteuid() == 0:
        for capability in HARMS_THE_MACHINE:
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.setgroups([])
        if plan.user is not None:
            os.setresgid(plan.user, plan.user, plan.user)
            os.setresuid(plan.user, plan.user, plan.user)
            die_with_parent()  # forgotten with the change of user
    os.chdir(plan.folder)
    if plan.refuse:
        checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        install(refusals())
    os.execve(plan.command[0], plan.command, plan.environment)


def refusals() -> list[tuple[int, int, int, int]]:
    """A filter that refuses what makes namespaces and mounts, as the default one of containers does."""
    calls = CALLS[os.uname().machine]
    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    allow, refuse, unknown = 0x7FFF0000, 0x50001, 0x50026  # EPERM, ENOSYS
    spaces = NEWNS | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET | 0x02000000
    return [
        (load, 0, 0, 4),
        (equal, 0, 9, calls["arch"]),
        (load, 0, 0, 0),
        (equal, 8, 0, CLONE3),  # its flags stand where a filter cannot look
        (equal, 6, 0, calls["unshare"]),
        (equal, 5, 0, calls["setns"]),
        (equal, 4, 0, calls["mount"]),
        (equal, 3, 0, calls["pivot_root"]),
        (equal, 0, 4, calls["clone"]),
        (load, 0, 0, 16),
        (any_bit, 0, 2, spaces),
        (answer, 0, 0, refuse),
        (answer, 0, 0, unknown),
        (answer, 0, 0, allow),
    ]


def install(program: list[tuple[int, int, int, int]]) -> None:
    code = b"".join(struct.pack("=HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    given = struct.pack("@HxxxxxxP", len(program), ctypes.addressof(buffer))
    checked(libc.prctl(PR_SET_SECCOMP, 2, ctypes.c_char_p(given), 0, 0), "seccomp")


def die_with_parent() -> None:
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


# -- what process 1 sees -----------------------------------------------------------------------------------------------


def watch(plan: Plan, overlays: dict[str, int]) -> dict[str, object]:
    """Run the command; say how it ended, who survived it, and what of the watched folders is not as it was."""
    watched = plan.watch | {place: (f"/proc/self/fd/{handle}/.", True) for place, handle in overlays.items()}
    elsewhere = [*plan.rooms, *plan.kept]
    before = {name: picture(*what, elsewhere) for name, what in watched.items()}
    pid = os.fork()
    if pid == 0:
        try:
            become(plan)
        except BaseException as error:
            os.write(2, f"cannot start the command: {error}\n".encode())
        finally:
            os._exit(FAILED)
    assert pid == HOST_PID
    code = wait_for(pid, time.monotonic() + plan.seconds)
    left = survivors()
    after = {name: picture(*what, elsewhere) for name, what in watched.items()}
    return {
        "code": code,
        "survivors": left,
        "changes": {name: list(differences(before[name], after[name])) for name in watched},
    }


def wait_for(pid: int, until: float) -> int | None:
    """Its exit code, or None when it had to be killed. Orphans come to process 1, which buries them."""
    while time.monotonic() < until:
        for ended, status in buried():
            if ended == pid:
                return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return None


def buried() -> Iterator[tuple[int, int]]:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended


def survivors() -> list[str]:
    """Every process but this one, once they had time to disappear: number, name, command line."""
    until = time.monotonic() + PATIENCE
    while True:
        list(buried())
        left = [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]
        if not left or time.monotonic() > until:
            return [f"{name} {told(name, 'comm')} {told(name, 'cmdline')}" for name in left]
        time.sleep(0.02)


def told(pid: str, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "?"


def picture(path: str, large: bool, elsewhere: list[str]) -> dict[str, str]:
    """What a folder or file holds: of each entry its kind, mode and owner, and its content; of large ones the size and
    the time of the last change instead. What has a picture elsewhere, or cannot be changed, is left out."""
    if os.path.isfile(path):
        return {"": Path(path).read_text(errors="replace")}  # a file of /proc
    entries: dict[str, str] = {}
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if path in elsewhere or os.path.join(folder, name) not in elsewhere]
        for name in (*folders, *files):
            whole = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):
                entries[os.path.relpath(whole, path)] = described(whole, os.lstat(whole), large)
    return entries


def described(path: str, status: os.stat_result, large: bool) -> str:
    words = f"{status.st_mode:o} {status.st_uid}"
    if stat.S_ISLNK(status.st_mode):
        return f"{words} -> {os.readlink(path)}"
    if not stat.S_ISREG(status.st_mode):
        return words
    if large or status.st_size > 64 << 20:
        return f"{words} {status.st_size} {status.st_mtime_ns}"
    return f"{words} {hashlib.sha256(Path(path).read_bytes()).hexdigest()}"


def differences(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            yield f"{path} is gone"
        elif path not in before:
            yield f"{path} is new: {after[path][:200]}"
        elif before[path] != after[path]:
            yield f"{path} changed: {before[path][:200]} became {after[path][:200]}"


# -- the program -------------------------------------------------------------------------------------------------------


def first_process(plan: Plan) -> None:
    """Process 1."""
    die_with_parent()
    overlays = arrange(plan)
    raise_loopback()
    if os.geteuid() == 0 and plan.user is not None:
        for room in plan.rooms:
            give_away(room, plan.user)
    seen = watch(plan, overlays)
    sys.stdout.write(json.dumps(seen))
    sys.stdout.flush()


def give_away(room: str, user: int) -> None:
    os.lchown(room, user, user)
    for folder, folders, files in os.walk(room):
        for name in (*folders, *files):
            os.lchown(os.path.join(folder, name), user, user)


def main() -> int:
    """Exit code 0 when everything was seen, whatever became of the command."""
    die_with_parent()
    plan = Plan(**json.loads(sys.stdin.buffer.read()))
    try:
        separate()
    except OSError as error:
        sys.stderr.write(f"namespaces are refused: {error.strerror} ({error.filename})\n")
        return REFUSED
    pid = os.fork()
    if pid == 0:
        try:
            first_process(plan)
            os._exit(0)
        except OSError as error:
            os.write(2, f"{error.strerror} ({error.filename})\n".encode())
            os._exit(REFUSED if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSYS) else FAILED)
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode())
        finally:
            os._exit(FAILED)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF


if __name__ == "__main__":
    sys.exit(main())
