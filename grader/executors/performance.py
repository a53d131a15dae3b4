"""One notebook of one submission: run once, by the first worker that is needed, and then forked for all others."""

from __future__ import annotations

import contextlib
import shutil
import socket
from pathlib import Path
from typing import Final

import msgspec

from grader.errors import WarmProcessError
from grader.executors.rooms import Rooms
from grader.executors.warm import Lease
from grader.forkserver import Fate
from grader.model import Limits
from grader.orders import NotebookBudget

SERVE: Final = b"serve"
END: Final = b"end"
PATIENCE: Final = 1.0
"""Seconds for the notebook's process to end one of its children; after that it is ended itself."""


class Performance:
    """The process that runs a notebook, and from which workers are forked afterwards. Started when it is needed.

    Attributes:
        budget: what running it may take.
    """

    def __init__(self, rooms: Rooms, bundle: int, limits: Limits, core: int) -> None:
        """Begin.

        Args:
            bundle: the descriptor of the submission's files.
            limits: the budgets.
            core: where all of it runs.
        """
        self._rooms = rooms
        self._bundle = bundle
        self._limits = limits
        self._core = core
        self._lease: Lease | None = None
        self._control: socket.socket | None = None
        self._home: Path | None = None
        self.budget = NotebookBudget(seconds=limits.notebook_seconds, cell_seconds=limits.cell_seconds)

    @property
    def pid(self) -> int | None:
        """The process from which all others are forked, while there is one."""
        return None if self._lease is None else self._lease.pid

    def serve(self, stream: int) -> None:
        """Have a worker answer on this stream. Runs the notebook first unless that was done, or did not end well."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                socket.send_fds(self._control, [SERVE], [stream], socket.MSG_NOSIGNAL)
                return
            self.close()
        control = self._start()
        with contextlib.suppress(OSError):  # whoever asks on the stream learns that it is closed
            socket.send_fds(control, [SERVE], [stream], socket.MSG_NOSIGNAL)

    def end(self) -> Fate:
        """End the worker, and say how it ended. Where that fails, all of it is ended."""
        if self._control is None:
            return Fate()
        try:
            self._control.send(END, socket.MSG_NOSIGNAL)
            packet = self._control.recv(4096)
            if packet:
                return msgspec.json.decode(packet, type=Fate)
        except (OSError, msgspec.MsgspecError):
            pass  # it is still running the notebook, or dead, or no longer what it was
        return self.close()

    def close(self) -> Fate:
        """End all of it, and say how."""
        lease, self._lease = self._lease, None
        control, self._control = self._control, None
        home, self._home = self._home, None
        try:
            return Fate() if lease is None else self._rooms.end(lease)
        finally:
            if control is not None:
                control.close()
            if home is not None:
                shutil.rmtree(home, ignore_errors=True)

    def _start(self) -> socket.socket:
        self._home = self._rooms.make_home()
        seconds = int(self._limits.seconds + self._limits.notebook_seconds) + 5
        payload = {
            "memory": self._limits.memory,
            "cpu_seconds": seconds,
            "home": str(self._home),
            "branching": True,
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                descriptors = [theirs.fileno(), self._bundle]
                self._lease = self._rooms.spawn("worker", msgspec.json.encode(payload), descriptors)
            except WarmProcessError:
                ours.close()
                raise
        self._lease.stay_on(self._core)
        ours.settimeout(PATIENCE)
        self._control = ours
        return ours
