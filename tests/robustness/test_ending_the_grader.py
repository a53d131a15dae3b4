"""A submission that ends the processes it was forked from ends only itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Grade

ROOT = Path(__file__).parent.parent.parent
HONEST = (ROOT / "solutions" / "self-attention" / "reference.py").read_text(encoding="utf-8")
KILLER = f"import os\nimport signal\n\nos.kill(os.getppid(), signal.SIGKILL)\n\n{HONEST}"


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Grade]:
    folder = tmp_path_factory.mktemp("enders")
    for number in range(6):
        source = KILLER if number in (1, 2) else HONEST
        (folder / f"student{number}.py").write_text(f"{source}\n# {number}\n", encoding="utf-8")
    request = grading.Request(
        paths=(folder,),
        assignments=ROOT / "assignments",
        solutions=ROOT / "solutions",
        store=folder.parent / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
        only_assignments=("self-attention",),
    )
    return {grade.student: grade for grade in grading.run(request, Silent()).grades}


@pytest.mark.parametrize("student", ["student0", "student3", "student4", "student5"])
def test_everybody_else_keeps_full_marks(student: str, grades: dict[str, Grade]) -> None:
    assert grades[student].points == grades[student].max_points


@pytest.mark.parametrize("student", ["student1", "student2"])
def test_who_ends_the_grader_is_told_so_and_earns_nothing(student: str, grades: dict[str, Grade]) -> None:
    outcomes = {check.result.outcome for check in grades[student].checks}

    assert outcomes == {"killed"}
    assert grades[student].points == 0
    assert "own process is ended" in grades[student].checks[0].result.message
