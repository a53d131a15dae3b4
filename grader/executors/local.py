"""Examines submissions on this machine: two warm processes, and for each submission a fork of both, joined by a socket.

Theory of operation
-------------------
For every job the host spawns a child of the examiner and gives it a socket to itself. The child asks for a worker; the
host makes a socket pair, spawns a child of the worker process with one end and the submission's files (in a sealed
anonymous file), and passes the other end to the examiner's child. From then on the two talk to each other and the host
hears only results. When the examiner is done, or the host's clock says that it must be, both children are killed; only
then is the attempt a value.

Examiner and worker take turns: one waits while the other computes. So both stay on one core, a different one for each
job that is under way; waking the other up on another core costs more than most answers.

A warm process that goes away is started again, and the job repeated by itself. So is a job that ran out of time while
its code hardly computed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator

from grader import wire
from grader.errors import WarmProcessError
from grader.executors import least_isolation
from grader.executors.examination import Examination, ended_us
from grader.executors.inspection import require_linux
from grader.executors.performance import Performance
from grader.executors.rooms import Rooms
from grader.executors.warm import sealed
from grader.model import Assignment, Attempt, IsolationLevel, Job, Limits, SourceFile


class LocalExecutor:
    """Warm processes on this machine, `jobs` submissions at a time.

    `isolation` is the least that is put up with; hidden checks need `confined`, unless it says otherwise.
    """

    def __init__(
        self, assignments: tuple[Assignment, ...], *, jobs: int, isolation: IsolationLevel | None = None
    ) -> None:
        self._assignments = assignments
        self._jobs = jobs
        self._isolation = least_isolation(assignments, isolation)

    def run(self, jobs: Iterable[Job], *, on_start: Callable[[Job], None]) -> Iterator[Attempt]:
        """See `Executor`."""
        require_linux()
        with Rooms(self._assignments, isolation=self._isolation) as rooms:
            yield from _Crew(rooms, iter(jobs), on_start, size=self._jobs).attempts()


class Bench:
    """Warm processes that stay while one submission after another is examined, in the caller's own thread.

    A context manager. Isolation is whatever this machine gives: it is for people who examine their own code.
    """

    def __init__(self, assignments: tuple[Assignment, ...]) -> None:
        self._rooms = Rooms(assignments, isolation=IsolationLevel.PROCESS_ONLY)

    def __enter__(self) -> Bench:
        require_linux()
        self._rooms.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._rooms.__exit__()

    def examine(self, jobs: list[Job]) -> Iterator[Attempt]:
        """Examine the jobs of one submission. Raises `WarmProcessError` when no worker can be had any more."""
        yield from _Crew(self._rooms, iter(()), _nothing, size=0).examine_all(jobs, _cores()[-1])


def _nothing(_: Job) -> None:
    """Nobody wants to know."""


class _Crew:
    """Threads that each examine one job at a time; all they do is wait on sockets."""

    def __init__(self, rooms: Rooms, jobs: Iterator[Job], on_start: Callable[[Job], None], *, size: int) -> None:
        self._rooms = rooms
        self._groups = itertools.groupby(jobs, key=_whose)
        self._on_start = on_start
        self._taking = threading.Lock()
        self._done: queue.SimpleQueue[Attempt | BaseException | None] = queue.SimpleQueue()
        self._stopping = False
        cores = _cores()
        self._threads = [
            threading.Thread(target=self._work, args=(cores[slot % len(cores)],), daemon=True) for slot in range(size)
        ]

    def attempts(self) -> Iterator[Attempt]:
        """Yield attempts as they are done; stop the threads when the caller has had enough."""
        for thread in self._threads:
            thread.start()
        working = len(self._threads)
        try:
            while working:
                match self._done.get():
                    case None:
                        working -= 1
                    case Attempt() as attempt:
                        yield attempt
                    case BaseException() as error:
                        raise error
        finally:
            self._stopping = True
            self._rooms.close_down()
            for thread in self._threads:
                thread.join(timeout=10)

    def _work(self, core: int) -> None:
        try:
            while jobs := self._take():
                for attempt in self.examine_all(jobs, core):
                    if self._stopping:
                        return
                    self._done.put(attempt)
        except BaseException as error:
            if not self._stopping:
                self._done.put(error)
        finally:
            self._done.put(None)

    def examine_all(self, jobs: list[Job], core: int) -> Iterator[Attempt]:
        """Examine the jobs of one submission, for which its notebook is run once."""
        files = {file.path: _bundled(file) for file in jobs[0].submission.files}
        with sealed(wire.pack(files)) as bundle, contextlib.ExitStack() as notebooks:
            performances: dict[str, Performance] = {}
            for job in jobs:
                if files[job.match.file].cells is not None and job.match.file not in performances:
                    performance = Performance(self._rooms, bundle, _generous(jobs), core)
                    performances[job.match.file] = performance
                    notebooks.callback(_forget, performance)
            for job in jobs:
                self._on_start(job)
                yield self._examine(job, core, bundle, performances.get(job.match.file))

    def _examine(self, job: Job, core: int, bundle: int, notebook: Performance | None) -> Attempt:
        """Examine one job, and where that does not say much about the submission, once more, by itself.

        A warm process may go away meanwhile; it is started again. Several jobs may lose it to one of them: alone, the
        one that ends it again ends only itself. Or the job ran out of time without computing: alone, it has the machine
        to itself, and is late only if it would be late anywhere.
        """
        lost: WarmProcessError | None = None
        patience = 1.0
        try:
            with self._rooms.turns.together():
                examination = Examination(self._rooms, job, core, bundle, notebook)
                attempt = examination.run()
            if not examination.is_doubtful:
                return attempt
            patience = examination.patience
        except WarmProcessError as error:
            lost = error
        with self._rooms.turns.alone():
            if lost is not None:
                self._rooms.revive(lost)  # now that all have left: any of them may have done it, or done it again
            _forget(notebook)
            try:
                return Examination(self._rooms, job, core, bundle, notebook, patience=patience).run()
            except WarmProcessError as error:
                self._rooms.revive(error)
                _forget(notebook)
                return ended_us(job, self._rooms.isolation)

    def _take(self) -> list[Job]:
        """The next jobs that belong together; none when all are taken."""
        with self._taking:
            return [] if self._stopping else list(next(self._groups, ("", ()))[1])


def _whose(job: Job) -> tuple[str, str, str]:
    """What jobs have in common that are examined one after the other: a submission with a notebook, or nothing."""
    shares = any(file.cells for file in job.submission.files)
    return job.submission.student, job.submission.digest, "" if shares else job.key


def _bundled(file: SourceFile) -> wire.File:
    if not file.cells:
        return wire.File(file.content)
    return wire.File(b"", tuple(wire.CodeCell(cell.number, cell.source, cell.python) for cell in file.cells))


def _generous(jobs: list[Job]) -> Limits:
    """The limits under which a notebook runs that serves several assignments: of each, the widest."""
    limits = [job.assignment.limits for job in jobs]
    return Limits(
        seconds=max(each.seconds for each in limits),
        notebook_seconds=max(each.notebook_seconds for each in limits),
        cell_seconds=max(each.cell_seconds for each in limits),
        memory=max(each.memory for each in limits),
    )


def _forget(notebook: Performance | None) -> None:
    """End a notebook's process, or find it gone together with the one it was forked from."""
    if notebook is not None:
        with contextlib.suppress(WarmProcessError):
            notebook.close()


def _cores() -> list[int]:
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return list(range(os.cpu_count() or 1))
