"""What a locked worker can still do, found out by trying: the level that is reported follows from this alone.

Theory of operation. The warm process sets targets up that stand for what must stay out of reach: a file with a secret,
a secret in its own memory, listening sockets of every kind. Then it forks a child in exactly the way a submission's
worker is forked and locked down, and has that child attack the targets, and whatever else isolation is about. An
attempt that succeeds is named; what cannot be tried at all counts as succeeded. No layer is believed because its system
call returned 0.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import socket
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECRET: Final = secrets.token_bytes(32)
"""Stands for what the memory of a trusted process holds. A fork has it at the same address."""

PTRACE_SEIZE: Final = 0x4206
PTRACE_DETACH: Final = 17
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
PIDFD_GETFD: Final = 438
PIDFD_OPEN: Final = 434

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Targets:
    """What the locked child is to attack.

    Attributes:
        parent: the process it was forked from, which knows `SECRET`.
        file: one that only this user may read, outside of the child's own folder.
        folder: where that lies; nothing may be written there.
        place: that folder's device and number, for a child that may have one of its own at the same path.
        shared: a file in shared memory, or in the common folder for temporary files.
        tcp, udp: ports on the loopback interface that are listened on.
        path, abstract: addresses of unix sockets that are listened on.
    """

    parent: int
    file: Path
    folder: Path
    place: tuple[int, int]
    shared: Path
    tcp: int
    udp: int
    path: str
    abstract: str


@contextlib.contextmanager
def targets(folder: Path) -> Iterator[Targets]:
    """Set the targets up in a folder, and take them away again."""
    file = folder / "canary"
    file.write_bytes(SECRET)
    file.chmod(0o600)
    abstract = f"\0grader-{secrets.token_hex(8)}"
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with contextlib.ExitStack() as stack:
        shared = Path(stack.enter_context(tempfile.NamedTemporaryFile(prefix="grader-", dir=memory)).name)

        def listening(family: int, kind: int, address: object) -> socket.socket:
            opened = stack.enter_context(socket.socket(family, kind))
            opened.bind(address)  # type: ignore[arg-type]
            if kind == socket.SOCK_STREAM:
                opened.listen(4)
            return opened

        tcp = listening(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)).getsockname()[1]
        udp = listening(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)).getsockname()[1]
        listening(socket.AF_UNIX, socket.SOCK_STREAM, path := str(folder / "canary.sock"))
        listening(socket.AF_UNIX, socket.SOCK_STREAM, abstract)
        try:
            yield Targets(os.getpid(), file, folder, _place(folder), shared, tcp, udp, path, abstract)
        finally:
            for leftover in (file, Path(path)):
                leftover.unlink(missing_ok=True)


def attack(targets: Targets) -> tuple[str, ...]:
    """Try everything, and return the names of what succeeded. To be called in the locked child."""
    return tuple(name for name, probe in PROBES.items() if _succeeds(probe, targets))


def _succeeds(probe: Callable[[Targets], bool], targets: Targets) -> bool:
    try:
        return probe(targets)
    except OSError:
        return False
    except Exception:
        return True  # what cannot be tried is not proven to be impossible


# -- files -------------------------------------------------------------------------------------------------------------


def _read(targets: Targets) -> bool:
    return targets.file.read_bytes() == SECRET


def _see(targets: Targets) -> bool:
    return targets.file.stat().st_size > 0


def _write_beside(targets: Targets) -> bool:
    return _place(targets.folder) == targets.place and _write(targets.folder / f"probe-{os.getpid()}")


def _write_to_libraries(_: Targets) -> bool:
    return _write(Path(socket.__file__).parent / "probe-of-the-grader.pth")


def _place(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _write(path: Path) -> bool:
    with open(path, "xb"):
        path.unlink()
    return True


# -- processes ---------------------------------------------------------------------------------------------------------


def _open_memory(targets: Targets) -> bool:
    with open(f"/proc/{targets.parent}/mem", "rb"):
        return True


def _read_memory(targets: Targets) -> bool:
    address = id(SECRET) + bytes.__basicsize__ - 1
    into = ctypes.create_string_buffer(len(SECRET))
    local = struct.pack("NN", ctypes.addressof(into), len(SECRET))
    remote = struct.pack("NN", address, len(SECRET))
    count: int = _libc.process_vm_readv(targets.parent, local, 1, remote, 1, 0)
    return count == len(SECRET) and into.raw[: len(SECRET)] == SECRET


def _environment(targets: Targets) -> bool:
    return bool(Path(f"/proc/{targets.parent}/environ").read_bytes())


def _descriptor(targets: Targets) -> bool:
    watch: int = _libc.syscall(PIDFD_OPEN, targets.parent, 0)
    taken: int = _libc.syscall(PIDFD_GETFD, watch, 0, 0) if watch >= 0 else -1
    return taken >= 0


def _trace(targets: Targets) -> bool:
    traced: bool = _libc.ptrace(PTRACE_SEIZE, targets.parent, None, None) == 0
    if traced:
        _libc.ptrace(PTRACE_DETACH, targets.parent, None, None)
    return traced


def _signal(targets: Targets) -> bool:
    os.kill(targets.parent, 0)
    return True


# -- network -----------------------------------------------------------------------------------------------------------


def _tcp(targets: Targets) -> bool:
    return _connects(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", targets.tcp))


def _udp(targets: Targets) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return probe.sendto(b"x", ("127.0.0.1", targets.udp)) == 1


def _unix_path(targets: Targets) -> bool:
    return _connects(socket.AF_UNIX, socket.SOCK_STREAM, targets.path)


def _unix_abstract(targets: Targets) -> bool:
    return _connects(socket.AF_UNIX, socket.SOCK_STREAM, targets.abstract)


def _connects(family: int, kind: int, address: tuple[str, int] | str) -> bool:
    with socket.socket(family, kind) as probe:
        probe.settimeout(1)
        socket.SocketType.connect(probe, address)  # the class's own: what is explained to students is another
    return True


# -- the kernel --------------------------------------------------------------------------------------------------------


def _execute(_: Targets) -> bool:
    try:
        os.execv("/nowhere/to/be/found", ["nothing"])
    except FileNotFoundError:
        return True  # it was looked for: executing is allowed


def _namespace(_: Targets) -> bool:
    made: list[int] = [_libc.unshare(CLONE_NEWUSER), _libc.unshare(CLONE_NEWNET)]
    return 0 in made


def _shared_memory(targets: Targets) -> bool:
    with open(targets.shared, "r+b"):
        return True


PROBES: Final[dict[str, Callable[[Targets], bool]]] = {
    "reading other files": _read,
    "seeing that other files exist": _see,
    "writing beside its folder": _write_beside,
    "writing into libraries": _write_to_libraries,
    "writing to shared memory": _shared_memory,
    "opening the memory of other processes": _open_memory,
    "reading the memory of other processes": _read_memory,
    "reading the environment of other processes": _environment,
    "taking descriptors of other processes": _descriptor,
    "tracing other processes": _trace,
    "signalling other processes": _signal,
    "TCP connections": _tcp,
    "UDP packets": _udp,
    "unix sockets by path": _unix_path,
    "abstract unix sockets": _unix_abstract,
    "running programs": _execute,
    "making namespaces": _namespace,
}
"""What a worker must not be able to do, in words, and how it is tried."""
