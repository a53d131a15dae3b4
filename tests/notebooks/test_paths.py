"""Notebooks that are whole, damaged or none, and which way each is graded.

The cases are in `cases.py`; they are graded in one run. `python -m tests.notebooks.test_paths` prints them as a table,
with what became of them.
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
from grader.model import Attempt, CheckResult, Cohort, Grade, Loading, Outcome, Status
from grader.reports import render_all

from .cases import CASES, MARK, RICH, Case

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

REPOSITORY = Path(__file__).resolve().parents[2]
LIMITS = {"seconds": "20", "check_seconds": "3", "import_seconds": "2", "cell_seconds": "2", "notebook_seconds": "6"}
LOADING = {
    "executed": Loading.EXECUTED,
    "partly": Loading.PARTLY,
    "rescued": Loading.DEFINITIONS,
    "nothing": Loading.NOTHING,
}
GRADED = [student for student, case in CASES.items() if case.path != "rejected"]
REJECTED = [student for student, case in CASES.items() if case.path == "rejected"]
PAIRS = [(student, assignment) for student in GRADED for assignment in CASES[student].assignments]


@dataclass(frozen=True)
class Run:
    """The one run, and what was to be seen of it from outside."""

    cohort: Cohort
    before: dict[str, str]
    after: dict[str, str]
    processes: tuple[str, ...]
    files_left: tuple[str, ...]

    def grades(self, student: str) -> dict[str, Grade]:
        return {grade.assignment: grade for grade in self.cohort.grades if grade.student == student}

    def attempt(self, student: str, assignment: str = "self-attention") -> Attempt:
        attempt = self.grades(student)[assignment].attempt
        assert attempt is not None
        return attempt


def graded(root: Path) -> Run:
    """Hand all cases in and grade them, in one run with a temporary folder of its own."""
    handed_in, temporary = root / "class", root / "temporary"
    handed_in.mkdir()
    temporary.mkdir()
    for student, case in CASES.items():
        case.write(handed_in, student)
    request = grading.Request(
        paths=(handed_in,),
        assignments=hurried(root / "assignments"),
        solutions=REPOSITORY / "solutions",
        store=root / "store" / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
    )
    before = digests(handed_in)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        cohort = grading.run(request, Silent())
    return Run(
        cohort=cohort,
        before=before,
        after=digests(handed_in),
        processes=tuple(processes(str(root), MARK)),
        files_left=tuple(str(path) for path in temporary.rglob("*")),
    )


def hurried(target: Path) -> Path:
    """A copy of the assignments whose limits do not let a suite wait."""
    shutil.copytree(REPOSITORY / "assignments", target)
    for settings in target.glob("*/assignment.toml"):
        text = settings.read_text()
        for key, value in LIMITS.items():
            text, count = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", text)
            assert count == 1
        settings.write_text(text)
    return target


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def processes(*marks: str) -> Iterator[str]:
    """Command lines of the living processes that have a mark in it, or their working directory below it."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                told = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                told += f" in {os.readlink(folder / 'cwd')}"
            except OSError:
                continue
            if any(mark in told for mark in marks):
                yield told


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return graded(tmp_path_factory.mktemp("notebooks"))


@pytest.fixture(scope="module")
def reports(run: Run) -> dict[str, str]:
    """All reports of the run, by their names."""
    return {name: content.decode() for name, content in render_all(run.cohort).items()}


def named(student: str, text: str) -> str:
    """A text of a case, in which `x.ipynb` stands for the notebook."""
    return text.replace("x.ipynb", f"{student}.ipynb")


def first_fault(results: tuple[CheckResult, ...]) -> CheckResult:
    return next(result for result in results if result.outcome is not Outcome.PASSED)


# -- each case ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("student", CASES)
def test_a_notebook_is_listed_under_the_assignments_it_is_for(run, student):
    status = Status.REJECTED if CASES[student].path == "rejected" else Status.GRADED

    assert sorted(run.grades(student)) == sorted(CASES[student].assignments)
    assert {grade.status for grade in run.grades(student).values()} == {status}


@pytest.mark.parametrize(("student", "assignment"), PAIRS)
def test_a_notebook_is_graded_the_way_its_case_names(run, student, assignment):
    case, attempt = CASES[student], run.attempt(student, assignment)

    assert attempt.loading is LOADING[case.path], attempt.loading_note
    assert named(student, case.notes) in attempt.loading_note
    assert (attempt.loading is Loading.EXECUTED) == (not attempt.loading_note)


@pytest.mark.parametrize(("student", "assignment"), PAIRS)
def test_the_cells_that_did_not_run_to_their_end_are_told(run, student, assignment):
    cells = {cell.cell: cell.outcome.value for cell in run.attempt(student, assignment).cells}

    assert cells == CASES[student].stopped


