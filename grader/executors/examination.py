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

from grader.errors import WarmProcessError, WireError
from grader.executors.crowding import Times, times
from grader.executors.performance import Performance
from grader.executors.rooms import Rooms
from grader.executors.warm import Lease
from grader.forkserver import Fate
from grader.model import Attempt, CheckResult, Isolation, Job, Loading, Outcome, SecondLook
from grader.notebooks.bindings import last_bindings
from grader.orders import Finished, FromExaminer, Hire, Hired, Order, Post, Reported, Retire, Retired
from grader.submissions.definitions import with_lines
from grader.submissions.excerpts import excerpts
from grader.walls import NOT_LOCKED

LOOKS: Final = 3.0
"""How many times as long as a submission may take it takes at most, with all that a second worker is asked."""

GRACE: Final = 30.0
"""Seconds beyond a submission's own budget after which the host stops waiting for the examiner."""

SOFT_SHARE: Final = 0.75
"""A little less than the share of a budget after which a worker interrupts itself."""

LAST_BREATH: Final = 0.3
"""Seconds for a worker that hung up to end by itself, so that it can be said how."""


class Told:
    """What an examiner has told of one job so far.

    Attributes:
        results: of each check that is done; on the `second` look, with forgotten imports supplied.
        finished: what it said at the end.
        seconds: how long it took.
    """

    def __init__(self) -> None:
        self.results: dict[str, CheckResult] = {}
        self.second: dict[str, CheckResult] = {}
        self.finished: Finished | None = None
        self.seconds = 0.0

    def note(self, message: Reported | Finished) -> None:
        """Keep what it says."""
        if isinstance(message, Finished):
            self.finished = message
        else:
            (self.second if message.second else self.results)[message.result.check] = message.result

    def attempt(self, job: Job, *, isolation: Isolation) -> Attempt:
        """The attempt as a value. A check without a result is our failure."""
        attempt = _attempt(job, self.results, self.seconds, isolation=isolation)
        whole = attempt if self.finished is None else _complete(attempt, self.finished, self.second)
        whole = with_lines(whole, job.submission, job.match)
        return msgspec.structs.replace(whole, excerpts=excerpts(job.submission, whole))


