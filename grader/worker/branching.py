"""What a kernel does when its notebook has been run: it stays as it is, and forks a child for each examiner.

Every child finds the namespace as the last cell left it, whatever the children before it did. So a check that hangs
costs a fork and not another run of the notebook, and one run serves all assignments that the notebook is for.

The host asks for children over a packet socket: `SERVE` with the stream to serve on, `END` to have the last one ended
and to be told how it ended. That is a claim like all that comes from here; what it cannot do is stay
alive, because the host ends the whole family when it is done.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from typing import Final, Protocol

import msgspec

from grader.forkserver import Fate

SERVE: Final = b"serve"
END: Final = b"end"
LAST_BREATH: Final = 0.3
"""Seconds for a child that hung up to end by itself, so that it can be said how."""


class Child(Protocol):
    """What a child does with its stream. `asked`: the examiner has asked something that is not answered yet."""

    def __call__(self, descriptor: int, *, asked: bool) -> None:
        """Serve until the examiner hangs up."""


def branch(control: socket.socket, first: int, child: Child) -> None:
    """Fork a child on the stream `first`, then one for each that the host sends. Returns when the host hangs up."""
    pid: int | None = _fork(control, first, child, asked=True)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
        if not message:
            return
        if message == SERVE:
            if pid is not None:
                _end(pid)
            pid = _fork(control, descriptors[0], child, asked=False)
        elif message == END:
            fate = Fate() if pid is None else _end(pid)
            pid = None
            control.send(msgspec.json.encode(fate))


def _fork(control: socket.socket, stream: int, child: Child, *, asked: bool) -> int:
    pid = os.fork()
    if pid:
        os.close(stream)
        return pid
    try:
        os.setsid()
        control.close()
        child(stream, asked=asked)
    finally:
        os._exit(0)


def _end(pid: int) -> Fate:
    """Kill a child unless it has ended, or does so at once, and say how it ended."""
    until = time.monotonic() + LAST_BREATH
    ended, status, usage = os.wait4(pid, os.WNOHANG)
    while not ended and time.monotonic() < until:
        time.sleep(0.002)
        ended, status, usage = os.wait4(pid, os.WNOHANG)
    if not ended:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
    return Fate(
        signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        code=os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        stopped=not ended,
        user_seconds=usage.ru_utime,
        system_seconds=usage.ru_stime,
        peak=usage.ru_maxrss,
    )
