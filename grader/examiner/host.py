"""The examiner is pytest: it collects the checks once, tries them on the references, then serves one submission a fork.

Theory of operation
-------------------
`pytest.main` runs with this module's plugin. Collection, fixtures, parametrisation and assertion rewriting are
pytest's. `pytest_runtestloop` is where an ordinary run would execute the items; here it first runs them all against
each assignment's reference solution, in this process. That is a self-test of the checks, and it warms up everything a
check will touch, which is worth a factor of ten. Then it becomes a fork server: each child runs the items of one
assignment against a worker and reports every result as soon as it is known.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import random
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import pytest
import torch

from grader.attention.telling import without_echoes
from grader.examiner.agency import RemoteAgency
from grader.examiner.circumstances import circumstances
from grader.examiner.costs import Baseline, baseline, costs
from grader.examiner.explaining import Notebook, finding
from grader.examiner.fixtures import Fixtures, Sitting
from grader.examiner.module import Manner
from grader.examiner.pointing import with_lines
from grader.examiner.proving import Proof, prepare, prove
from grader.examiner.reference import InProcess
from grader.examiner.repetition import Repetition, reordered, repeat
from grader.examiner.reporting import blocked, result_of, worst
from grader.examiner.session import Session
from grader.examiner.stand_in import InItsPlace
from grader.examiner.tracing import traced_flags, tracer
from grader.forkserver import ForkServer, Note
from grader.model import Certainty, CheckResult, CheckSpec, Finding, Flag, Limits, Match, Outcome
from grader.orders import Course, Finished, FromHost, Order, Post, Reported, Setup
from grader.text import clean

UNHURRIED: Final = Limits(seconds=3600, check_seconds=600, import_seconds=600)
"""The reference is warmed up with; its first answers take longer than any later ones."""

LOOKS: Final = 4
"""How often forgotten imports are supplied at most; each time may uncover another."""

SAID_BY_A_CHECK: Final = frozenset({"not-repeatable", "dropout-in-eval"})
"""Findings of checks that a submission's answers change; one of them is enough."""

SLIM: Final = tuple(
    f"-pno:{name}"
    for name in (
        *("cacheprovider", "terminal", "logging", "faulthandler", "unraisableexception", "threadexception", "doctest"),
        *("junitxml", "warnings", "debugging", "recwarn", "subtests", "pastebin", "setuponly", "setupplan", "stepwise"),
    )
)
"""pytest's plugins that checks do not need; each costs time in every item."""

Report = Callable[[CheckResult], None]


def run(control: socket.socket) -> int:
    """Receive the setup, collect, self-test, serve. Returns pytest's exit code."""
    setup = _receive_setup(control)
    server = ForkServer(control)
    examiner = Examiner(setup, server)
    folders = [course.checks_folder for course in setup.courses]
    arguments = ["-c", "/dev/null", "--rootdir", folders[0], "--noconftest", "--capture=no", "--import-mode=importlib"]
    sys.dont_write_bytecode = True
    return int(pytest.main([*arguments, *SLIM, *folders], plugins=[examiner]))


