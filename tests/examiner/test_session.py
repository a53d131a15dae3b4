from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from grader import wire
from grader.checks.faults import Fault, Killed, Raised, TimedOut
from grader.errors import DeadlinePassed, PeerClosed, WireError
from grader.examiner.endings import SIGNALS, TRACE_CAP, cell_run, describe_fate
from grader.examiner.session import CELLS_CAP, NOTEBOOK_PATIENCE, Session
from grader.forkserver import Fate
from grader.model import CellOutcome, CellRun, Limits, Loading, Match, Outcome, Place
from grader.orders import NotebookBudget

OPENED = wire.Opened(construct=(), call=(), is_module=True, output="hello\x1b\n")
BUILT = wire.Built(0, ())
ANSWERS = {wire.Open: OPENED, wire.Build: BUILT}

Script = Callable[[wire.Question], Any]
"""What a worker does with a question: returns an answer, or raises what a connection raises."""


def obliging(question: wire.Question) -> Any:
    return ANSWERS.get(type(question), wire.Done())


def raised(stage: str = "load", type_: str = "ValueError", *, line: int = 3, overtime: bool = False) -> wire.Raised:
    frames = (wire.Frame("a.py", line, "<module>", "x = y"),) if line else ()
    return wire.Raised(stage, type_, "no", frames, overtime=overtime, output="printed before\n")


class FakeWorker:
    def __init__(self, script: Script, log: list[str]) -> None:
        self._script = script
        self._log = log
        self.deadlines: list[float] = []

    def ask(self, question: wire.Question, *, deadline: float) -> Any:
        name = type(question).__name__
        if isinstance(question, wire.Open) and question.definitions_only:
            name += " definitions"
        self._log.append(name)
        self.deadlines.append(deadline)
        if not isinstance(question, wire.Execute):
            assert question.seconds < deadline - time.monotonic() + 0.01  # type: ignore[attr-defined]
        answer = self._script(question)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        self._log.append("close")


class FakeAgency:
    """Supplies one worker for each script, then no more.

    Attributes:
        log: everything that happened, in order.
    """

    def __init__(self, *scripts: Script, fate: Fate | None = None) -> None:
        self._scripts: Iterator[Script] = iter(scripts)
        self._fate = fate or Fate(signal=9)
        self.log: list[str] = []
        self.workers: list[FakeWorker] = []

    def hire(self, *, executed: bool) -> FakeWorker:
        self.log.append("hire executed" if executed else "hire")
        self.workers.append(FakeWorker(next(self._scripts), self.log))
        return self.workers[-1]

    def retire(self, *, gone: bool) -> Fate:
        self.log.append("retire")
        return self._fate


def session(agency: FakeAgency, **limits: float) -> Session:
    return Session(agency, Match(file="a.py", target="A"), Limits(**limits), seed=5)  # type: ignore[arg-type]


def on(kind: type[wire.Question], answer: Any) -> Script:
    """Answers one kind of question like this, and obliges otherwise."""
    return lambda question: answer if isinstance(question, kind) else obliging(question)


def whole_file(answer: Any) -> Script:
    """Answers like this when the whole file is to be loaded, and obliges otherwise."""
    return lambda question: (
        answer if isinstance(question, wire.Open) and not question.definitions_only else obliging(question)
    )


def survey(seconds: float) -> wire.Survey:
    return wire.Survey(0, seconds)


def build(seconds: float) -> wire.Build:
    return wire.Build(args=(), kwargs={}, dtype=None, values={}, seconds=seconds)


def check(sitting: Session) -> Any:
    """What every check does: start the clock, then ask."""
    sitting.begin_check()
    return sitting.ask(build, wire.Built)


def fault_of(sitting: Session) -> Fault:
    with pytest.raises(Fault) as caught:
        check(sitting)

    return caught.value


# -- loading -----------------------------------------------------------------------------------------------------------


def test_a_worker_is_hired_and_loaded_once_for_all_questions():
    agency = FakeAgency(obliging)
    sitting = session(agency)
    answers = [check(sitting), check(sitting)]

    assert answers == [BUILT, BUILT]
    assert agency.log == ["hire", "Open", "Build", "Build"]
    assert (sitting.loading, sitting.loading_note, sitting.generation) == (Loading.EXECUTED, "", 1)


