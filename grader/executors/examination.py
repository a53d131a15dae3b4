"""One submission, from the first fork to the last kill."""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from grader.errors import WireError
from grader.executors.rooms import Rooms
from grader.executors.warm import Lease, sealed
from grader.forkserver import Fate
from grader.model import Attempt, CheckResult, IsolationLevel, Job, Outcome
from grader.orders import Finished, FromExaminer, Hire, Hired, Order, Post, Reported, Retire, Retired

GRACE: Final = 30.0
"""Seconds beyond a submission's own budget after which the host stops waiting for the examiner."""

LAST_BREATH: Final = 0.3
"""Seconds for a worker that hung up to end by itself, so that it can be said how."""


class Examination:
    """One job, from the first fork to the last kill."""

    def __init__(self, rooms: Rooms, job: Job, core: int) -> None:
        self._rooms = rooms
        self._job = job
        self._core = core
        self._worker: Lease | None = None
        self._home: Path | None = None
        self._results: dict[str, CheckResult] = {}
        self._finished: Finished | None = None

    def run(self) -> Attempt:
        """Examine it. Raises `WarmProcessError` when one of the processes it is forked from goes away."""
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


def ended_us(job: Job) -> Attempt:
    """The attempt of a submission that ends the process it is forked from, whenever it is run."""
    message = "Whenever this code is run, the grader's own process is ended. It was not examined further."
    killed = {
        spec.id: CheckResult(check=spec.id, outcome=Outcome.KILLED, message=message) for spec in job.assignment.checks
    }
    return _attempt(job, killed, None, 0.0)


def _attempt(
    job: Job,
    results: dict[str, CheckResult],
    finished: Finished | None,
    seconds: float,
    *,
    isolation: IsolationLevel = IsolationLevel.PROCESS_ONLY,
) -> Attempt:
    """The attempt as a value. A check without a result is our failure."""
    filled = tuple(results.get(spec.id) or _unanswered(spec.id) for spec in job.assignment.checks)
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


def _unanswered(check: str) -> CheckResult:
    return CheckResult(
        check=check,
        outcome=Outcome.INTERNAL,
        message="This check could not be run because of a fault of the grader; it costs no points.",
        detail="the examiner did not report it",
    )


@contextlib.contextmanager
def _packets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        yield ours, theirs
