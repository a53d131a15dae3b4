"""One submission's conversation: hires workers, asks them, keeps the time, and turns what goes wrong into faults.

A session survives its workers. When one hangs or dies, the check that was asking takes the fault, and the next check
gets a fresh worker, loaded the same way. The way is found once: the whole file is executed; when that does not end
well, its definitions alone are. A notebook's cells are run once, and workers are forked from what they left behind.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import Any, Protocol

from grader import wire
from grader.checks.faults import Fault, Killed, Raised, TimedOut
from grader.errors import DeadlinePassed, PeerClosed, WireError
from grader.examiner import insisting
from grader.examiner.endings import cell_run, describe_fate
from grader.examiner.record import Record
from grader.forkserver import Fate
from grader.model import CellOutcome, CellRun, Limits, Loading, Match, Place
from grader.orders import NotebookBudget
from grader.text import clean

SOFT_SHARE = 0.8
"""The share of the remaining time after which a worker interrupts itself, so that it can still say at which line."""


NOTEBOOK_PATIENCE = 12.0
"""Seconds beyond a notebook's budget: it is the worker that keeps that, and stops each cell."""

ANOTHER_LOOK = 2.0
"""How much longer than a submission may take in all a second worker may answer: once for the same, once for checks."""

CELLS_CAP = 100


class Worker(Protocol):
    """Whoever answers questions about a submission."""

    def ask(self, question: wire.Question, *, deadline: float) -> Any:
        """Answer before `deadline` (on `time.monotonic`), or raise a `WireError`."""

    def close(self) -> None:
        """Hang up."""


class Agency(Protocol):
    """Whoever supplies workers."""

    def hire(self, *, executed: bool) -> Worker:
        """A fresh worker: one that has not seen the submission's code yet, or, with `executed`, that runs its notebook.

        A notebook that was run already is not run again: the worker is what that left behind.
        """

    def retire(self, *, gone: bool) -> Fate:
        """End the last one, and say how it ended. `gone`: it hung up, so it has ended or is about to."""