def test_nobody_is_hired_before_anything_is_asked():
    agency = FakeAgency(obliging)
    session(agency).begin_check()

    assert agency.log == []


def test_what_the_submission_printed_is_made_safe_and_kept():
    sitting = session(FakeAgency(obliging))
    sitting.open()

    assert sitting.output == "hello\\x1b\n"


def test_the_question_tells_which_file_which_class_and_which_seed():
    asked: list[wire.Question] = []
    session(FakeAgency(lambda question: (asked.append(question), obliging(question))[1])).open()
    (question,) = asked

    assert isinstance(question, wire.Open)
    assert (question.file, question.target, question.seed, question.definitions_only) == ("a.py", "A", 5, False)


@pytest.mark.parametrize(
    ("answer", "note", "where"),
    [
        (raised(), "line 3 raised ValueError: no", 3),
        (raised(line=0), "raised ValueError: no", None),
        (raised(type_="SystemExit"), "line 3 raised SystemExit: no", 3),
        (raised("find", "NotFound", line=0), "no", None),
        (raised(overtime=True), "it was not done after 10 seconds (at line 3)", 3),
        (DeadlinePassed("late"), "it was not done after 10 seconds", None),
        (PeerClosed("gone"), "The process was ended by a segmentation fault", None),
        (WireError("nonsense"), "The process sent something other than an answer", None),
        (wire.Done(), "The process sent something other than an answer", None),
        (BUILT, "The process sent something other than an answer", None),
    ],
)
def test_a_file_that_does_not_run_well_is_graded_by_its_definitions_and_the_reason_is_kept(answer, note, where):
    agency = FakeAgency(whole_file(answer), obliging, fate=Fate(signal=11))
    sitting = session(agency)

    assert check(sitting) == BUILT
    assert sitting.loading is Loading.DEFINITIONS
    assert sitting.loading_note.startswith(note)
    assert (sitting.loading_where.line if sitting.loading_where else None) == where
    assert [event for event in agency.log if event not in ("close", "retire")] == [
        "hire",
        "Open",
        "hire",
        "Open definitions",
        "Build",
    ]


def test_the_output_of_a_file_that_raised_is_kept():
    sitting = session(FakeAgency(whole_file(raised()), obliging))
    sitting.open()

    assert sitting.output == "printed before\n"


def test_the_first_worker_is_ended_before_a_second_one_is_hired():
    agency = FakeAgency(whole_file(raised()), obliging)
    session(agency).open()

    assert agency.log.index("close") < agency.log.index("retire") < agency.log.index("Open definitions")


def test_what_cannot_be_loaded_at_all_faults_every_check_without_another_worker():
    agency = FakeAgency(on(wire.Open, raised()), on(wire.Open, raised(type_="NameError")))
    sitting = session(agency)
    faults = [fault_of(sitting) for _ in range(3)]

    assert [fault.message for fault in faults] == ["Running the file raised NameError: no"] * 3
    assert {fault.outcome for fault in faults} == {Outcome.ERRORED}
    assert agency.log.count("hire") == 2
    assert sitting.loading is Loading.NOTHING
    assert sitting.opened is None


def test_a_syntax_error_is_reported_as_the_whole_file_had_it():
    first = raised(type_="SyntaxError", line=7)
    sitting = session(FakeAgency(on(wire.Open, first), on(wire.Open, raised("find", "NotFound", line=0))))
    fault = fault_of(sitting)

    assert isinstance(fault, Raised)
    assert (fault.type, fault.where) == ("SyntaxError", Place(file="a.py", line=7, source="x = y", function="<module>"))


def test_a_submission_that_never_ends_even_by_its_definitions_is_late_by_the_budget_of_loading():
    late = on(wire.Open, raised(overtime=True))
    fault = fault_of(session(FakeAgency(late, late), check_seconds=10, import_seconds=4))

    assert isinstance(fault, TimedOut)
    assert "4 seconds" in fault.message