class Examiner(Fixtures):
    """The plugin: a fork server in the place of pytest's loop."""

    def __init__(self, setup: Setup, server: ForkServer) -> None:
        self._courses = {course.id: course for course in setup.courses}
        self._server = server
        self._items: dict[tuple[str, str], list[pytest.Item]] = {}
        self._baselines: dict[str, Baseline | None] = {}
        self.notebook = Notebook()
        self._proof = Proof()

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make the mark known."""
        config.addinivalue_line("markers", "check(points, concept, hidden, after): a check worth points")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A check file that cannot be imported ends the start-up, with its reason."""
        if report.failed:
            self._server.announce(Note(ready=False, message=f"{report.nodeid}:\n{report.longreprtext}"[:8000]))
            raise SystemExit(1)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Self-test, then serve until the host goes away."""
        self._arrange(session.items)
        problems = [line for course in self._courses.values() for line in self._self_test(course)]
        if problems:
            self._server.announce(Note(ready=False, message="\n".join(problems)[:8000]))
            return True
        self._server.announce(Note(ready=True))
        self._server.serve(self._examine)
        return True

    def _arrange(self, items: list[pytest.Item]) -> None:
        folders = {Path(course.checks_folder): course.id for course in self._courses.values()}
        for item in items:
            course = folders[item.path.parent]
            name = getattr(item, "originalname", item.name)
            self._items.setdefault((course, f"{item.path.name}::{name}"), []).append(item)

    def _self_test(self, course: Course) -> list[str]:
        """Run the checks against the reference, if there is one; returns a line for each that does not pass."""
        absent = [spec.id for spec in course.checks if (course.id, spec.id) not in self._items]
        if absent:
            return [f"{course.id}: pytest does not find {', '.join(absent)}"]
        if not course.reference:
            self._warm_up(course)
            return []
        match = Match(file=course.reference, target=course.entry)
        session = Session(InProcess(Path(course.reference)), match, UNHURRIED, seed=0)
        self.sitting = Sitting(session, course.contract, (), seed="the reference")
        results: list[CheckResult] = []
        self._run_checks(course, course.checks, results.append)
        self._baselines[course.id] = baseline(course, session)
        prepare(course)
        problems = [
            f"{course.id}: {result.check} {result.outcome} on the reference solution: {result.message}\n{result.detail}"
            for result in results
            if result.outcome is not Outcome.PASSED
        ]
        if not problems and not repeat(session.record, session.again(seed=1), random.Random(0)).agrees:
            problems.append(f"{course.id}: the reference solution's answers depend on what it was asked before")
        return problems

    def _warm_up(self, course: Course) -> None:
        """Examine the stand-in, where there is no reference to try the checks on. What comes of it says nothing."""
        self._baselines[course.id] = None
        prepare(course)
        session = Session(InItsPlace(), Match(file="stand-in", target=course.entry), UNHURRIED, seed=0)
        self.sitting = Sitting(session, course.contract, (), seed="the stand-in")
        with contextlib.suppress(Exception):  # whatever did not get warm is so at the first submission
            self._run_checks(course, course.checks, lambda _: None)
            prove(course, session, (CheckResult(check=course.checks[0].id, outcome=Outcome.FAILED),))
            list(costs(course, session, None))
            repeat(session.record, session.again(seed=1), random.Random(0))

    def _run_checks(self, course: Course, specs: tuple[CheckSpec, ...], report: Report) -> None:
        """Run a course's checks in this order; one whose prerequisite did not pass is blocked by its root cause."""
        roots: dict[str, str] = {}  # check that did not pass -> the check that is the reason
        for spec in specs:
            blocker = next((roots[needed] for needed in spec.after if needed in roots), None)
            result = blocked(spec, blocker) if blocker else self._run_check(course, spec)
            if result.outcome is not Outcome.PASSED:
                roots[spec.id] = blocker or spec.id
            report(result)

    def _run_check(self, course: Course, spec: CheckSpec) -> CheckResult:
        results = []
        for item in self._items[course.id, spec.id]:
            started = time.perf_counter()
            error = run_item(item)
            seconds = time.perf_counter() - started
            remark = "" if error is None else self._noted(spec, error)
            results.append(result_of(spec, error, seconds, remark=remark))
        return worst(results)

    def _noted(self, spec: CheckSpec, error: BaseException) -> str:
        """Note what ended a check; returns what is to be said besides. Should that fail, the verdict stands."""
        try:
            return self.notebook.note(spec.id, error, self.sitting.session, self.sitting.contract)
        except Exception as failure:
            self.notebook.flags = (_mishap(failure),)
            return ""

    def _examine(self, payload: bytes, descriptors: list[int]) -> None:
        """A child's whole life: one submission, every check, then the summary."""
        gc.disable()
        self.notebook = Notebook()
        order = msgspec.json.decode(payload, type=Order)
        course = _with_patience(self._courses[order.assignment], order.patience)
        post = Post(socket.socket(fileno=descriptors[0]), FromHost)
        session = Session(
            RemoteAgency(post), order.match, course.limits, seed=seed_of(order.seed), notebook=order.notebook
        )
        results = self._look(course, order, session, post, second=False)
        self._circumstances(course, order, session)
        self._point(course, session)
        proof = self._proof
        traced = traced_flags(course, order, session)
        spent = self._costs(course, session)
        self._ask_again(course, order, session, post, results)
        findings, mishaps = without_echoes((*self.notebook.findings(), *spent)), self.notebook.flags
        supplied, second = self._look_again(course, order, session, post)
        post.send(
            Finished(
                loading=session.loading,
                loading_note=session.loading_note,
                loading_where=session.loading_where,
                cells=session.cells,
                supplied=supplied,
                second_findings=tuple(each for each in second if each.id not in {known.id for known in findings}),
                output=session.output,
                findings=findings,
                warnings=order.match.warnings,
                flags=(*traced, *proof.flags, *mishaps),
                unexplained=proof.unexplained,
                pictures=proof.pictures,
            )
        )

    def _look(
        self, course: Course, order: Order, session: Session, post: Post, *, second: bool
    ) -> tuple[CheckResult, ...]:
        """Run all checks, report each, and note what is found."""
        self.sitting = Sitting(session, course.contract, order.policy_hits, order.seed)
        results: list[CheckResult] = []

        def report(result: CheckResult) -> None:
            results.append(result)
            post.send(Reported(result=result, second=second))

        self._run_checks(course, course.checks, report)
        self._proof = self._prove(course, session, tuple(results))
        for proven in self._proof.findings:
            self.notebook.add(proven)
        return tuple(results)

    def _prove(self, course: Course, session: Session, results: tuple[CheckResult, ...]) -> Proof:
        """The diagnosis. Should it fail, the verdict stands all the same, and the instructor is told."""
        try:
            return prove(course, session, results)
        except Exception as error:
            return Proof(flags=(_mishap(error),))

    def _circumstances(self, course: Course, order: Order, session: Session) -> None:
        """Note how it was loaded and called, where that is worth a word. Should that fail, the verdict stands."""
        try:
            for found in circumstances(course, order, session):
                self.notebook.add(found)
        except Exception as error:
            self.notebook.flags = (_mishap(error),)

    def _point(self, course: Course, session: Session) -> None:
        """Point at the lines of what checks saw. Should that fail, the verdict stands."""
        try:
            session.begin_check()
            for found in with_lines(self.notebook.findings(), tracer(course, session)):
                self.notebook.add(found)
        except Exception as error:
            self.notebook.flags = (_mishap(error),)

    def _costs(self, course: Course, session: Session) -> tuple[Finding, ...]:
        """What is worth knowing about what it costs. Should that fail, the verdict stands."""
        try:
            return tuple(costs(course, session, self._baselines[course.id]))
        except Exception as error:
            self.notebook.flags = (_mishap(error),)
            return ()

    def _ask_again(
        self, course: Course, order: Order, session: Session, post: Post, results: tuple[CheckResult, ...]
    ) -> None:
        """Ask a second worker some of the same; if it answers differently, checks look at it too, and the worse counts.

        Those that did not pass before need not: there is nothing worse. It is looked at in the worker that gave the
        other answers: in a fresh one, code that knows when it is the first might be at its best again. What the checks
        say about that worker is no finding of its own: why they say it is known.
        """
        if not session.record.calls:
            return
        name = f"{order.seed}:again"
        dice, other = random.Random(name), session.another_look(seed=seed_of(name))
        in_doubt = any(result.outcome is not Outcome.PASSED for result in results)
        repetition = repeat(session.record, other, dice, in_doubt=in_doubt)
        if repetition.agrees:
            return
        first, found = {result.check: result for result in results}, self.notebook
        self.notebook = Notebook()
        self.sitting = Sitting(other, course.contract, order.policy_hits, name)
        other.insistence = dice
        if repetition.narrow_different:
            other.memory["manner"] = Manner(torch.float32, session.memory["manner"].batched)
        passed = tuple(spec for spec in course.checks if first[spec.id].outcome is Outcome.PASSED)
        self._run_checks(
            course,
            reordered(passed, dice),
            lambda result: post.send(Reported(result=worst([first[result.check], result]))),
        )
        self.notebook = found
        self._note(repetition)

    def _note(self, repetition: Repetition) -> None:
        known = {each.id for each in self.notebook.findings()}
        if repetition.different and not known & SAID_BY_A_CHECK:
            evidence = {"asked again": repetition.asked, "answered differently": repetition.different}
            self.notebook.add(finding("answers-depend-on-history", Certainty.OBSERVED, evidence={**evidence}))
        if repetition.narrow_different and not (repetition.different or known & SAID_BY_A_CHECK):
            self.notebook.add(finding("answers-depend-on-precision", Certainty.OBSERVED))

    def _look_again(
        self, course: Course, order: Order, session: Session, post: Post
    ) -> tuple[tuple[str, ...], tuple[Finding, ...]]:
        """Where an import was forgotten, supply it and look again, until none is: an import may hide another.

        Returns the import statements and what was found with them; both are empty when nothing was forgotten.
        """
        supplied: tuple[str, ...] = ()
        findings: tuple[Finding, ...] = ()
        for _ in range(LOOKS):
            fresh = tuple(statement for statement in self.notebook.forgotten if statement not in supplied)
            if not fresh:
                break
            supplied += fresh
            self.notebook = Notebook()
            self._look(course, order, session.again(supply=supplied), post, second=True)
            findings = self.notebook.findings()
        return supplied, findings


