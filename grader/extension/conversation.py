"""One class of this process under the checks of another: the host's part and the worker's, in turns, in one thread."""

from __future__ import annotations

import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

from grader import wire
from grader.errors import GraderError, WireError
from grader.executors.examination import GRACE, Told
from grader.executors.warm import WarmProcess
from grader.extension.undisturbed import Interruption, undisturbed
from grader.forkserver import Fate
from grader.model import Attempt, Isolation, IsolationLevel, Job
from grader.orders import FromExaminer, Hire, Hired, Order, Post, Retire, Retired
from grader.serving import Desk, Listing, serve_one
from grader.worker.output import BoundedText

MOMENT: Final = 5.0
"""Seconds for the examiner to say what it has begun to say."""


def examine(examiner: WarmProcess, job: Job, target: Any, sources: dict[str, Listing]) -> Attempt:
    """Have the checks of a job run on `target`, a class of this process. To be called in the main thread.

    Args:
        sources: the student's code, by the file names that tracebacks give it.

    Raises:
        KeyboardInterrupt: somebody interrupted. Everything is put back all the same.
        WarmProcessError: the examiner went away.
    """
    printed = BoundedText()
    supplied = _Supplied(target)

    def load(request: wire.Open) -> object:
        supplied.supply(request.supply)
        return target

    def desk() -> Desk:
        return Desk(load, sources=sources, output=printed.text)

    told, began = Told(), time.monotonic()
    with _child(examiner, job) as packets, Interruption() as interruption:
        try:
            with undisturbed(printed):
                until = began + job.assignment.limits.seconds + GRACE
                _converse(packets, told, desk, interruption, until=until)
        finally:
            supplied.take_back()
    interruption.require_none()
    told.seconds = time.monotonic() - began
    return told.attempt(job, isolation=Isolation(level=IsolationLevel.PROCESS_ONLY))


@contextmanager
def _child(examiner: WarmProcess, job: Job) -> Iterator[socket.socket]:
    """A child of the examiner that has its order, and the socket on which it says what it wants."""
    order = Order(assignment=job.assignment.id, match=job.match, policy_hits=job.policy_hits, seed=job.seed)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            lease = examiner.spawn(msgspec.json.encode(order), [theirs.fileno()])
        try:
            yield ours
        finally:
            lease.end()


def _converse(
    packets: socket.socket, told: Told, desk: Callable[[], Desk], interruption: Interruption, *, until: float
) -> None:
    """Do what the examiner asks, and answer what it asks about the class, until it has finished or takes too long."""
    post, serving = Post(packets, FromExaminer), _Serving()
    try:
        while told.finished is None and time.monotonic() < until:
            ready, _, _ = select.select([packets, *serving.streams], [], [], MOMENT)
            if packets in ready:
                message, _ = post.receive(deadline=time.monotonic() + MOMENT)
                match message:
                    case Hire():
                        with serving.hire(desk()) as theirs:
                            post.send(Hired(), (theirs.fileno(),))
                    case Retire():
                        serving.close()
                        post.send(Retired(fate=Fate(code=0)))
                    case _:
                        told.note(message)
            elif ready:
                serving.answer()
            interruption.require_none()
    except WireError:
        return  # the examiner is gone: checks that it did not report are our failure, and said to be
    finally:
        serving.close()


class _Serving:
    """The desk that is asked, and the stream it is asked on; one after the other."""

    def __init__(self) -> None:
        self.streams: list[socket.socket] = []
        self._connection: wire.Connection | None = None
        self._desk: Desk | None = None

    def hire(self, desk: Desk) -> socket.socket:
        """Open a desk, and return the examiner's end of its stream."""
        self.close()
        theirs, ours = socket.socketpair()
        self.streams, self._desk = [ours], desk
        self._connection = wire.Connection(ours, wire.Request, peer="the examiner")
        return theirs

    def answer(self) -> None:
        """Answer a question, or notice that there will be none."""
        assert self._connection is not None
        assert self._desk is not None
        if not serve_one(self._connection, self._desk):
            self.close()

    def close(self) -> None:
        """Close the desk and its stream."""
        if self._connection is not None:
            self._connection.close()
        self.streams, self._connection, self._desk = [], None, None


class _Supplied:
    """Imports that a class forgot, in its namespace for as long as it is looked at with them."""

    def __init__(self, target: Any) -> None:
        module = sys.modules.get(getattr(target, "__module__", ""), None)
        self._namespace: dict[str, Any] = vars(module) if module is not None else {}
        self._added: list[str] = []

    def supply(self, statements: tuple[str, ...]) -> None:
        """Bind what these statements bind, unless it is bound already."""
        self.take_back()
        found: dict[str, Any] = {}
        for statement in statements:
            exec(statement, found)
        found.pop("__builtins__", None)
        self._added = [name for name in found if name not in self._namespace]
        self._namespace.update({name: found[name] for name in self._added})

    def take_back(self) -> None:
        """Unbind it."""
        for name in self._added:
            self._namespace.pop(name, None)
        self._added = []


def require_main_thread() -> None:
    """Raise `GraderError` in any other thread: signals keep the time, and only the main thread gets them."""
    if threading.current_thread() is not threading.main_thread():
        raise GraderError("checks run in the main thread only", hint="call it in a cell, not in a thread")
