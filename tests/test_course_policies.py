"""What a course may ask for or forgive beyond the two core assignments: running top to bottom, forgotten imports."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Grade, Loading, Outcome

ROOT = Path(__file__).parent.parent
CORRECT = (ROOT / "solutions" / "self-attention" / "accepted" / "no_bias.py").read_text()
CHECK = '''"""Running it as it stands."""

from grader.checks import check, properties


@check(points=2, concept="running")
def test_it_runs_from_top_to_bottom(loaded):
    """All of it runs from top to bottom."""
    properties.runs_top_to_bottom(loaded)
'''


def notebook(*cells: str) -> str:
    written = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return nbformat.writes(written)


HANDED_IN = {
    "clean.ipynb": notebook(CORRECT, "print('done')"),
    "clean_module.py": CORRECT,
    "demo_fails.ipynb": notebook(CORRECT, "1 / 0"),
    "demo_fails_module.py": f"{CORRECT}\n1 / 0\n",
    "rescued.ipynb": notebook(f"open('nowhere.txt')\n{CORRECT}"),
    "import_forgotten.py": CORRECT.replace("import math\n", ""),
    "import_forgotten_and_wrong.py": CORRECT.replace("import math\n", "").replace("dim=-1", "dim=-2"),
}


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Grade]:
    folder = tmp_path_factory.mktemp("course")
    assignment = folder / "assignments" / "self-attention"
    shutil.copytree(ROOT / "assignments" / "self-attention", assignment)
    settings = (assignment / "assignment.toml").read_text()
    (assignment / "assignment.toml").write_text(settings.replace('"inform"', '"forgive"'))
    (assignment / "checks" / "test_running.py").write_text(CHECK)
    (folder / "submissions").mkdir()
    for name, text in HANDED_IN.items():
        (folder / "submissions" / name).write_text(text)
    request = grading.Request(
        paths=(folder / "submissions",),
        assignments=folder / "assignments",
        solutions=ROOT / "solutions",
        store=folder / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
    )
    return {grade.student: grade for grade in grading.run(request, Silent()).grades}


def running(grade: Grade) -> Outcome:
    return next(check.result.outcome for check in grade.checks if check.spec.concept == "running")


def mathematics(grade: Grade) -> float:
    return sum(check.points for check in grade.checks if check.spec.concept != "running")


@pytest.mark.parametrize(
    ("student", "loading", "outcome"),
    [
        ("clean", Loading.EXECUTED, Outcome.PASSED),
        ("clean_module", Loading.EXECUTED, Outcome.PASSED),
        ("demo_fails", Loading.PARTLY, Outcome.FAILED),
        ("demo_fails_module", Loading.DEFINITIONS, Outcome.FAILED),
        ("rescued", Loading.DEFINITIONS, Outcome.FAILED),
    ],
)
def test_a_course_can_ask_for_code_that_runs_top_to_bottom(grades, student, loading, outcome):
    grade = grades[student]

    assert grade.attempt.loading is loading
    assert running(grade) is outcome
    assert mathematics(grade) == 20


def test_what_does_not_run_is_told_with_the_reason(grades):
    messages = [check.result.message for check in grades["demo_fails"].checks if check.spec.concept == "running"]

    assert messages == [
        "It does not run from top to bottom: cell 2 raised ZeroDivisionError: division by zero.",
    ]


def test_a_course_can_forgive_a_forgotten_import(grades):
    grade = grades["import_forgotten"]

    assert grade.points == grade.max_points
    assert grade.attempt.second_look.supplied == ("import math",)
    assert [finding.id for finding in grade.attempt.findings] == ["import-missing"]


def test_a_forgiven_import_forgives_nothing_else(grades):
    grade = grades["import_forgotten_and_wrong"]

    assert 0 < grade.points < grade.max_points
    assert [finding.id for finding in grade.attempt.second_look.findings] == ["softmax-dim-query"]
