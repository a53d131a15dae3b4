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

A warm process that goes away (student code of the same user can kill it) is started again, and the job repeated once.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from grader.errors import WarmProcessError, WireError
from grader.executors.warm import Lease, WarmProcess, sealed
from grader.forkserver import Fate
from grader.model import Assignment, Attempt, CheckResult, IsolationLevel, Job, Outcome
from grader.orders import Course, Finished, FromExaminer, Hire, Hired, Order, Post, Reported, Retire, Retired, Setup

GRACE: Final = 30.0
"""Seconds beyond a submission's own budget after which the host stops waiting for the examiner."""

LAST_BREATH: Final = 0.3
"""Seconds for a worker that hung up to end by itself, so that it can be said how."""

QUIET: Final = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "LANG": "C.UTF-8", "MPLBACKEND": "Agg"}
"""One thread, so that forking is safe, and nothing that says who or where we are."""


class LocalExecutor:
    """Warm processes on this machine, `jobs` submissions at a time."""

    def __init__(self, assignments: tuple[Assignment, ...], *, jobs: int) -> None:
        self._assignments = assignments
        self._jobs = jobs

    def run(self, jobs: Iterable[Job], *, on_start: Callable[[Job], None]) -> Iterator[Attempt]:
        """See `Executor`."""
        with _Rooms(self._assignments) as rooms:
            yield from _Crew(rooms, iter(jobs), on_start, size=self._jobs).attempts()


class _Crew:
    """Threads that each examine one job at a time; all they do is wait on sockets."""

    def __init__(self, rooms: _Rooms, jobs: Iterator[Job], on_start: Callable[[Job], None], *, size: int) -> None:
        self._rooms = rooms
        self._jobs = jobs
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
            while (job := self._take()) is not None:
                self._on_start(job)
                attempt = self._rooms.examine(job, core)
                if self._stopping:
                    return
                self._done.put(attempt)
        except BaseException as error:
            if not self._stopping:
                self._done.put(error)
        finally:
            self._done.put(None)

    def _take(self) -> Job | None:
        with self._taking:
            return None if self._stopping else next(self._jobs, None)


class _Rooms:
    """The two warm processes, and the children that are alive."""

    def __init__(self, assignments: tuple[Assignment, ...]) -> None:
        self._setup = msgspec.json.encode(Setup(courses=tuple(map(_course, assignments))))
        self._scratch = Path(tempfile.mkdtemp(prefix="grader-"))
        self._reviving = threading.Lock()
        self._processes: dict[str, WarmProcess] = {}
        self._leases: set[Lease] = set()
        self._leasing = threading.Lock()
        self._closing = False

    def __enter__(self) -> _Rooms:
        try:
            for room in ("examiner", "worker"):  # both start at once, then both are awaited
                self._processes[room] = self._start(room)
            for process in self._processes.values():
                process.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _start(self, room: str) -> WarmProcess:
        if room == "examiner":
            return WarmProcess(room, environment=QUIET, setup=self._setup)
        return WarmProcess(room, environment=QUIET, arguments=[str(self._scratch)])

    def examine(self, job: Job, core: int) -> Attempt:
        """Examine one job. A warm process that goes away meanwhile is started again, and the job repeated once."""
        try:
            return _Examination(self, job, core).run()
        except WarmProcessError as error:
            if self._closing:
                raise
            self._revive(error.room)
        try:
            return _Examination(self, job, core).run()
        except WarmProcessError as error:
            if self._closing:
                raise
            self._revive(error.room)
            return _attempt(job, {}, None, 0.0, missing=_ended_us(job))

    def make_home(self) -> Path:
        """An empty folder for one worker."""
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

    def _revive(self, room: str) -> None:
        with self._reviving:
            process = self._processes[room]
            if process.alive():
                return  # another thread was here first
            process.close()
            self._processes[room] = self._start(room)
            self._processes[room].wait()

    @property
    def isolation(self) -> IsolationLevel:
        """The level the worker process reported for its children."""
        return IsolationLevel(self._processes["worker"].facts["isolation"])