# -- asking ------------------------------------------------------------------------------------------------------------


def test_an_exception_of_the_student_costs_the_check_and_not_the_worker():
    agency = FakeAgency(on(wire.Build, raised("build")))
    sitting = session(agency)
    fault = fault_of(sitting)

    assert (fault.outcome, fault.message) == (Outcome.ERRORED, "Building the module raised ValueError: no")
    assert fault.where == Place(file="a.py", line=3, source="x = y", function="<module>")
    assert sitting.ask(survey, wire.Done) == wire.Done()
    assert agency.log.count("hire") == 1


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (raised("call", overtime=True), Outcome.TIMED_OUT, "It was not done after 10 seconds."),
        (DeadlinePassed("late"), Outcome.TIMED_OUT, "It was not done after 10 seconds."),
        (PeerClosed("gone"), Outcome.KILLED, "The process was ended by a segmentation fault"),
        (WireError("nonsense"), Outcome.KILLED, "The process sent something other than an answer and was stopped."),
        (wire.Done(), Outcome.KILLED, "The process sent something other than an answer and was stopped."),
        (OPENED, Outcome.KILLED, "The process sent something other than an answer and was stopped."),
    ],
)
def test_a_worker_that_fails_costs_the_check_and_the_next_one_gets_a_fresh_worker(answer, outcome, words):
    agency = FakeAgency(on(wire.Build, answer), obliging, fate=Fate(signal=11))
    sitting = session(agency)
    fault = fault_of(sitting)

    assert fault.outcome is outcome
    assert fault.message.startswith(words)
    assert agency.log == ["hire", "Open", "Build", "close", "retire"]
    assert check(sitting) == BUILT
    assert agency.log[5:] == ["hire", "Open", "Build"]
    assert sitting.generation == 2


def test_a_worker_that_was_late_tells_at_which_line():
    fault = fault_of(session(FakeAgency(on(wire.Build, raised("build", overtime=True, line=9)))))

    assert fault.where is not None
    assert fault.where.line == 9


def test_a_fresh_worker_is_loaded_the_way_that_worked():
    agency = FakeAgency(whole_file(raised()), on(wire.Build, PeerClosed("gone")), obliging)
    sitting = session(agency)
    fault_of(sitting)
    agency.log.clear()
    check(sitting)

    assert agency.log == ["hire", "Open definitions", "Build"]
    assert sitting.loading_note == "line 3 raised ValueError: no"


def test_a_fresh_worker_that_cannot_be_loaded_costs_that_check_and_is_never_asked_anything_else():
    agency = FakeAgency(on(wire.Build, PeerClosed("gone")), on(wire.Open, raised()), obliging)
    sitting = session(agency)
    first, second = fault_of(sitting), fault_of(sitting)
    log = list(agency.log)
    third = check(sitting)

    assert (first.outcome, second.outcome) == (Outcome.KILLED, Outcome.ERRORED)
    assert second.message == "Running the file raised ValueError: no"
    assert log.count("Build") == 1
    assert third == BUILT
    assert agency.log.count("hire") == 3


def test_the_memory_of_a_session_outlives_its_workers():
    sitting = session(FakeAgency(on(wire.Build, PeerClosed("gone")), obliging))
    sitting.memory["manner"] = "batched"
    fault_of(sitting)
    check(sitting)

    assert sitting.memory == {"manner": "batched"}


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_question_is_told_to_give_up_before_its_deadline():
    seconds: list[float] = []

    def script(question: wire.Question) -> Any:
        seconds.append(question.seconds)  # type: ignore[attr-defined]
        return obliging(question)

    agency = FakeAgency(script)
    sitting = session(agency, import_seconds=5, check_seconds=2)
    started = time.monotonic()
    check(sitting)
    loading, asking = agency.workers[0].deadlines

    assert loading - started == pytest.approx(5, abs=0.5)
    assert asking - started == pytest.approx(2, abs=0.5)
    assert seconds == [pytest.approx(4, abs=0.5), pytest.approx(1.6, abs=0.5)]


