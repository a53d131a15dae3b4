"""Submissions that go wrong in every way students find, and how each must end.

A case is a file in `corpus/`, or a folder with an `attention.py`, and its name is the student's. The comment it begins
with names its outcome, a line for each fact; a file that cannot hold a comment has it in a `.expected` file beside it:

    assignment: self-attention                  the assignments it is listed under, exactly these (repeated)
    status:     graded                          when there is no such line
    loading:    executed | definitions | nothing
    points:     all | some | none
    outcome:    test_output_shape timed-out     (repeated) a check and what became of it; `killed|failed` where that
                                                depends on whether a process's signals reach itself
    passes:     test_builds                     (repeated)
    says:       10 seconds                      in the message of the first named check, or in the reason
    shows:      self.query(x)                   in the student's line beside that message
    notes:      raised ValueError               in the note on why not the whole file was run
    prints:     batch of 4                      in what is kept of what was printed
    finding:    import-missing                  (repeated) among the named mistakes

All cases are graded in one run, so whatever one of them does to its neighbours shows as well.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Attempt, Cohort, Grade, Loading, Outcome, Status

from ..patience import as_written, times_longer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

REPOSITORY = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).parent / "corpus"
SECONDS, BUDGET = 10, 2
"""For a submission in all, and for a check or for loading it."""
LIMITS = {"seconds": SECONDS, "check_seconds": BUDGET, "import_seconds": BUDGET, "memory": '"3 GiB"'}
MARK = "attention-corpus-"
"""What the processes that submissions leave behind are called."""

ONCE = {"status", "loading", "points", "says", "shows", "notes", "prints"}
REPEATED = {"assignment", "outcome", "passes", "finding"}
LINE = re.compile(r"# (\w+): +(.+)")


def header(case: Path) -> dict[str, list[str]]:
    """The facts a case names."""
    beside = case.with_suffix(".expected")
    file = beside if beside.exists() else case / "attention.py" if case.is_dir() else case
    facts: dict[str, list[str]] = {}
    for line in file.read_bytes().decode("utf-8-sig", "replace").splitlines():
        found = LINE.fullmatch(line)
        if found is not None and found[1] in ONCE | REPEATED:
            facts.setdefault(found[1], []).append(found[2])
        elif "-*- coding" not in line:
            break
    return facts


CASES = {path.stem: header(path) for path in sorted(CORPUS.iterdir()) if path.suffix in ("", ".py")}
GRADED = [name for name, facts in CASES.items() if "status" not in facts]
CORRECT = [name for name, facts in CASES.items() if facts.get("points") == ["all"]]


@dataclass(frozen=True)
class Run:
    """The one run, and what was to be seen of it from outside."""

    cohort: Cohort
    attempts: tuple[Attempt, ...]
    children: tuple[str, ...]
    processes: tuple[str, ...]
    files_left: tuple[str, ...]
    corpus_before: dict[str, str]
    corpus_after: dict[str, str]

    def grades(self, student: str) -> dict[str, Grade]:
        return {grade.assignment: grade for grade in self.cohort.grades if grade.student == student}

    def grade(self, student: str) -> Grade:
        [grade] = self.grades(student).values()
        return grade


class Keeping(Silent):
    """Watches a run and keeps its attempts."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[Attempt] = []

    def finished(self, attempt: Attempt) -> None:
        super().finished(attempt)
        self.attempts.append(attempt)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All cases, graded together in an empty working directory with a temporary directory of its own."""
    root = tmp_path_factory.mktemp("robustness")
    working, temporary = root / "working", root / "temporary"
    working.mkdir()
    temporary.mkdir()
    request = grading.Request(
        paths=(CORPUS,),
        assignments=hurried(root / "assignments"),
        solutions=REPOSITORY / "solutions",
        store=root / "store" / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
    )
    before, observer, elders = digests(CORPUS), Keeping(), {*children()}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(working)
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setattr("grader.executors.rooms.SHORT_PLACES", ())  # there and nowhere else
        cohort = grading.run(request, observer)
        yield Run(
            cohort=cohort,
            attempts=tuple(observer.attempts),
            children=tuple({*children()} - elders),
            processes=tuple(processes(str(root), MARK)),
            files_left=tuple(str(path) for folder in (working, temporary) for path in folder.rglob("*")),
            corpus_before=before,
            corpus_after=digests(CORPUS),
        )


def hurried(target: Path) -> Path:
    """A copy of the assignments whose limits do not let a suite wait."""
    shutil.copytree(REPOSITORY / "assignments", target)
    for settings in target.glob("*/assignment.toml"):
        text = settings.read_text()
        for key, value in LIMITS.items():
            text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
            assert count == 1
        settings.write_text(text)
    return target


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def children() -> Iterator[str]:
    """Command lines of the living children of this process."""
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            yield command_line(pid)


def processes(*marks: str) -> Iterator[str]:
    """Command lines of the living processes that have one of the marks in it, or their working directory below it."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                told = f"{command_line(folder.name)} in {os.readlink(folder / 'cwd')}"
            except OSError:
                told = command_line(folder.name)
            if any(mark in told for mark in marks):
                yield told