class Session:
    """One submission under examination.

    Attributes:
        opened: what the worker said about the class; None before `open` and when nothing could be loaded.
        loading, loading_note, loading_where: how the submission was loaded, and why not whole.
        cells: of a notebook, those that did not run to their end.
        generation: counts the workers.
        faults: counts the faults that questions ended with.
        memory: what adapters found out about this submission, by their own keys; it dies with the session.
        record: what it was asked that can be asked again.
        insistence: where set, each call that can be repeated is, as often as this says.
    """

    def __init__(
        self,
        agency: Agency,
        match: Match,
        limits: Limits,
        *,
        seed: int,
        notebook: NotebookBudget | None = None,
        supply: tuple[str, ...] = (),
    ) -> None:
        """Begin. `notebook` is set for a notebook; `supply` are import statements that the submission forgot."""
        self._agency = agency
        self._match = match
        self._limits = limits
        self._seed = seed
        self._notebook = notebook
        self._supply = supply
        self._definitions_only = False
        self._execution_seconds: float | None = None
        self._worker: Worker | None = None
        self._fault: Fault | None = None
        self._job_deadline = time.monotonic() + limits.seconds
        self._check_deadline = math.inf
        self.generation = 0
        self.faults = 0
        self.opened: wire.Opened | None = None
        self.output = ""
        self.loading = Loading.EXECUTED
        self.loading_note = ""
        self.loading_where: Place | None = None
        self.cells: tuple[CellRun, ...] = ()
        self.memory: dict[object, Any] = {}
        self.record = Record()
        self.insistence: random.Random | None = None

    def again(self, *, supply: tuple[str, ...] | None = None, seed: int | None = None) -> Session:
        """Another session about the same submission, loaded in the way this one found.

        It shares this one's time, and takes its agency over. Where `supply` or `seed` are given, they take the place of
        this one's.
        """
        if self._worker is not None:
            self._retire()
        other = Session(
            self._agency,
            self._match,
            self._limits,
            seed=self._seed if seed is None else seed,
            notebook=self._notebook,
            supply=self._supply if supply is None else supply,
        )
        other._job_deadline = self._job_deadline
        other._execution_seconds = self._execution_seconds
        other._definitions_only = self.loading in (Loading.DEFINITIONS, Loading.NOTHING)
        return other

    def another_look(self, *, seed: int) -> Session:
        """Another session with time of its own: whoever takes long is looked at again all the same."""
        other = self.again(seed=seed)
        other._job_deadline = time.monotonic() + ANOTHER_LOOK * self._limits.seconds
        return other

    @property
    def seconds(self) -> float:
        """How long a submission may take in all."""
        return self._limits.seconds

    def begin_check(self, *, at_most: float = math.inf) -> None:
        """Start the clock of a check, or of something that may take less than one."""
        seconds = min(self._limits.check_seconds, at_most)
        self._check_deadline = min(time.monotonic() + seconds, self._job_deadline)

    def open(self) -> wire.Opened:
        """Make sure that a worker holds the loaded submission. Raises the fault that prevents it, every time."""
        if self._worker is not None and self.opened is not None:
            return self.opened
        if self._fault is not None:
            raise self._fault
        if self.opened is None:
            self._open_first()
        else:
            self._open_again()
        assert self.opened is not None
        self.begin_check()  # loading has a budget of its own
        return self.opened

    def ask(self, build: Callable[[float], wire.Question], expected: type[Any]) -> Any:
        """Ask the worker and return its answer, of class `expected`.

        Args:
            build: makes the question, given its soft budget in seconds.
            expected: the class of a sensible answer.

        Raises:
            Fault: the submission's code raised, was too slow, or ended its process.
        """
        self.open()
        times = self._times(build(0.0))
        try:
            answers = [
                self._ask(build, expected, self._check_deadline, self._limits.check_seconds) for _ in range(times)
            ]
            return answers[0] if times == 1 else insisting.believed(answers)
        except Fault:
            self.faults += 1
            raise

    def _times(self, question: wire.Question) -> int:
        """How often to ask it: once, unless it is insisted on; less often when the check is running out of time."""
        hurried = self._check_deadline - time.monotonic() < self._limits.check_seconds / 2
        if self.insistence is None or not self.record.covers(self.generation, question):
            return 1
        return insisting.times(self.insistence, hurried=hurried)

    def _open_first(self) -> None:
        first: Fault | None = None
        if not self._definitions_only:
            try:
                self._open_as(definitions_only=False)
            except Fault as fault:
                self._retire()
                self._note(fault)
                first = fault
            else:
                if self.cells:
                    self.loading = Loading.PARTLY
                    self._note_cell(self.cells[0])
                return
        try:
            self._open_as(definitions_only=True)
        except Fault as second:
            self._retire()
            self.loading = Loading.NOTHING
            self._fault = first if isinstance(first, Raised) and first.type == "SyntaxError" else second
            if isinstance(second, Raised) and second.type == "SyntaxError":
                self._note(second)
            raise self._fault from None
        self.loading = Loading.DEFINITIONS

    def _open_again(self) -> None:
        try:
            self._open_as(definitions_only=self.loading is Loading.DEFINITIONS)
        except Fault:
            self._retire()  # a worker that holds nothing must not be asked anything
            raise

    def _open_as(self, *, definitions_only: bool) -> None:
        executed = self._notebook is not None and not definitions_only
        self._worker = self._agency.hire(executed=executed)
        self.generation += 1
        if executed:
            self._execute()
        deadline = min(time.monotonic() + self._limits.import_seconds, self._job_deadline)

        def question(seconds: float) -> wire.Open:
            file, target = self._match.file, self._match.target
            return wire.Open(file, target, definitions_only, self._seed, seconds, self._supply)

        self.opened = self._ask(question, wire.Opened, deadline, self._limits.import_seconds)
        if not self.output:
            self.output = clean(self.opened.output, limit=8000)

    def _execute(self) -> None:
        """Have the notebook's cells run. The first time takes from no other budget; whoever has it run again pays."""
        assert self._notebook is not None
        budget, started = self._notebook, time.monotonic()
        first = self._execution_seconds is None
        allowed = budget.seconds + NOTEBOOK_PATIENCE if first else 0.0
        self._job_deadline += allowed
        deadline = started + allowed if first else self._job_deadline

        def question(seconds: float) -> wire.Execute:
            whole = budget.seconds if first else min(budget.seconds, seconds)
            return wire.Execute(self._match.file, self._seed, budget.cell_seconds, whole)

        try:
            executed: wire.Executed = self._ask(question, wire.Executed, deadline, budget.seconds)
        finally:
            if first:
                self._execution_seconds = time.monotonic() - started
                self._job_deadline += self._execution_seconds - allowed
        self.cells = tuple(map(cell_run, executed.cells[:CELLS_CAP]))
        self.output = clean(executed.output, limit=8000)
        if not executed.alive:
            ended = next((cell.cell for cell in self.cells if cell.outcome is CellOutcome.KILLED), None)
            raise Killed("the notebook's process ended" + (f" while cell {ended} was running" if ended else ""))

    def _note_cell(self, cell: CellRun) -> None:
        """Remember which cell was the first that did not run to its end."""
        self.loading_where = cell.trace[-1] if cell.trace else None
        if cell.outcome is CellOutcome.INTERRUPTED or not cell.error:
            self.loading_note = f"cell {cell.cell} was still running when its time was up, and was stopped"
        else:
            self.loading_note = f"cell {cell.cell} raised {cell.error}"

    def _note(self, fault: Fault) -> None:
        """Remember why the whole file was not executed."""
        self.loading_where = fault.where
        cell = f"cell {fault.where.cell}, " if fault.where and fault.where.cell else ""
        line = f"{cell}line {fault.where.line} " if fault.where else ""
        match fault:
            case Raised():
                self.output = fault.output
                said = f"{fault.type}: {fault.text}" if fault.text.strip() else fault.type
                self.loading_note = f"{line}raised {said}" if fault.stage == "load" else fault.text
            case TimedOut():
                said = fault.message[:1].lower() + fault.message[1:].rstrip(".")
                self.loading_note = f"{said} (at {line.strip()})" if line else said
            case _:
                self.loading_note = fault.message

    def _ask(self, build: Callable[[float], wire.Question], expected: type[Any], deadline: float, budget: float) -> Any:
        late = self._late(deadline, budget)
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimedOut(late)
        assert self._worker is not None
        question = build(remaining * SOFT_SHARE)
        try:
            answer = self._worker.ask(question, deadline=deadline)
            if isinstance(answer, wire.Built):
                wire.check_leaves(answer.leaves)
        except DeadlinePassed:
            self._retire()
            raise TimedOut(late) from None
        except PeerClosed:
            raise Killed(f"The process {describe_fate(self._retire(gone=True))}.") from None
        except WireError:
            self._retire()
            raise Killed("The process sent something other than an answer and was stopped.") from None
        self.record.note(self.generation, question, answer)
        if isinstance(answer, wire.Raised):
            if answer.overtime:
                self._retire()
                raise TimedOut(late, where=Raised(answer).where)
            raise Raised(answer, shapes=handed_in(question))
        if not isinstance(answer, expected):
            self._retire()
            raise Killed("The process sent something other than an answer and was stopped.")
        return answer

    def _late(self, deadline: float, budget: float) -> str:
        if deadline >= self._job_deadline:
            return f"The time for the whole submission, {self._limits.seconds:g} seconds, is used up."
        return f"It was not done after {budget:g} seconds."

    def _retire(self, *, gone: bool = False) -> Fate:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()
        return self._agency.retire(gone=gone)


def handed_in(question: wire.Question) -> tuple[tuple[int, ...], ...]:
    """The shapes of the tensors that a call is given, in order."""
    if not isinstance(question, wire.Call | wire.Differentiate | wire.Trace):
        return ()
    values = (*question.args, *question.kwargs.values())
    return tuple(value.shape for value in values if isinstance(value, wire.Array | wire.Hollow))
