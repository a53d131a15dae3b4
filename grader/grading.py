"""The run: submissions in, a cohort out.

assignments = load          what instructors wrote
submissions = find          what students handed in
plan        = match         which class is graded for which assignment
attempts    = store, then executor
cohort      = score

Attempts that are stored can be made a cohort again (`recall`), without an executor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec

import grader
from grader import provenance, submissions
from grader.assignments import load_all
from grader.errors import ConfigurationError, GraderError
from grader.executors import Executor, least_isolation
from grader.likeness import likenesses
from grader.matching import Matching, match
from grader.model import (
    Assignment,
    Attempt,
    Cohort,
    Grade,
    Isolation,
    IsolationLevel,
    Job,
    Match,
    Outcome,
    Status,
    Submission,
)
from grader.policy import search
from grader.scoring import score, without_attempt
from grader.store import Store

LEVELS: Final = tuple(IsolationLevel)
NOTHING_RAN: Final = Isolation(level=IsolationLevel.SEALED)
GRADE: Final = "grade them first, with the same paths and options: `grade run`"


class Observer(Protocol):
    """Whoever wants to know how a run is going. Called from the run's threads."""

    def planned(self, *, total: int, reused: int) -> None:
        """So many attempts are wanted, and so many of them are in the store already."""

    def started(self, job: Job) -> None:
        """A submission is being examined."""

    def finished(self, attempt: Attempt) -> None:
        """An attempt is done and stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose work on what.

    Attributes:
        paths: folders or files with submissions.
        solutions: the references; None where there are none, as with what students have.
        store: where attempts are kept.
        only_assignments: ids; empty means every assignment a submission matches.
        only_student: one student's name, or None.
        own: everything at `paths` is one submission, of the student with this name; None where it is a class.
        without: folders in it that are not the student's.
    """

    paths: tuple[Path, ...]
    assignments: Path
    solutions: Path | None
    store: Path
    only_assignments: tuple[str, ...] = ()
    only_student: str | None = None
    own: str | None = None
    without: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Wanted):
    """What to grade, and how.

    Attributes:
        fresh: examine again what is in the store.
        isolation: the least that attempts may have been made behind; by default, what hidden checks need.
        executor: makes the executor for these assignments.
    """

    executor: Callable[[tuple[Assignment, ...]], Executor]
    fresh: bool = False
    isolation: IsolationLevel | None = None


@dataclass(slots=True)
class _Plan:
    """What is to be done: jobs, and grades that need none."""

    jobs: list[Job] = field(default_factory=list)
    settled: list[Grade] = field(default_factory=list)


def run(request: Request, observer: Observer) -> Cohort:
    """Grade a class.

    Interrupted by `KeyboardInterrupt`, it returns the cohort of what is finished, marked as interrupted.

    Raises:
        GraderError: assignments, paths, the store or the machine do not allow to grade.
    """
    assignments = load_all(request.assignments, solutions=request.solutions, only=request.only_assignments)
    handed_in = _handed_in(request)
    with Store(request.store) as store:
        plan = _plan(handed_in, assignments, known=_known(request, assignments), salt=store.salt)
        least = least_isolation(assignments, request.isolation)
        known = {} if request.fresh else _stored(store, plan.jobs, least)
        observer.planned(total=len(plan.jobs), reused=sum(job.key in known for job in plan.jobs))
        waiting = [job for job in plan.jobs if job.key not in known]
        made, interrupted = _examine(request, assignments, waiting, store, observer)
    grades = [*plan.settled]
    for job in plan.jobs:
        attempt = known.get(job.key) or made.get((job.submission.student, job.key))
        if attempt is not None:
            grades.append(_grade(job, attempt, reused=job.key in known))
    return _cohort(assignments, grades, plan.jobs, interrupted=interrupted)


def recall(wanted: Wanted) -> Cohort:
    """The cohort of a class as its stored attempts have it; nothing is examined.

    What was not examined as it is now, with these checks and this grader, is left out and counted as ungraded.

    Raises:
        ConfigurationError: nothing of it was graded before.
        GraderError: assignments, paths or the store cannot be used.
    """
    assignments = load_all(wanted.assignments, solutions=wanted.solutions, only=wanted.only_assignments)
    handed_in = _handed_in(wanted)
    if not wanted.store.is_file():
        raise ConfigurationError(f"nothing was graded yet: there is no {wanted.store}", path=wanted.store, hint=GRADE)
    with Store(wanted.store) as store:
        plan = _plan(handed_in, assignments, known=_known(wanted, assignments), salt=store.salt)
        stored = [(job, store.get(job.key)) for job in plan.jobs]
    grades = [*plan.settled, *(_grade(job, attempt, reused=True) for job, attempt in stored if attempt is not None)]
    if stored and all(attempt is None for _, attempt in stored):
        what = f"none of these {len(stored)} submissions was graded as it is now, with these checks and this grader"
        raise ConfigurationError(what, path=wanted.store, hint=GRADE)
    return _cohort(assignments, grades, plan.jobs)


def _grade(job: Job, attempt: Attempt, *, reused: bool) -> Grade:
    """The score of an attempt, which may be another student's with the very same files."""
    own = msgspec.structs.replace(attempt, student=job.submission.student)
    return score(job.assignment, job.submission, own, reused=reused)