def test_loading_has_a_budget_of_its_own():
    def slow(question: wire.Question) -> Any:
        if isinstance(question, wire.Open):
            time.sleep(0.15)
        return obliging(question)

    assert check(session(FakeAgency(slow), check_seconds=0.1, import_seconds=5)) == BUILT


def test_all_questions_of_a_check_share_its_budget():
    def slow(question: wire.Question) -> Any:
        time.sleep(0.06)
        return obliging(question)

    sitting = session(FakeAgency(slow), check_seconds=0.1)
    check(sitting)
    sitting.ask(survey, wire.Done)
    with pytest.raises(TimedOut):
        sitting.ask(survey, wire.Done)
    sitting.begin_check()

    assert sitting.ask(survey, wire.Done) == wire.Done()


def test_when_the_budget_of_the_submission_is_used_up_every_check_is_late_and_nobody_is_asked():
    agency = FakeAgency(obliging, obliging, obliging)
    sitting = session(agency, seconds=0.05)
    check(sitting)
    time.sleep(0.06)
    faults = [fault_of(sitting) for _ in range(2)]

    assert {fault.outcome for fault in faults} == {Outcome.TIMED_OUT}
    assert faults[0].message == "The time for the whole submission, 0.05 seconds, is used up."
    assert agency.log.count("Build") == 1


def test_no_deadline_is_later_than_that_of_the_submission():
    agency = FakeAgency(obliging)
    started = time.monotonic()
    check(session(agency, seconds=1, check_seconds=10, import_seconds=10))

    assert all(deadline - started < 1.5 for deadline in agency.workers[0].deadlines)


def test_a_check_cut_short_by_the_budget_of_the_submission_is_told_so():
    fault = fault_of(session(FakeAgency(on(wire.Build, raised("build", overtime=True))), seconds=2, check_seconds=10))

    assert fault.message == "The time for the whole submission, 2 seconds, is used up."


# -- how processes end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fate", "words"),
    [
        (Fate(signal=9), "was ended by being killed, most often for using too much memory"),
        (Fate(signal=11), "was ended by a segmentation fault"),
        (Fate(signal=64), "was ended by signal 64"),
        (Fate(code=0), "ended itself with exit code 0 (for example through os._exit)"),
        (Fate(code=3), "ended itself with exit code 3"),
    ],
)
def test_how_a_process_ended_is_said_in_words(fate, words):
    assert describe_fate(fate).startswith(words)


@pytest.mark.parametrize("number", SIGNALS)
def test_every_known_signal_ends_the_sentence(number):
    fault = fault_of(session(FakeAgency(on(wire.Build, PeerClosed("gone")), fate=Fate(signal=number))))

    assert isinstance(fault, Killed)
    assert fault.message == f"The process was ended by {SIGNALS[number]}."


# -- hostile claims ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shapes",
    [[(1 << 40,)], [(-1, 3)], [(1,) * 9], [(0, 1 << 62, 1 << 62)], [((1 << 64) - 1,)], [(1 << 24,)] * 100],
    ids=["huge", "negative", "many axes", "empty but wide", "beyond 64 bits", "huge together"],
)
def test_leaves_that_nobody_could_draw_values_for_are_the_worker_s_fault(shapes):
    leaves = tuple(
        wire.Leaf(f"w{number}", shape, "float32", registered=True, trainable=True)
        for number, shape in enumerate(shapes)
    )
    fault = fault_of(session(FakeAgency(on(wire.Build, wire.Built(0, leaves)))))

    assert isinstance(fault, Killed)


def test_leaves_of_an_ordinary_module_and_lazy_ones_are_taken_as_they_are():
    leaves = (
        wire.Leaf("w", (512, 512), "float32", registered=True, trainable=True),
        wire.Leaf("lazy", None, "float32", registered=True, trainable=True),
        wire.Leaf("scale", (), "float32", registered=True, trainable=True),
        wire.Leaf("none", (0, 3), "float32", registered=True, trainable=True),
    )

    assert check(session(FakeAgency(on(wire.Build, wire.Built(0, leaves))))) == wire.Built(0, leaves)


# -- notebooks ---------------------------------------------------------------------------------------------------------

