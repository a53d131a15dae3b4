"""The warm processes of a run: started together, watched, started again when they go away."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from grader.errors import IsolationError, WarmProcessError
from grader.executors.warm import Lease, WarmProcess, undisturbed
from grader.forkserver import Fate
from grader.model import Assignment, Isolation, IsolationLevel, Limits
from grader.orders import Course, Setup

QUIET: Final = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "LANG": "C.UTF-8", "MPLBACKEND": "Agg"}
"""One thread, so that forking is safe, and nothing that says who or where we are."""


LONGEST_PLACE: Final = 60
SHORT_PLACES: Final = ("/tmp", "/var/tmp")

HASTE: Final = 2.0
"""Seconds for a process that did not answer to end by itself."""


class Rooms:
    """The two warm processes, and the children that are alive. A context manager.

    Attributes:
        turns: who may examine together with others, and who alone.
    """

    def __init__(self, assignments: tuple[Assignment, ...], *, isolation: IsolationLevel) -> None:
        """Begin. `isolation` is the least that is put up with."""
        self._setup = msgspec.json.encode(Setup(courses=tuple(map(course, assignments))))
        self._memory = max((assignment.limits.memory for assignment in assignments), default=Limits().memory)
        self._least = isolation
        self._scratch = scratch_folder()
        self._reviving = threading.Lock()
        self.turns = Turns()
        self._processes: dict[str, WarmProcess] = {}
        self._leases: set[Lease] = set()
        self._leasing = threading.Lock()
        self._closing = False

    def __enter__(self) -> Rooms:
        try:
            self._processes = self._start_both()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _start_both(self) -> dict[str, WarmProcess]:
        """Start both at once, then await both."""
        self._make_scratch()
        started: dict[str, WarmProcess] = {}
        try:
            with undisturbed():
                for room in ("examiner", "worker"):
                    started[room] = self._start(room)
            for process in started.values():
                process.wait()
            _require(self._least, started["worker"])
        except BaseException:
            for process in started.values():
                process.close(patience=HASTE)
            raise
        return started

    def _start(self, room: str) -> WarmProcess:
        if room == "examiner":
            return WarmProcess(room, environment=QUIET, setup=self._setup)
        return WarmProcess(room, environment=QUIET, arguments=[str(self._scratch), str(self._memory)])

    def _make_scratch(self) -> None:
        """A worker process that ends takes the folder with it, even where another is to follow it."""
        self._scratch.mkdir(mode=0o711, exist_ok=True)
        self._scratch.chmod(0o711)  # a worker that runs as another user must be able to enter its home

    def make_home(self) -> Path:
        """An empty folder for one worker."""
        self._make_scratch()
        return Path(tempfile.mkdtemp(dir=self._scratch))

    def spawn(self, room: str, payload: bytes, descriptors: list[int]) -> Lease:
        """A child of one of the warm processes."""
        with self._leasing:
            if self._closing:
                raise WarmProcessError("the run is being stopped", room=room)
            lease = self._processes[room].spawn(payload, descriptors)
            self._leases.add(lease)
        return lease

    def end(self, lease: Lease, *, patience: float = 0.0) -> Fate:
        """End a child and say how it ended. It gets `patience` seconds to end by itself."""
        with self._leasing:
            self._leases.discard(lease)
        return lease.end(patience=patience)

    def close_down(self) -> None:
        """Have every child killed, and start no other. Whoever holds a lease learns its fate, and ends it."""
        with self._leasing:
            self._closing = True
            for lease in self._leases:
                lease.hang_up()

    def require_alive(self) -> None:
        """Raise `WarmProcessError` when one of the processes was ended or stopped."""
        for room, process in self._processes.items():
            if not process.alive():
                raise WarmProcessError(f"the {room} process is gone", room=room, pid=process.pid)

    def revive(self, error: WarmProcessError) -> None:
        """Start both processes again, unless another thread did so after this error. To be called alone.

        Both, because whoever ended or stopped the one is a child of the worker process, and must not meet the next.
        Raises the error when it was this run's end that ended the process.
        """
        with self._reviving:
            if self._closing:
                raise error
            processes = self._processes.values()
            if all(process.alive() and process.pid != error.pid for process in processes):
                return
            for process in processes:
                process.close(patience=HASTE)
            self._processes = self._start_both()

    @property
    def isolation(self) -> Isolation:
        """What the worker process found out about its children."""
        return _isolation(self._processes["worker"])


def scratch_folder() -> Path:
    """A new temporary folder. Sockets lie in it, and the path of one has room for 107 characters: where the usual place
    has a long path, another is taken if there is one."""
    usual = os.path.realpath(tempfile.gettempdir())
    places = [usual] if len(usual) <= LONGEST_PLACE else [*SHORT_PLACES, usual]
    chosen = next((place for place in places if os.access(place, os.W_OK | os.X_OK)), usual)
    return Path(os.path.realpath(tempfile.mkdtemp(prefix="grader-", dir=chosen)))


class Turns:
    """Lets any number in together, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._taken = False

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Wait until nobody is, or wants to be, alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else in, and wait until those inside have left."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken)
            self._taken = True
            self._changed.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()


def _isolation(worker: WarmProcess) -> Isolation:
    assert worker.walls is not None
    return Isolation(level=IsolationLevel(worker.walls.level), missing=worker.walls.missing)


def _require(least: IsolationLevel, worker: WarmProcess) -> None:
    """Raise `IsolationError` when children of this process are walled in less than that."""
    given, levels = _isolation(worker), tuple(IsolationLevel)
    if levels.index(given.level) > levels.index(least):
        raise IsolationError(asked=least.value, given=given.level.value, missing=given.missing)


def course(assignment: Assignment) -> Course:
    """An assignment as the examiner needs it."""
    return Course(
        id=assignment.id,
        checks_folder=str((assignment.folder / "checks").resolve()),
        reference=str(assignment.reference.resolve()) if assignment.reference.is_file() else "",
        entry=assignment.entry,
        contract=assignment.contract,
        limits=assignment.limits,
        checks=assignment.checks,
        forbid=assignment.policy.forbid,
    )