class Examination:
    """One job, from the first fork to the last kill.

    Attributes:
        patience: by how much longer budgets should be where it is examined again.
    """

    def __init__(
        self,
        rooms: Rooms,
        job: Job,
        core: int,
        bundle: int,
        notebook: Performance | None,
        *,
        patience: float | None = None,
    ) -> None:
        """Begin.

        Args:
            bundle: the descriptor of the submission's files.
            notebook: where the graded class stands in one.
            patience: for a second try, with nobody else about: by how much budgets are longer than written.
        """
        self._again = patience is not None
        self._budgets = patience or 1.0
        self._rooms = rooms
        self._job = job
        self._core = core
        self._bundle = bundle
        self._notebook = notebook
        self._worker: Lease | Performance | None = None
        self._hired = 0.0
        self._before = Times()
        self._idle = False
        self.patience = 1.0
        self._home: Path | None = None
        self._told = Told()

    def run(self) -> Attempt:
        """Examine it. Raises `WarmProcessError` when one of the processes it is forked from goes away."""
        started = time.monotonic()
        limits = self._job.assignment.limits
        with _packets() as (ours, theirs):
            order = Order(
                assignment=self._job.assignment.id,
                match=self._job.match,
                policy_hits=self._job.policy_hits,
                seed=self._job.seed,
                notebook=None if self._notebook is None else self._notebook.budget,
                binds={} if self._notebook is None else _binds(self._job),
                patience=self._budgets,
            )
            examiner = self._rooms.spawn("examiner", msgspec.json.encode(order), [theirs.fileno()])
            examiner.stay_on(self._core)
            theirs.close()
            try:
                execution = 0.0 if self._notebook is None else self._notebook.budget.seconds + GRACE
                looks = LOOKS * limits.seconds * self._budgets
                self._converse(Post(ours, FromExaminer), started + execution + looks + GRACE)
            finally:
                try:
                    self._rooms.end(examiner)
                finally:
                    self._retire()
        self._rooms.require_alive()  # where a notebook's worker was asked, its origin need not have been
        self._told.seconds = time.monotonic() - started
        return self._told.attempt(self._job, isolation=self._rooms.isolation)

    @property
    def is_doubtful(self) -> bool:
        """Whether it ran out of time while its code hardly ran: it waited for something, or the machine was busy."""
        finished = self._told.finished
        late = any(result.outcome is Outcome.TIMED_OUT for result in self._told.results.values())
        cut = finished is not None and finished.loading in (Loading.DEFINITIONS, Loading.NOTHING)
        return self._idle and (late or cut)

    def _converse(self, post: Post, deadline: float) -> None:
        """Do what the examiner's child asks until it has finished, is gone, or takes too long."""
        while self._told.finished is None:
            try:
                message, _ = post.receive(deadline=deadline)
            except WireError:
                return
            match message:
                case Hire(executed=executed):
                    self._retire()
                    self._hire(post, executed=executed)
                case Retire(gone=gone):
                    post.send(Retired(fate=self._retire(patience=LAST_BREATH if gone else 0.0)))
                case Reported() | Finished():
                    self._told.note(message)

    def _hire(self, post: Post, *, executed: bool) -> None:
        limits = self._job.assignment.limits
        examiners, workers = socket.socketpair()
        with examiners, workers:
            if executed and self._notebook is not None:
                self._worker = self._notebook
                self._notebook.serve(workers.fileno())
            else:
                self._home = self._rooms.make_home()
                payload = {"memory": limits.memory, "cpu_seconds": int(limits.seconds) + 5, "home": str(self._home)}
                descriptors = [workers.fileno(), self._bundle]
                self._worker = self._rooms.spawn("worker", msgspec.json.encode(payload), descriptors)
                self._worker.stay_on(self._core)
            self._hired, self._before = time.monotonic(), times(self._worker.pid)
            post.send(Hired(), (examiners.fileno(),))

    def _look_at(self, worker: Lease | Performance) -> None:
        """Note whether a worker that lived for as long as the shortest budget was idle, and why."""
        seconds, limits = time.monotonic() - self._hired, self._job.assignment.limits
        spent = times(worker.pid).since(self._before)
        if seconds >= min(limits.check_seconds, limits.import_seconds) * SOFT_SHARE and spent.idle(seconds):
            self._idle = True
            self.patience = max(self.patience, spent.stretch(seconds))

    def _retire(self, *, patience: float = 0.0) -> Fate:
        worker, self._worker = self._worker, None
        home, self._home = self._home, None
        try:
            if worker is None:
                return Fate()
            self._look_at(worker)
            if isinstance(worker, Performance):
                return worker.end()
            fate = self._rooms.end(worker, patience=patience)
            if fate.code == NOT_LOCKED and not self._again:
                raise WarmProcessError("a worker could not be walled in, or says so", room="worker")
            return fate
        finally:
            if home is not None:
                shutil.rmtree(home, ignore_errors=True)  # whoever could have raced with this is dead


def _binds(job: Job) -> dict[str, int]:
    """Which cell of the graded notebook is the last that gives a name its value."""
    return last_bindings(cell for file in job.submission.files if file.path == job.match.file for cell in file.cells)


def ended_us(job: Job, isolation: Isolation) -> Attempt:
    """The attempt of a submission that ends or stops the process it is forked from, whenever it is run."""
    message = "Whenever this code is run, the grader's own process is ended or stopped. It was not examined further."
    killed = {
        spec.id: CheckResult(check=spec.id, outcome=Outcome.KILLED, message=message) for spec in job.assignment.checks
    }
    return _attempt(job, killed, 0.0, isolation=isolation)


def _attempt(
    job: Job,
    results: dict[str, CheckResult],
    seconds: float,
    *,
    isolation: Isolation,
) -> Attempt:
    """The attempt as a value. A check without a result is our failure."""
    filled = tuple(results.get(spec.id) or _unanswered(spec.id) for spec in job.assignment.checks)
    graded = (file for file in job.submission.files if file.path == job.match.file)
    return Attempt(
        key=job.key,
        student=job.submission.student,
        assignment=job.assignment.id,
        results=filled,
        warnings=job.match.warnings,
        repairs=tuple(repair for file in graded for repair in file.repairs),
        flags=job.flags,
        isolation=isolation,
        seconds=seconds,
    )


def _complete(attempt: Attempt, finished: Finished, second: dict[str, CheckResult]) -> Attempt:
    """The attempt with what the examiner said at the end, and what it saw when it looked again."""
    look = SecondLook(
        supplied=finished.supplied,
        results=tuple(second[result.check] for result in attempt.results if result.check in second),
        findings=finished.second_findings,
    )
    return msgspec.structs.replace(
        attempt,
        cells=finished.cells,
        second_look=look if finished.supplied else None,
        findings=finished.findings,
        warnings=finished.warnings,
        flags=(*attempt.flags, *finished.flags),
        loading=finished.loading,
        loading_note=finished.loading_note,
        loading_where=finished.loading_where,
        output=finished.output,
        unexplained=finished.unexplained,
        pictures=finished.pictures,
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