def seed_of(name: str) -> int:
    """What a worker's random numbers begin with: 32 bits, since numpy takes no more."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")


def _mishap(error: Exception) -> Flag:
    """A flag that says how finding out about mistakes has failed."""
    told = clean(f"{type(error).__name__}: {error}", limit=400, keep_newlines=False)
    message = f"The diagnosis could not be carried out because of a fault of the grader ({told})."
    return Flag(id="diagnosis-failed", message=message)


def run_item(item: pytest.Item) -> BaseException | None:
    """Run one item through pytest's own hooks, and return what ended it early.

    This is `_pytest.runner.runtestprotocol` without the report objects: nobody reads them, and they cost a third of an
    item's time. The exception itself says more.
    """
    if hasattr(item, "_request") and not item._request:
        item._initrequest()  # type: ignore[attr-defined]  # it has run before
    error: BaseException | None = None
    try:
        item.ihook.pytest_runtest_setup(item=item)
        item.ihook.pytest_runtest_call(item=item)
    except BaseException as raised:
        error = raised
    try:
        item.ihook.pytest_runtest_teardown(item=item, nextitem=None)
    except BaseException as raised:
        error = error or raised
    if hasattr(item, "_request"):
        item._request = False
        item.funcargs = None  # type: ignore[attr-defined]
    return error


def _with_patience(course: Course, factor: float) -> Course:
    """The course with budgets that are longer by this factor: for code that the machine kept waiting."""
    limits = course.limits
    longer = msgspec.structs.replace(
        limits,
        seconds=limits.seconds * factor,
        check_seconds=limits.check_seconds * factor,
        import_seconds=limits.import_seconds * factor,
    )
    return msgspec.structs.replace(course, limits=longer)


def _receive_setup(control: socket.socket) -> Setup:
    packet, descriptors, _, _ = socket.recv_fds(control, 64, 1)
    assert packet == b"setup"
    with open(descriptors[0], "rb") as file:
        file.seek(0)
        return msgspec.json.decode(file.read(), type=Setup)