@pytest.mark.parametrize(("student", "assignment"), PAIRS)
def test_a_notebook_earns_what_its_class_is_worth(run, student, assignment):
    grade = run.grades(student)[assignment]
    lost = {check.spec.id: check.result.message for check in grade.checks if check.result.outcome != "passed"}
    match CASES[student].earns:
        case "all":
            assert lost == {}
            assert grade.points == grade.max_points > 0
        case "some":
            assert 0 < grade.points < grade.max_points
        case "none":
            assert grade.points == 0


@pytest.mark.parametrize(("student", "assignment"), PAIRS)
def test_a_mistake_is_named_where_there_is_one(run, student, assignment):
    found = run.attempt(student, assignment).findings

    assert [each.id for each in found[:1]] == [CASES[student].finding] * bool(CASES[student].finding)
    assert all(each.informative for each in found) == (CASES[student].earns == "all")


@pytest.mark.parametrize("student", [student for student in GRADED if CASES[student].where])
def test_a_mistake_is_shown_by_its_cell_and_the_line_in_it(run, student):
    cell, source = CASES[student].where
    [line] = [n for n, line in enumerate(CASES[student].sources[cell - 1].splitlines(), 1) if source in line]
    attempt = run.attempt(student)
    for where in (first_fault(attempt.results).where, attempt.findings[0].where):
        assert where is not None
        assert (where.file, where.cell, where.line) == (f"{student}.ipynb", cell, line)
        assert source in where.source


def test_a_forbidden_function_is_told_by_the_cell_it_is_called_in(run):
    [message] = [result.message for result in run.attempt("calls_the_library").results if result.message]

    assert "scaled_dot_product_attention" in message
    assert re.search(r"\bcell 3\b", message, re.IGNORECASE)


@pytest.mark.parametrize("student", [student for student in GRADED if CASES[student].repairs or CASES[student].warns])
def test_what_was_put_right_or_chosen_is_told(run, student):
    attempt = run.attempt(student)

    assert CASES[student].repairs in "; ".join(attempt.repairs)
    assert named(student, CASES[student].warns) in "; ".join(attempt.warnings)


@pytest.mark.parametrize("student", REJECTED)
def test_what_is_no_notebook_is_rejected_with_what_it_is_and_what_to_do(run, student):
    for grade in run.grades(student).values():
        assert f"{student}.ipynb: " in grade.reason
        assert CASES[student].notes in grade.reason
        assert re.search("hand |write |clear |unpack |download ", grade.reason)
        assert grade.attempt is None
        assert grade.points == 0


# -- forgotten imports -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("student", "supplied"),
    [
        ("forgot_an_import", ("import math",)),
        ("forgot_two_imports", ("import math", "import torch.nn.functional as F")),
    ],
)
def test_with_the_forgotten_imports_supplied_all_checks_pass(run, student, supplied):
    look = run.attempt(student).second_look

    assert look is not None
    assert look.supplied == supplied
    assert {result.outcome for result in look.results} == {Outcome.PASSED}
    assert look.findings == ()


@pytest.mark.parametrize("student", ["forgot_an_import", "forgot_two_imports"])
def test_points_are_those_without_the_forgotten_imports(run, student):
    grade = run.grades(student)["self-attention"]
    passed = {result.check for result in run.attempt(student).results if result.outcome is Outcome.PASSED}

    assert grade.points == sum(check.spec.points for check in grade.checks if check.spec.id in passed)
    assert len(passed) < len(grade.checks)


def test_nothing_is_looked_at_twice_where_no_import_is_forgotten(run):
    twice = {grade.student for grade in run.cohort.grades if grade.attempt and grade.attempt.second_look}

    assert twice == {"forgot_an_import", "forgot_two_imports"}


# -- what is kept of outputs -------------------------------------------------------------------------------------------


def test_a_notebook_for_two_assignments_is_run_once(run):
    first, second = (
        run.attempt("both_assignments", assignment) for assignment in CASES["both_assignments"].assignments
    )

    assert re.search(r"run [0-9a-f]{16}", first.output)
    assert first.output == second.output


def test_what_is_kept_of_ten_megabytes_is_bounded(run):
    assert 1000 < len(run.attempt("prints_10_megabytes").output) < 10_000


def test_what_cells_print_is_kept(run):
    assert "torch.Size([2, 5, 8])" in run.attempt("aa_correct").output
    assert "waited" in run.attempt("waits_at_the_top").output
    assert "left it" in run.attempt("leaves_a_process").output


def test_rich_outputs_stand_in_no_report(reports):
    assert any("shows_rich_outputs" in name for name in reports)
    assert [name for name, content in reports.items() if RICH in content] == []


@pytest.mark.parametrize("student", [student for student in GRADED if CASES[student].stopped])
def test_a_report_numbers_the_cells_that_did_not_run_to_their_end(reports, student):
    pages = [content for name, content in reports.items() if Path(name).stem == student]

    assert pages
    for page in pages:
        for cell in CASES[student].stopped:
            assert re.search(rf"\bcell {cell}\b", page, re.IGNORECASE)


def test_no_text_for_students_names_what_is_not_theirs(run):
    for student, assignment in PAIRS:
        attempt = run.attempt(student, assignment)
        told = [attempt.loading_note, *attempt.warnings, *attempt.repairs, *(cell.error for cell in attempt.cells)]
        for text in [*told, *(result.message for result in attempt.results)]:
            assert "Traceback (most recent call last)" not in text
            assert "ipykernel" not in text
            assert "site-packages" not in text
            assert "\x1b" not in text


# -- the run as a whole ------------------------------------------------------------------------------------------------


def test_every_notebook_of_the_run_is_accounted_for(run):
    assert {grade.student for grade in run.cohort.grades} == set(CASES)


def test_no_notebook_makes_the_grader_fail(run):
    failed = {
        (student, result.check): result.detail
        for student, assignment in PAIRS
        for result in run.attempt(student, assignment).results
        if result.outcome is Outcome.INTERNAL
    }

    assert failed == {}


def test_notebooks_are_not_changed_by_being_graded(run):
    assert len(run.before) == len(CASES) + sum(len(case.beside) for case in CASES.values())
    assert run.after == run.before


def test_no_process_outlives_the_run(run):
    assert run.processes == ()


def test_a_process_that_was_left_behind_would_have_been_found():
    sleeper = subprocess.Popen([f"{MARK}-control", "60"], executable="/bin/sleep")
    try:
        until = time.monotonic() + 10
        while not (found := tuple(processes(f"{MARK}-control"))) and time.monotonic() < until:
            time.sleep(0.01)  # a process has no command line in the moment it begins
    finally:
        sleeper.kill()
        sleeper.wait()

    assert len(found) == 1


WORTH_KNOWING = {
    "aa_correct": set(),
    "asks_for_input": {"input-requested"},
    "fails_below": {"notebook-cell-failed"},
    "ignores_interrupts": {"notebook-cell-failed"},
    "list_is_a_tensor": {"shadowed-builtin"},
    "trains_for_ever": {"notebook-timed-out"},
    "wrong_order": {"notebook-out-of-order"},
}
"""What is told of notebooks that are right all the same."""


@pytest.mark.parametrize("student", WORTH_KNOWING)
def test_how_a_notebook_ran_is_told_and_costs_nothing(run: Run, student: str) -> None:
    findings = run.attempt(student).findings

    assert {finding.id for finding in findings} == WORTH_KNOWING[student]
    assert all(finding.informative for finding in findings)
    assert run.grades(student)["self-attention"].points == 20.0


def test_no_file_is_left_in_the_temporary_folder(run):
    assert run.files_left == ()


def test_there_are_cases_of_every_path_and_correct_notebooks_at_both_ends():
    assert len(CASES) >= 30
    assert {case.path for case in CASES.values()} == {"executed", "partly", "rescued", "nothing", "rejected"}
    assert (min(CASES), max(CASES)) == ("aa_correct", "zz_correct")


# -- the table ---------------------------------------------------------------------------------------------------------


def table(run: Run) -> str:
    """All cases with what became of them, in Markdown."""
    rows = ["| notebook | what it is | path | points | what is told |", "| --- | --- | --- | --- | --- |"]
    for student, case in CASES.items():
        rows += [f"| `{student}` | {case.about} | {told(case, grade)} |" for grade in run.grades(student).values()]
    return "\n".join(dict.fromkeys(rows)) + "\n"


def told(case: Case, grade: Grade) -> str:
    attempt = grade.attempt
    if attempt is None:
        return f"{case.path} | none | {grade.reason}"
    cells = ", ".join(f"cell {cell.cell} {cell.outcome}" for cell in attempt.cells)
    found = ", ".join(f"`{finding.id}`" for finding in attempt.findings)
    notes = [found, cells, attempt.loading_note, *attempt.repairs, *attempt.warnings]
    what = "; ".join(note.replace("|", "\\|") for note in notes if note)
    path = next(word for word, loading in LOADING.items() if loading is attempt.loading)
    return f"{path} | {grade.points:g} / {grade.max_points:g} | {what}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        sys.stdout.write(table(graded(Path(folder))))
        sys.stderr.write(f"{time.monotonic() - started:.1f} s\n")