def command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def check_name(check: str) -> str:
    return check.partition("::")[2]


def sentences(grade: Grade) -> list[str]:
    """All that a student reads about a submission, one text each."""
    attempt = grade.attempt
    told = [grade.reason, *(check.result.message for check in grade.checks)]
    if attempt is not None:
        told += [attempt.loading_note, *attempt.warnings]
    return [text for text in told if text]


# -- the corpus itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_a_case_names_what_is_to_become_of_it(case):
    facts = CASES[case]

    assert facts.keys() >= {"assignment"}
    assert not [key for key in ONCE if len(facts.get(key, [])) > 1]
    assert "status" in facts or facts.keys() >= {"loading", "points"}
    assert facts.get("points") != ["some"] or "outcome" in facts


def test_correct_submissions_stand_before_between_and_after_the_others():
    names = list(CASES)

    assert {"a_correct", "m_correct", "zz_correct", "zz_correct_multi_head"} <= set(CORRECT)
    assert names[0] == "a_correct"
    assert names[-2:] == ["zz_correct", "zz_correct_multi_head"]


# -- each case ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_a_case_is_listed_under_its_assignments_with_its_status(run, case):
    facts = CASES[case]
    [status] = facts.get("status", ["graded"])

    assert sorted(run.grades(case)) == sorted(facts["assignment"])
    assert {grade.status for grade in run.grades(case).values()} == {Status(status)}


@pytest.mark.parametrize("case", GRADED)
def test_as_much_of_the_file_is_run_as_can_be(run, case):
    attempt = run.grade(case).attempt

    assert attempt is not None
    assert attempt.loading is Loading(CASES[case]["loading"][0])
    assert CASES[case].get("notes", [""])[0] in as_written(attempt.loading_note, BUDGET)
    assert (attempt.loading is Loading.EXECUTED) == (not attempt.loading_note)
    assert CASES[case].get("prints", [""])[0] in attempt.output


@pytest.mark.parametrize("case", CORRECT)
def test_a_correct_class_earns_full_marks_whatever_stands_around_it(run, case):
    grade = run.grade(case)

    assert {check_name(check.spec.id): check.result.message for check in grade.checks if check.result.message} == {}
    assert grade.points == grade.max_points > 0


@pytest.mark.parametrize("case", [case for case in GRADED if case not in CORRECT])
def test_a_class_that_is_not_correct_loses_points_where_its_case_says(run, case):
    facts, grade = CASES[case], run.grade(case)
    outcomes = {check_name(check.spec.id): check.result.outcome for check in grade.checks}
    named = dict(line.split() for line in facts["outcome"])

    assert {name: outcome for name, outcome in named.items() if outcomes[name] not in outcome.split("|")} == {}
    assert {name: outcomes[name] for name in facts.get("passes", [])} == dict.fromkeys(
        facts.get("passes", []), "passed"
    )
    assert 0 <= grade.points < grade.max_points
    assert (grade.points > 0) == (facts["points"] == ["some"])


