"""Runs solutions against checks as if they had been handed in, with a salt and an order of checks to choose."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from grader.executors import Executor
from grader.grading import Observer
from grader.matching import match
from grader.model import Assignment, Attempt, CheckSpec, Job, Outcome, Submission
from grader.policy import search
from grader.scoring import score

UNIMPAIRED = frozenset({Outcome.PASSED, Outcome.BLOCKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A submission to be run, with the secret that its inputs are drawn from, against checks in some order."""

    submission: Submission
    salt: str = "first"
    order: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a trial.

    Attributes:
        failed: names of the checks that did not pass, without those that were blocked.
        findings: ids of mistakes that were told; those only worth knowing are left out.
        internal: why the grader itself failed, where it did.
        attempt: None where nothing in it fits the assignment.
    """

    points: float
    max_points: float
    failed: frozenset[str]
    findings: frozenset[str] = frozenset()
    internal: tuple[str, ...] = ()
    attempt: Attempt | None = None

    @property
    def full(self) -> bool:
        """Whether every check passed."""
        return self.attempt is not None and not self.failed and self.points == self.max_points


class Bench:
    """Where trials are made.

    Args:
        executor: makes an executor for assignments; the same assignment with another order of checks is another one.
    """

    def __init__(
        self, assignment: Assignment, executor: Callable[[tuple[Assignment, ...]], Executor], observer: Observer
    ) -> None:
        self._assignment = assignment
        self._executor = executor
        self._observer = observer
        self._total = 0

    def run(
        self, trials: Sequence[Trial], orders: Mapping[str, Sequence[CheckSpec]] | None = None
    ) -> dict[Trial, Verdict]:
        """Make all trials. `orders` gives the checks under each name of an order that trials may ask for.

        Raises:
            WarmProcessError: the checks do not pass on the reference itself.
        """
        if not trials:
            return {}
        with TemporaryDirectory(prefix="grader-lint-") as scratch:
            courses = {"": self._assignment}
            for name, checks in (orders or {}).items():
                courses[name] = _in_another_order(self._assignment, name, tuple(checks), Path(scratch))
            jobs = {trial: self._job(trial, courses[trial.order]) for trial in dict.fromkeys(trials)}
            waiting = [job for job in jobs.values() if job is not None]
            self._total += len(waiting)
            self._observer.planned(total=self._total, reused=0)
            made = {}
            for attempt in self._executor(tuple(courses.values())).run(waiting, on_start=self._observer.started):
                made[attempt.key] = attempt
                self._observer.finished(attempt)
        return {
            trial: self._verdict(trial, None if job is None else made[job.key], courses[trial.order])
            for trial, job in jobs.items()
        }

    def _job(self, trial: Trial, course: Assignment) -> Job | None:
        matched = match(trial.submission, (course,), explicit=True).matched
        if not matched:
            return None
        chosen = matched[0][1]
        found = search(trial.submission, chosen, course.policy)
        return Job(
            key=_digest(trial.submission.student, trial.submission.digest, trial.salt, course.id),
            seed=_digest(trial.salt, self._assignment.id, trial.submission.digest),
            submission=trial.submission,
            assignment=course,
            match=chosen,
            policy_hits=found.hits,
            flags=found.flags,
        )

    def _verdict(self, trial: Trial, attempt: Attempt | None, course: Assignment) -> Verdict:
        if attempt is None:
            every = frozenset(name_of(spec.id) for spec in course.checks)
            return Verdict(points=0.0, max_points=course.max_points, failed=every)
        grade = score(course, trial.submission, attempt, reused=False)
        return Verdict(
            points=grade.points,
            max_points=grade.max_points,
            failed=frozenset(name_of(each.spec.id) for each in grade.checks if each.result.outcome not in UNIMPAIRED),
            findings=frozenset(
                name
                for finding in attempt.findings
                if not finding.informative
                for name in (finding.id, *finding.alternatives)
            ),
            internal=tuple(_mishaps(attempt)),
            attempt=attempt,
        )


def name_of(check: str) -> str:
    """A check's function: what stands behind the file in its id."""
    return check.rpartition("::")[2]


def _mishaps(attempt: Attempt) -> Iterator[str]:
    for result in attempt.results:
        if result.outcome is Outcome.INTERNAL:
            yield f"{name_of(result.check)}: {result.detail.strip().splitlines()[-1] if result.detail.strip() else ''}"
    for flag in attempt.flags:
        if flag.id == "diagnosis-failed":
            yield flag.message


def _in_another_order(assignment: Assignment, name: str, checks: tuple[CheckSpec, ...], scratch: Path) -> Assignment:
    """The same assignment under another name, with a folder of its own."""
    id_ = f"{assignment.id}--{name}"
    shutil.copytree(
        assignment.folder / "checks", scratch / id_ / "checks", ignore=shutil.ignore_patterns("__pycache__")
    )
    return msgspec.structs.replace(assignment, id=id_, folder=scratch / id_, checks=checks)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