BUDGET = NotebookBudget(seconds=60, cell_seconds=10)
RAN = wire.Executed(cells=(), alive=True, output="printed by cells\n")


def notebook(agency: FakeAgency, **limits: float) -> Session:
    match = Match(file="a.ipynb", target="A")
    return Session(agency, match, Limits(**limits), seed=5, notebook=BUDGET)  # type: ignore[arg-type]


def having_run(executed: Any = RAN, then: Script = obliging) -> Script:
    """Answers like this when asked to run the notebook, and goes by `then` otherwise."""
    return lambda question: executed if isinstance(question, wire.Execute) else then(question)


def report(cell: int = 2, outcome: str = "raised", type_: str = "NameError", message: str = "no") -> wire.CellReport:
    raised_there = outcome in ("raised", "interrupted")
    frames = (wire.Frame("a.ipynb", 3, "f", "y = x", cell),) if raised_there else ()
    return wire.CellReport(cell, outcome, type_ if raised_there else "", message if raised_there else "", frames)


def events(agency: FakeAgency) -> list[str]:
    return [event for event in agency.log if event not in ("close", "retire")]


def test_a_notebook_is_run_before_its_class_is_opened():
    agency = FakeAgency(having_run())
    sitting = notebook(agency)
    check(sitting)

    assert events(agency) == ["hire executed", "Execute", "Open", "Build"]
    assert (sitting.loading, sitting.loading_note, sitting.cells) == (Loading.EXECUTED, "", ())
    assert sitting.output == "printed by cells\n"


def test_the_question_to_run_tells_the_file_the_seed_and_the_budgets():
    asked: list[wire.Question] = []
    notebook(FakeAgency(lambda question: (asked.append(question), having_run()(question))[1])).open()

    assert asked[0] == wire.Execute("a.ipynb", seed=5, cell_seconds=10, seconds=60)


def test_a_module_is_never_run_as_a_notebook():
    agency = FakeAgency(whole_file(raised()), obliging)
    check(session(agency))

    assert "Execute" not in agency.log
    assert "hire executed" not in agency.log


def test_a_notebook_of_which_some_cells_failed_is_graded_from_what_they_left_and_the_first_failure_is_kept():
    agency = FakeAgency(having_run(wire.Executed((report(2), report(5)), alive=True, output="")))
    sitting = notebook(agency)
    check(sitting)

    assert events(agency) == ["hire executed", "Execute", "Open", "Build"]
    assert sitting.loading is Loading.PARTLY
    assert sitting.loading_note == "cell 2 raised NameError: no"
    assert sitting.loading_where == Place(file="a.ipynb", line=3, source="y = x", function="f", cell=2)
    assert [cell.cell for cell in sitting.cells] == [2, 5]


@pytest.mark.parametrize("outcome", ["interrupted", "killed", "not-run"])
def test_the_note_on_a_cell_that_was_stopped_says_which(outcome):
    sitting = notebook(FakeAgency(having_run(wire.Executed((report(4, outcome),), alive=True, output=""))))
    sitting.open()

    assert sitting.loading is Loading.PARTLY
    assert "cell 4" in sitting.loading_note
    assert "stopped" in sitting.loading_note


def test_a_notebook_that_is_not_alive_is_graded_by_its_definitions_and_its_cells_are_kept():
    died = wire.Executed((report(3, "killed"), report(4, "not-run")), alive=False, output="before\n")
    agency = FakeAgency(having_run(died), obliging)
    sitting = notebook(agency)

    assert check(sitting) == BUILT
    assert events(agency) == ["hire executed", "Execute", "hire", "Open definitions", "Build"]
    assert sitting.loading is Loading.DEFINITIONS
    assert "while cell 3 was running" in sitting.loading_note
    assert [(cell.cell, cell.outcome) for cell in sitting.cells] == [(3, CellOutcome.KILLED), (4, CellOutcome.NOT_RUN)]
    assert sitting.output == "before\n"


