"""The host's side of a fork server: starts the process, spawns children from it, holds their leases."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from grader.errors import WarmProcessError
from grader.forkserver import Fate, Note
from grader.walls import Walls

START_PATIENCE: Final = 180.0
"""Seconds until a process must be warm. torch alone takes 2 to 3 on an idle machine, and many times that on a busy
one."""
SPAWN_PATIENCE: Final = 10.0
"""Seconds until a process that is warm must have answered: it does nothing but fork and kill."""

LOOK_EVERY: Final = 0.5
"""Seconds of silence after which it is seen whether the process was stopped, and will not answer at all."""

END_PATIENCE: Final = 5.0
"""Seconds for a process to end with all its children; what has not answered before gets less."""


T = TypeVar("T")


class Lease:
    """A child of a warm process. It lives until it ends, `end` is called, or the lease is closed."""

    def __init__(self, room: str, packets: socket.socket, *, parent: int) -> None:
        """Wait for the child. `parent` is the process that forks it."""
        self._room = room
        self._packets = packets
        self._parent = parent
        packets.settimeout(LOOK_EVERY)
        try:
            self.pid = self._decoded(int)
        except BaseException:
            packets.close()
            raise

    def stay_on(self, core: int) -> None:
        """Run the child on one core only, where the system allows to say so."""
        with contextlib.suppress(OSError, AttributeError):
            os.sched_setaffinity(self.pid, {core})

    def end(self, *, patience: float = 0.0) -> Fate:
        """Kill the child unless it ends by itself within `patience` seconds, and say how it ended.

        Raises:
            WarmProcessError: the process it was forked from is gone, or stopped.
        """
        with self._packets:
            ended = bool(select.select([self._packets], [], [], patience)[0])
            self.hang_up()
            fate = self._decoded(Fate)
        return msgspec.structs.replace(fate, stopped=patience > 0 and not ended)

    def hang_up(self) -> None:
        """Have the child killed, and wait for nothing."""
        with contextlib.suppress(OSError):  # it has ended already, and its fate is waiting
            self._packets.shutdown(socket.SHUT_WR)  # not a message: unread, it would reset what the server sends

    def _decoded(self, kind: type[T]) -> T:
        """What the server says, or `WarmProcessError` when it says something else."""
        try:
            return msgspec.json.decode(self._receive(), type=kind)
        except msgspec.MsgspecError:
            message = f"the {self._room} process said something that makes no sense"
            raise WarmProcessError(message, room=self._room, pid=self._parent) from None

    def _receive(self) -> bytes:
        reason, until = "no answer", time.monotonic() + SPAWN_PATIENCE
        while time.monotonic() < until:
            try:
                packet = self._packets.recv(4096)
            except TimeoutError:
                if _is_stopped(self._parent):
                    reason = "it was stopped"
                    break
            except OSError as error:
                reason = error.strerror or "no answer"
                break
            else:
                if packet:
                    return packet
                reason = "it ended"
                break
        raise WarmProcessError(f"the {self._room} process is gone ({reason})", room=self._room, pid=self._parent)


class WarmProcess:
    """A process that is started once, imports everything, and forks a child per request.

    Attributes:
        room: `examiner` or `worker`, the package under `grader` that it runs.
        pid: the process.
        walls: what its children are walled in by, as it said when it was warm.
    """

    def __init__(
        self,
        room: str,
        *,
        environment: Mapping[str, str],
        arguments: Sequence[str] = (),
        setup: bytes | None = None,
        program: Sequence[str] | None = None,
    ) -> None:
        """Start it. `program` is what Python runs; the room's own package unless it is given."""
        self.room = room
        self.walls: Walls | None = None
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        program = program or ("-m", f"grader.{room}")
        command = [sys.executable, "-I", "-B", *program, str(theirs.fileno()), *arguments]
        try:
            with theirs:
                self._process = subprocess.Popen(
                    command,
                    env=dict(environment),
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                    start_new_session=True,  # Ctrl-C in the terminal is for the host, which then ends all in order
                )
        except OSError as error:
            self._control.close()
            self._log.close()
            raise WarmProcessError(
                f"{sys.executable} cannot be started: {error.strerror}",
                room=room,
                hint="install the grader with a Python that this user can run",
            ) from None
        self.pid = self._process.pid
        if setup is not None:
            with sealed(setup) as descriptor:
                socket.send_fds(self._control, [b"setup"], [descriptor])

    def wait(self) -> None:
        """Wait until it is warm. Raises `WarmProcessError` with what it said when it cannot be."""
        self._control.settimeout(START_PATIENCE)
        try:
            packet = self._control.recv(64 << 10)
        except OSError:
            packet = b""
        if not packet:
            raise WarmProcessError(
                f"the {self.room} process did not start:\n{self._last_words()}",
                room=self.room,
                pid=self.pid,
                hint="if this is not something you can mend, it is a fault of the grader; please report it",
            )
        note = msgspec.json.decode(packet, type=Note)
        if not note.ready:
            raise WarmProcessError(note.message, room=self.room, pid=self.pid)
        self.walls = note.walls
        self._control.settimeout(SPAWN_PATIENCE)

    def spawn(self, payload: bytes, descriptors: Sequence[int]) -> Lease:
        """Fork a child that gets this payload and these descriptors. Raises `WarmProcessError`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                with self._lock:
                    socket.send_fds(self._control, [payload], [theirs.fileno(), *descriptors], socket.MSG_NOSIGNAL)
            except OSError as error:
                ours.close()
                reason = error.strerror or "it takes no more messages"
                message = f"the {self.room} process is gone ({reason})"
                raise WarmProcessError(message, room=self.room, pid=self.pid) from None
        return Lease(self.room, ours, parent=self.pid)

    def alive(self) -> bool:
        """Whether the process is running: it has neither ended nor been stopped."""
        return self._process.poll() is None and not _is_stopped(self.pid)

    def close(self, *, patience: float = END_PATIENCE) -> None:
        """End the process and every child it still has. It is killed when that takes more than `patience` seconds."""
        self._control.close()
        self._process.send_signal(signal.SIGCONT)  # who was stopped could not end its children
        try:
            self._process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        self._log.seek(0)
        return self._log.read()[-4000:].decode("utf-8", "replace").strip()


def _is_stopped(pid: int) -> bool:
    """Whether a child of ours was stopped by a signal. Nothing of ours sends one: it is student code that did."""
    try:
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put Ctrl-C off until what is done here is whole: a process that is being started could not be ended."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def sealed(content: bytes) -> Iterator[int]:
    """A descriptor of an anonymous file with this content that nobody can change any more. Yields the descriptor."""
    descriptor = os.memfd_create("grader", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        yield descriptor
    finally:
        os.close(descriptor)
