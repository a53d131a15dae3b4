"""Runs a notebook and keeps what it left for the examiners: two processes, both inside the walls.

The child of the warm worker forks once more. The fork becomes the kernel, which runs the cells; the parent becomes the
client, nbclient, which tells it what to run and watches the clock. When the last cell is done, the client tells the
kernel what came of it, and the kernel takes the host's socket and the examiner's over: it forks a child for each
examiner (`branching`). From then on the parent only waits, and ends when the kernel does. Where the kernel did not
survive its own cells, the parent says so to the examiner.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import torch

from grader import wire
from grader.errors import WireError
from grader.serving import Desk, reseed, serve
from grader.worker import branching, player, privileges
from grader.worker.kernel import Kernel
from grader.worker.loading import Bundle, Remains, find_own_modules
from grader.worker.lockdown import Lock
from grader.worker.output import BoundedText

REPORT_CAP: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Stage:
    """What client and kernel share.

    Attributes:
        control: where the host's messages come from.
        stream: the first examiner's socket.
        sequence: the number of its question.
        request: the question: to run this notebook.
        lock: what is still to be given up on the way.
    """

    control: socket.socket
    stream: socket.socket
    sequence: int
    request: wire.Execute
    bundle: Bundle
    lock: Lock


def perform(control: socket.socket, bundle: Bundle, kernel: Kernel, home: Path, lock: Lock) -> None:
    """Run a notebook for the first examiner that the host sends, and serve that one and all later ones.

    Args:
        control: where the host's messages come from; see `branching`.
        bundle: the submission's files.
        kernel: one that lacks nothing but sockets.
        home: an empty folder for them.
        lock: this process's.
    """
    message, descriptors, _, _ = socket.recv_fds(control, 16, 1)
    if message != branching.SERVE:
        return
    stream = socket.socket(fileno=descriptors[0])
    connection = wire.Connection(stream, wire.Request, peer="the examiner")
    with contextlib.suppress(WireError):
        sequence, request = connection.receive(deadline=math.inf)
        if isinstance(request, wire.Execute):
            stage = Stage(control, stream, sequence, request, bundle, lock)
            address = os.path.relpath(home / "kernel")  # a socket's whole path has room for 107 characters
            executed, pid = _run(stage, kernel, address)
            if executed.alive:
                os.waitpid(pid, 0)
                return
            connection.send(executed, sequence=sequence, deadline=math.inf)
            connection.receive(deadline=math.inf)  # the examiner hangs up


def _run(stage: Stage, kernel: Kernel, address: str) -> tuple[wire.Executed, int]:
    """Fork the kernel, run the cells, tell the kernel to take over. Returns what came of it, and the kernel's pid."""
    request = stage.request
    awaited, bound = os.pipe()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.close(awaited)
        _play(stage, kernel, address, bound, theirs)
    os.close(bound)
    theirs.close()
    executed = player.play(
        [cell.source for cell in stage.bundle.notebooks[request.file]],
        address,
        pid=pid,
        bound=awaited,
        seconds=request.seconds,
        cell_seconds=request.cell_seconds,
    )
    if executed.alive:
        stage.control.close()
        stage.stream.close()
        with contextlib.suppress(OSError):  # it has just died: whoever waits for it will say so
            ours.send(msgspec.msgpack.encode(executed))
    return executed, pid


def _play(stage: Stage, kernel: Kernel, address: str, bound: int, link: socket.socket) -> None:
    """The kernel's life."""
    file = stage.request.file
    privileges.die_with_parent()
    find_own_modules(stage.bundle, file, definitions_only=False)
    sys.argv = [file]
    sys.path.append(os.getcwd())  # for modules that cells write; the last place, so that none replaces a library
    reseed(stage.request.seed)
    kernel.play(
        address,
        stage.bundle.listings(file),
        bound=bound,
        connected=stage.lock.tighten,
        afterwards=link.fileno(),
        then=lambda: _take_over(stage, kernel, link),
    )


def _take_over(stage: Stage, kernel: Kernel, link: socket.socket) -> None:
    """What the kernel does after the last cell: serve examiners, each with a fork of what is there now."""
    report = link.recv(REPORT_CAP)
    if not report:
        return
    executed = msgspec.msgpack.decode(report, type=wire.Executed)
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def child(descriptor: int, *, asked: bool) -> None:
        stage.lock.settle()
        sys.stdout = sys.stderr = printed = BoundedText()
        torch.set_num_threads(1)  # threads of a pool do not survive a fork
        connection = wire.Connection(socket.socket(fileno=descriptor), wire.Request, peer="the examiner")
        loader = Remains(stage.bundle, kernel.namespace)
        desk = Desk(loader, sources=stage.bundle.lines(), output=printed.text, executed=executed)
        if asked:
            connection.send(executed, sequence=stage.sequence, deadline=math.inf)
        serve(connection, desk)

    branching.branch(stage.control, stage.stream.detach(), child)