def test_a_class_that_the_cells_did_not_leave_whole_is_graded_by_its_definitions_for_that_reason():
    missing = raised("find", "NotFound", line=0)
    agency = FakeAgency(having_run(then=on(wire.Open, missing)), obliging)
    sitting = notebook(agency)
    check(sitting)

    assert events(agency) == ["hire executed", "Execute", "Open", "hire", "Open definitions", "Build"]
    assert (sitting.loading, sitting.loading_note) == (Loading.DEFINITIONS, "no")


@pytest.mark.parametrize(
    "answer", [PeerClosed("gone"), WireError("nonsense"), DeadlinePassed("late"), wire.Done(), OPENED]
)
def test_a_notebook_whose_run_ends_in_nothing_sensible_is_graded_by_its_definitions(answer):
    agency = FakeAgency(having_run(answer), obliging)
    sitting = notebook(agency)

    assert check(sitting) == BUILT
    assert sitting.loading is Loading.DEFINITIONS
    assert sitting.loading_note
    assert sitting.cells == ()


def test_after_a_fault_the_next_worker_comes_from_the_notebook_that_was_run():
    agency = FakeAgency(having_run(then=on(wire.Build, PeerClosed("gone"))), having_run())
    sitting = notebook(agency)
    fault_of(sitting)
    check(sitting)

    assert events(agency) == ["hire executed", "Execute", "Open", "Build"] * 2
    assert sitting.loading is Loading.EXECUTED


def test_after_a_fault_a_rescued_notebook_is_not_run_again():
    died = wire.Executed((), alive=False, output="")
    agency = FakeAgency(having_run(died), on(wire.Build, PeerClosed("gone")), obliging)
    sitting = notebook(agency)
    fault_of(sitting)
    check(sitting)

    assert events(agency)[5:] == ["hire", "Open definitions", "Build"]


def slow_run(seconds: float) -> Script:
    def script(question: wire.Question) -> Any:
        if isinstance(question, wire.Execute):
            time.sleep(seconds)
        return having_run()(question)

    return script


def test_the_first_run_of_a_notebook_takes_from_no_other_budget():
    agency = FakeAgency(slow_run(0.4))
    sitting = notebook(agency, seconds=0.3, check_seconds=0.2, import_seconds=0.2)

    assert check(sitting) == BUILT
    assert sitting.loading is Loading.EXECUTED


def test_the_first_run_may_take_its_budget_and_some_patience():
    agency = FakeAgency(having_run())
    began = time.monotonic()
    notebook(agency, seconds=1).open()

    assert agency.workers[0].deadlines[0] - began == pytest.approx(60 + NOTEBOOK_PATIENCE, abs=1)


def test_whoever_has_the_notebook_run_again_pays_for_it():
    dying = on(wire.Build, PeerClosed("gone"))
    first = having_run(then=dying)

    def second(question: wire.Question) -> Any:
        return slow_run(0.5)(question)

    agency = FakeAgency(first, second, second)
    sitting = notebook(agency, seconds=0.6)
    fault_of(sitting)
    began = time.monotonic()
    sitting.begin_check()
    check(sitting)
    late = agency.workers[1].deadlines[0] - began
    time.sleep(0.2)

    assert late < 0.7
    assert fault_of(sitting).outcome is Outcome.TIMED_OUT


@pytest.mark.parametrize("answer", [DeadlinePassed("late"), PeerClosed("gone"), wire.Done()])
def test_a_run_that_ends_in_nothing_sensible_takes_from_no_other_budget(answer):
    def script(question: wire.Question) -> Any:
        time.sleep(0.4)
        return answer

    agency = FakeAgency(script, obliging)
    sitting = notebook(agency, seconds=0.3, check_seconds=0.2, import_seconds=0.2)

    assert check(sitting) == BUILT
    assert sitting.loading is Loading.DEFINITIONS


def test_a_run_that_is_not_answered_in_time_is_noted_with_the_notebook_s_budget():
    sitting = notebook(FakeAgency(having_run(DeadlinePassed("late")), obliging), seconds=20)
    check(sitting)

    assert sitting.loading_note == "it was not done after 60 seconds"


def test_a_notebook_that_is_run_again_is_told_how_much_time_is_left():
    asked: list[wire.Execute] = []

    def noting(question: wire.Question) -> Any:
        if isinstance(question, wire.Execute):
            asked.append(question)
        return having_run(then=on(wire.Build, PeerClosed("gone")))(question)

    sitting = notebook(FakeAgency(noting, noting), seconds=5)
    fault_of(sitting)
    fault_of(sitting)

    assert asked[0].seconds == 60
    assert 3 < asked[1].seconds < 5


def test_another_session_takes_the_way_of_the_first_for_a_notebook_that_was_run():
    asked: list[wire.Question] = []

    def noting(question: wire.Question) -> Any:
        asked.append(question)
        return having_run()(question)

    agency = FakeAgency(having_run(), noting)
    sitting = notebook(agency)
    check(sitting)
    other = sitting.again(supply=("import math",))
    check(other)
    opened = [question for question in asked if isinstance(question, wire.Open)]

    assert events(agency)[4:] == ["hire executed", "Execute", "Open", "Build"]
    assert [question.supply for question in opened] == [("import math",)]


@pytest.mark.parametrize(
    "first",
    [having_run(wire.Executed((), alive=False, output="")), having_run(then=on(wire.Open, raised("find", line=0)))],
    ids=["died", "damaged"],
)
def test_another_session_takes_the_way_of_the_first_for_a_notebook_that_was_rescued(first):
    agency = FakeAgency(first, obliging, obliging)
    sitting = notebook(agency)
    check(sitting)
    agency.log.clear()
    other = sitting.again(supply=("import math",))
    check(other)

    assert events(agency) == ["hire", "Open definitions", "Build"]
    assert agency.log[:2] == ["close", "retire"]
    assert other.loading is Loading.DEFINITIONS


def test_another_session_shares_the_time_of_the_first():
    agency = FakeAgency(obliging, obliging, obliging)
    sitting = session(agency, seconds=0.2)
    check(sitting)
    time.sleep(0.25)
    other = sitting.again(supply=())

    assert fault_of(other).outcome is Outcome.TIMED_OUT


def test_thousands_of_claimed_cells_are_cut():
    claimed = tuple(report(number) for number in range(1, 5001))
    sitting = notebook(FakeAgency(having_run(wire.Executed(claimed, alive=True, output=""))))
    sitting.open()

    assert len(sitting.cells) == CELLS_CAP


def test_what_a_run_claims_to_have_printed_is_cleaned_and_cut():
    hostile = wire.Executed((), alive=True, output="\x1b[2J\u202e" + "a" * 1_000_000)
    sitting = notebook(FakeAgency(having_run(hostile)))
    sitting.open()

    assert sitting.output.startswith("\\x1b[2J\\u202eaaa")
    assert len(sitting.output) < 8100


@pytest.mark.parametrize("outcome", [*(outcome.value for outcome in CellOutcome), "", "passed", "\x1b", "a" * 100_000])
def test_an_outcome_that_is_not_known_counts_as_an_exception(outcome):
    run = cell_run(report(outcome=outcome))
    known = {each.value for each in CellOutcome}

    assert run.outcome == (outcome if outcome in known else CellOutcome.RAISED)


def test_the_words_of_a_cell_s_report_are_cleaned_and_cut():
    frames = tuple(wire.Frame("a\x1b.ipynb", 1, "f\u202e", "y\n" * 1000, 1) for _ in range(500))
    run = cell_run(wire.CellReport(1, "raised", "E\x1b[31m", "no\n\u2028" + "a" * 100_000, frames))

    assert run.error.startswith("E\\x1b[31m: no\\n\\u2028aaa")
    assert len(run.error) < 700
    assert len(run.trace) <= TRACE_CAP
    assert all(text.isprintable() for place in run.trace for text in (place.file, place.function, place.source))


@pytest.mark.parametrize("message", ["", "  \n"])
def test_an_exception_without_words_is_told_by_its_name(message):
    assert cell_run(wire.CellReport(3, "raised", "StopIteration", message, ())) == CellRun(
        cell=3, outcome=CellOutcome.RAISED, error="StopIteration"
    )