@pytest.mark.parametrize("case", [case for case in CASES if "says" in CASES[case] or "shows" in CASES[case]])
def test_the_message_names_what_went_wrong(run, case):
    facts, grade = CASES[case], next(iter(run.grades(case).values()))
    if "outcome" in facts:
        name = facts["outcome"][0].split()[0]
        [result] = [check.result for check in grade.checks if check_name(check.spec.id) == name]
        said, shown = result.message, result.where.source if result.where else ""
    else:
        said, shown = " ".join(each.reason for each in run.grades(case).values()), ""

    assert facts.get("says", [""])[0].casefold() in as_written(said, BUDGET).casefold()
    assert facts.get("shows", [""])[0] in shown


@pytest.mark.parametrize("case", [case for case in CASES if "finding" in CASES[case]])
def test_a_mistake_that_has_a_name_is_named(run, case):
    attempt = run.grade(case).attempt

    assert set(CASES[case]["finding"]) <= {finding.id for finding in attempt.findings}


@pytest.mark.parametrize("case", CASES)
def test_what_a_student_reads_is_about_the_student_s_code_alone(run, case):
    for grade in run.grades(case).values():
        for text in sentences(grade):
            assert "Traceback (most recent call last)" not in text
            assert 'File "' not in text
            assert not re.search(r"(^|[\s'\"(])/\w+/", text), "a path of this machine"
            assert "site-packages" not in text
            assert "grader/" not in text
            assert "\x1b" not in text
            assert len(text) <= 2000


@pytest.mark.parametrize("case", GRADED)
def test_whatever_is_not_right_comes_with_a_sentence_and_waiting_checks_with_their_cause(run, case):
    checks = run.grade(case).checks
    outcomes = {check.spec.id: check.result.outcome for check in checks}

    for check in checks:
        result = check.result
        if result.outcome is Outcome.PASSED:
            assert not result.message
        elif result.outcome is Outcome.BLOCKED and result.blocked_by:
            assert outcomes[result.blocked_by] not in (Outcome.PASSED, Outcome.BLOCKED)
        else:
            assert len(result.message.split()) >= 4


@pytest.mark.parametrize("case", GRADED)
def test_no_submission_makes_the_grader_fail(run, case):
    details = {
        check.spec.id: check.result.detail
        for check in run.grade(case).checks
        if check.result.outcome is Outcome.INTERNAL
    }

    assert details == {}


# -- the run as a whole ------------------------------------------------------------------------------------------------


def test_every_submission_of_the_run_is_accounted_for(run):
    assert {grade.student for grade in run.cohort.grades} == set(CASES)
    assert {attempt.student for attempt in run.attempts} == set(GRADED)
    assert not run.cohort.interrupted


def test_no_attempt_takes_longer_than_its_limits(run):
    """What the grader does around it takes time as well, and much of it on a busy machine."""
    for attempt in run.attempts:
        told = [attempt.loading_note, *(result.message for result in attempt.results)]

        assert attempt.seconds < 2 * SECONDS * times_longer(told, BUDGET), attempt.student


def test_what_is_kept_of_the_output_is_bounded(run):
    longest = max(run.attempts, key=lambda attempt: len(attempt.output))

    assert 1000 < len(longest.output) < 10_000


def test_submissions_that_want_to_leave_processes_behind_cannot_start_them(run):
    told = [attempt.student for attempt in run.attempts if "left process" in attempt.output]
    notes = {attempt.student: attempt.loading_note for attempt in run.attempts}

    assert told == []
    assert "PermissionError" in notes["leaves_a_child_behind"]
    assert "PermissionError" in notes["leaves_a_daemon_behind"]


def test_no_process_outlives_the_run(run):
    assert run.processes == ()
    assert run.children == ()


def test_a_process_that_was_left_behind_would_have_been_found():
    sleeper = subprocess.Popen([f"{MARK}control", "60"], executable="/bin/sleep")
    try:
        until = time.monotonic() + 10
        while not (found := tuple(processes(f"{MARK}control"))) and time.monotonic() < until:
            time.sleep(0.01)  # a process has no command line in the moment it begins
    finally:
        sleeper.kill()
        sleeper.wait()

    assert len(found) == 1


def test_no_file_is_left_in_the_working_or_temporary_directory(run):
    assert run.files_left == ()


def test_submissions_are_not_changed_by_being_graded(run):
    assert run.corpus_before
    assert run.corpus_after == run.corpus_before