def _handed_in(wanted: Wanted) -> tuple[Submission, ...]:
    if wanted.own is not None:
        return (submissions.single(wanted.paths, student=wanted.own, without=wanted.without),)
    return _chosen(submissions.find(wanted.paths), wanted.only_student)


def _chosen(found: tuple[Submission, ...], only: str | None) -> tuple[Submission, ...]:
    if only is None:
        return found
    chosen = tuple(submission for submission in found if submission.student == only)
    if not chosen:
        names = ", ".join(submission.student for submission in found[:20])
        raise ConfigurationError(f"no submission of a student called {only!r} was found", hint=f"there are: {names}")
    return chosen


def _known(wanted: Wanted, assignments: tuple[Assignment, ...]) -> tuple[Assignment, ...] | None:
    """All assignments there are, when only some were asked for: a class that fits another one is not meant for these.

    None when all were asked for. One that cannot be read does not stand in the way of the others.
    """
    if not wanted.only_assignments:
        return None
    try:
        return load_all(wanted.assignments, solutions=wanted.solutions)
    except GraderError:
        return assignments


def _plan(
    handed_in: Iterable[Submission],
    assignments: tuple[Assignment, ...],
    *,
    known: tuple[Assignment, ...] | None,
    salt: str,
) -> _Plan:
    plan = _Plan()
    for submission in handed_in:
        if submission.rejected is not None:
            reason = submission.rejected
            plan.settled += [without_attempt(each, submission, Status.REJECTED, reason) for each in assignments]
            continue
        found = _match(submission, assignments, known)
        plan.jobs += [_job(submission, assignment, chosen, salt) for assignment, chosen in found.matched]
        if not found.matched or known:  # otherwise it is what it is, and the other assignments were not meant
            absent = found.unmatched
            plan.settled += [without_attempt(each, submission, Status.MISSING, reason) for each, reason in absent]
    return plan


def _match(
    submission: Submission, assignments: tuple[Assignment, ...], known: tuple[Assignment, ...] | None
) -> Matching:
    """What of a submission is graded; assignments that were asked for are matched if at all possible, but not with a
    class that is another assignment's."""
    if known is None:
        return match(submission, assignments, explicit=False)
    natural = {(own.file, own.target): each for each, own in match(submission, known, explicit=False).matched}
    forced = match(submission, assignments, explicit=True)
    kept, unmatched = [], list(forced.unmatched)
    for assignment, chosen in forced.matched:
        owner = natural.get((chosen.file, chosen.target), assignment)
        if owner.id == assignment.id:
            kept.append((assignment, chosen))
        else:
            unmatched.append((assignment, f"there is only {chosen.target}, which belongs to {owner.id}"))
    return Matching(matched=tuple(kept), unmatched=tuple(unmatched))


def _job(submission: Submission, assignment: Assignment, chosen: Match, salt: str) -> Job:
    parts = (
        assignment.id,
        assignment.digest,
        submission.digest,
        chosen.file,
        chosen.target,
        provenance.grader_digest(),
        provenance.torch_version(),
    )
    found = search(submission, chosen, assignment.policy)
    return Job(
        key=_digest(*parts),
        seed=_digest(salt, assignment.id, submission.digest),
        submission=submission,
        assignment=assignment,
        match=chosen,
        policy_hits=found.hits,
        flags=found.flags,
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _stored(store: Store, jobs: Iterable[Job], least: IsolationLevel) -> dict[str, Attempt]:
    """Attempts that need not be made again: ours was no failure in them, and their code was walled in well enough."""
    found = {job.key: store.get(job.key) for job in jobs}
    return {
        key: attempt
        for key, attempt in found.items()
        if attempt is not None
        and all(result.outcome is not Outcome.INTERNAL for result in attempt.results)
        and LEVELS.index(attempt.isolation.level) <= LEVELS.index(least)
    }


def _examine(
    request: Request, assignments: tuple[Assignment, ...], jobs: list[Job], store: Store, observer: Observer
) -> tuple[dict[tuple[str, str], Attempt], bool]:
    """Make the attempts that are missing, keeping each as it is done. Returns them, and whether it was interrupted."""
    made: dict[tuple[str, str], Attempt] = {}
    if not jobs:
        return made, False
    needed = {job.assignment.id for job in jobs}
    executor = request.executor(tuple(each for each in assignments if each.id in needed))
    attempts = executor.run(jobs, on_start=observer.started)
    try:
        for attempt in attempts:
            store.put(attempt)
            made[attempt.student, attempt.key] = attempt
            observer.finished(attempt)
    except KeyboardInterrupt:
        return made, True
    finally:
        close = getattr(attempts, "close", None)
        if close is not None:
            close()
    return made, False


def _cohort(
    assignments: tuple[Assignment, ...], grades: list[Grade], jobs: list[Job], *, interrupted: bool = False
) -> Cohort:
    examined = sum(grade.attempt is not None for grade in grades)
    walls = [grade.attempt.isolation for grade in grades if grade.attempt is not None]
    return Cohort(
        grader=grader.__version__,
        torch=provenance.torch_version(),
        isolation=max(walls, key=lambda each: LEVELS.index(each.level), default=NOTHING_RAN),
        assignments=assignments,
        grades=tuple(sorted(grades, key=lambda grade: (grade.student, grade.assignment))),
        finished=datetime.now().astimezone().isoformat(timespec="seconds"),
        interrupted=interrupted,
        ungraded=len(jobs) - examined,
        likenesses=likenesses(jobs),
    )