class _Examination:
    """One job, from the first fork to the last kill."""

    def __init__(self, rooms: _Rooms, job: Job, core: int) -> None:
        self._rooms = rooms
        self._job = job
        self._core = core
        self._worker: Lease | None = None
        self._home: Path | None = None
        self._results: dict[str, CheckResult] = {}
        self._finished: Finished | None = None

    def run(self) -> Attempt:
        started = time.monotonic()
        files = {file.path: file.content for file in self._job.submission.files}
        with sealed(msgspec.msgpack.encode(files)) as bundle, _packets() as (ours, theirs):
            order = Order(
                assignment=self._job.assignment.id,
                match=self._job.match,
                policy_hits=self._job.policy_hits,
                seed=self._job.seed,
            )
            examiner = self._rooms.spawn("examiner", msgspec.json.encode(order), [theirs.fileno()])
            examiner.stay_on(self._core)
            theirs.close()
            try:
                deadline = started + self._job.assignment.limits.seconds + GRACE
                self._converse(Post(ours, FromExaminer), bundle, deadline)
            finally:
                try:
                    self._rooms.end(examiner)
                finally:
                    self._retire()
        seconds = time.monotonic() - started
        return _attempt(self._job, self._results, self._finished, seconds, isolation=self._rooms.isolation)

    def _converse(self, post: Post, bundle: int, deadline: float) -> None:
        """Do what the examiner's child asks until it has finished, is gone, or takes too long."""
        while self._finished is None:
            try:
                message, _ = post.receive(deadline=deadline)
            except WireError:
                return
            match message:
                case Hire():
                    self._retire()
                    self._hire(post, bundle)
                case Retire(gone=gone):
                    post.send(Retired(fate=self._retire(patience=LAST_BREATH if gone else 0.0)))
                case Reported(result=result):
                    self._results[result.check] = result
                case Finished():
                    self._finished = message

    def _hire(self, post: Post, bundle: int) -> None:
        limits = self._job.assignment.limits
        self._home = self._rooms.make_home()
        payload = {"memory": limits.memory, "cpu_seconds": int(limits.seconds) + 5, "home": str(self._home)}
        examiners, workers = socket.socketpair()
        with examiners, workers:
            self._worker = self._rooms.spawn("worker", msgspec.json.encode(payload), [workers.fileno(), bundle])
            self._worker.stay_on(self._core)
            post.send(Hired(), (examiners.fileno(),))

    def _retire(self, *, patience: float = 0.0) -> Fate:
        worker, self._worker = self._worker, None
        try:
            return Fate() if worker is None else self._rooms.end(worker, patience=patience)
        finally:
            if self._home is not None:
                shutil.rmtree(self._home, ignore_errors=True)  # whoever could have raced with this is dead


def _attempt(
    job: Job,
    results: dict[str, CheckResult],
    finished: Finished | None,
    seconds: float,
    *,
    isolation: IsolationLevel = IsolationLevel.PROCESS_ONLY,
    missing: tuple[CheckResult, ...] = (),
) -> Attempt:
    """The attempt as a value. A check without a result is our failure, unless `missing` says what it is."""
    given = {result.check: result for result in missing}
    filled = tuple(results.get(spec.id) or given.get(spec.id) or _unanswered(spec.id) for spec in job.assignment.checks)
    attempt = Attempt(
        key=job.key,
        student=job.submission.student,
        assignment=job.assignment.id,
        results=filled,
        warnings=job.match.warnings,
        isolation=isolation,
        seconds=seconds,
    )
    if finished is None:
        return attempt
    return msgspec.structs.replace(
        attempt,
        findings=finished.findings,
        warnings=finished.warnings,
        loading=finished.loading,
        loading_note=finished.loading_note,
        loading_where=finished.loading_where,
        output=finished.output,
    )


def _cores() -> list[int]:
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return list(range(os.cpu_count() or 1))


def _unanswered(check: str) -> CheckResult:
    return CheckResult(
        check=check,
        outcome=Outcome.INTERNAL,
        message="This check could not be run because of a fault of the grader; it costs no points.",
        detail="the examiner did not report it",
    )


def _ended_us(job: Job) -> tuple[CheckResult, ...]:
    """Results for a submission during which a warm process went away twice."""
    message = "While this code was running, the grader's own process was ended, twice. It was not examined further."
    return tuple(CheckResult(check=spec.id, outcome=Outcome.KILLED, message=message) for spec in job.assignment.checks)


def _course(assignment: Assignment) -> Course:
    return Course(
        id=assignment.id,
        checks_folder=str((assignment.folder / "checks").resolve()),
        reference=str(assignment.reference.resolve()),
        entry=assignment.entry,
        contract=assignment.contract,
        limits=assignment.limits,
        checks=assignment.checks,
    )


@contextlib.contextmanager
def _packets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs
