"""A starter and a solved starter, graded with all checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grader import grading
from grader.assignments import load
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Grade, Outcome
from grader.release import build
from grader.release.notebook import notebook

ROOT = Path(__file__).parents[2]
IDS = ("self-attention", "multi-head-attention")


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Grade]:
    """Of each assignment: both starters, and the notebook with the solution in it."""
    out = tmp_path_factory.mktemp("graded")
    for id_ in IDS:
        assignment = load(ROOT / "assignments" / id_, solutions=ROOT / "solutions")
        solved = re.sub(r"^ *### .*\n", "", assignment.reference.read_text(), flags=re.MULTILINE)
        handed_in = {
            name.rpartition(".")[2]: content
            for name, content in build(assignment).files.items()
            if "/" not in name and name != "README.md"
        }
        folder = out / "class"
        folder.mkdir(exist_ok=True)
        (folder / f"{id_}-module.py").write_bytes(handed_in["py"])
        (folder / f"{id_}-notebook.ipynb").write_bytes(handed_in["ipynb"])
        (folder / f"{id_}-solved.ipynb").write_bytes(notebook(assignment, solved, install="attention-grader"))
    request = grading.Request(
        paths=(out / "class",),
        assignments=ROOT / "assignments",
        solutions=ROOT / "solutions",
        store=out / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
    )
    made = grading.run(request, Silent())
    return {(grade.assignment, grade.student.removeprefix(f"{grade.assignment}-")): grade for grade in made.grades}


@pytest.mark.parametrize("kind", ["module", "notebook"])
@pytest.mark.parametrize("id_", IDS)
def test_an_untouched_starter_earns_about_nothing_and_is_told_kindly(
    id_: str, kind: str, grades: dict[tuple[str, str], Grade]
) -> None:
    grade = grades[id_, kind]
    assert grade.attempt is not None
    told = [check.result.message for check in grade.checks if check.result.outcome is not Outcome.PASSED]

    assert grade.points <= 0.1 * grade.max_points
    assert {finding.id for finding in grade.attempt.findings} == {"not-implemented"}
    assert "is not written yet" in told[0]
    assert not any("Traceback" in message for message in told)
    assert all(check.result.outcome in (Outcome.ERRORED, Outcome.BLOCKED) for check in grade.checks)


@pytest.mark.parametrize("id_", IDS)
def test_a_notebook_with_the_solution_filled_in_earns_full_marks(
    id_: str, grades: dict[tuple[str, str], Grade]
) -> None:
    grade = grades[id_, "solved"]

    assert grade.points == grade.max_points
