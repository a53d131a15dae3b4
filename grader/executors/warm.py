"""The host's side of a fork server: starts the process, spawns children from it, holds their leases."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from grader.errors import WarmProcessError
from grader.forkserver import Fate, Note

START_PATIENCE: Final = 180.0
"""Seconds until a process must be warm. torch alone takes 2 to 3 on an idle machine, and many times that on a busy
one."""
SPAWN_PATIENCE: Final = 30.0


class Lease:
    """A child of a warm process. It lives until it ends, `end` is called, or the lease is closed."""

    def __init__(self, room: str, packets: socket.socket) -> None:
        self._room = room
        self._packets = packets
        packets.settimeout(SPAWN_PATIENCE)
        try:
            self.pid = msgspec.json.decode(self._receive(), type=int)
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
            WarmProcessError: the process it was forked from is gone.
        """
        with self._packets:
            ended = bool(select.select([self._packets], [], [], patience)[0])
            self.hang_up()
            fate = msgspec.json.decode(self._receive(), type=Fate)
        return msgspec.structs.replace(fate, stopped=patience > 0 and not ended)

    def hang_up(self) -> None:
        """Have the child killed, and wait for nothing."""
        with contextlib.suppress(OSError):  # it has ended already, and its fate is waiting
            self._packets.shutdown(socket.SHUT_WR)  # not a message: unread, it would reset what the server sends

    def _receive(self) -> bytes:
        try:
            packet = self._packets.recv(4096)
        except OSError as error:
            packet, reason = b"", error.strerror or "no answer"
        else:
            reason = "it ended"
        if not packet:
            raise WarmProcessError(f"the {self._room} process is gone ({reason})", room=self._room)
        return packet


class WarmProcess:
    """A process that is started once, imports everything, and forks a child per request.

    Attributes:
        room: `examiner` or `worker`, the package under `grader` that it runs.
        facts: what it said about itself when it was warm.
    """

    def __init__(
        self,
        room: str,
        *,
        environment: Mapping[str, str],
        arguments: Sequence[str] = (),
        setup: bytes | None = None,
    ) -> None:
        self.room = room
        self.facts: dict[str, str] = {}
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        command = [sys.executable, "-I", "-B", "-m", f"grader.{room}", str(theirs.fileno()), *arguments]
        with theirs:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C in the terminal is for the host, which then ends everything in order
            )
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
                hint="if this is not something you can mend, it is a fault of the grader; please report it",
            )
        note = msgspec.json.decode(packet, type=Note)
        if not note.ready:
            raise WarmProcessError(note.message, room=self.room)
        self.facts = note.facts
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
                raise WarmProcessError(f"the {self.room} process is gone ({error.strerror})", room=self.room) from None
        return Lease(self.room, ours)

    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process and every child it still has."""
        self._control.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=2)
        self._log.seek(0)
        return self._log.read()[-4000:].decode("utf-8", "replace").strip()


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
