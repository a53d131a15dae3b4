"""A notebook earns what the same code earns as a module.

Every accepted and wrong solution, and the references, are examined twice with the same random inputs: as they are, and
cut into cells, one for each top-level statement.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grader.assignments import load_all
from grader.executors.local import LocalExecutor
from grader.matching import match
from grader.model import Assignment, Attempt, Job, Loading
from grader.policy import forbidden_uses
from grader.submissions import find

from .writing import cut, write_as_notebook

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

ROOT = Path(__file__).resolve().parents[2]
SEED = "5eed5eed" * 8
SUBMISSIONS = {
    (file.relative_to(ROOT / "solutions").parts[0], file.stem): file
    for file in sorted((ROOT / "solutions").rglob("*.py"))
}
"""What is examined, by assignment and student."""

Examined = dict[tuple[str, str], Attempt]


@dataclass(frozen=True)
class Runs:
    """All attempts, twice."""

    modules: Examined
    notebooks: Examined


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    root = tmp_path_factory.mktemp("same")
    for (assignment, student), file in SUBMISSIONS.items():
        for kind in ("modules", "notebooks"):
            (root / kind / assignment).mkdir(parents=True, exist_ok=True)
        (root / "modules" / assignment / f"{student}.py").write_bytes(file.read_bytes())
        write_as_notebook(file, root / "notebooks" / assignment / f"{student}.ipynb")
    assignments = load_all(ROOT / "assignments", solutions=ROOT / "solutions")
    return Runs(
        modules=examined(root / "modules", assignments),
        notebooks=examined(root / "notebooks", assignments),
    )


def examined(folder: Path, assignments: tuple[Assignment, ...]) -> Examined:
    """The attempts of all submissions in the folders called like the assignments, made in one run."""
    work = [job for assignment in assignments for job in jobs(folder / assignment.id, assignment)]
    attempts = LocalExecutor(assignments, jobs=2).run(work, on_start=lambda job: None)
    return {(attempt.assignment, attempt.student): attempt for attempt in attempts}


def jobs(folder: Path, assignment: Assignment) -> Iterator[Job]:
    """What is to be done for the submissions of a folder; all have the same seed."""
    for submission in find((folder,)):
        [(_, chosen)] = match(submission, (assignment,), explicit=True).matched
        yield Job(
            key=submission.digest,
            seed=SEED,
            submission=submission,
            assignment=assignment,
            match=chosen,
            policy_hits=forbidden_uses(submission, chosen, assignment.policy),
        )


def outcomes(attempt: Attempt) -> dict[str, str]:
    return {result.check.partition("::")[2]: result.outcome.value for result in attempt.results}


def findings(attempt: Attempt) -> list[tuple[str, str]]:
    return [(finding.id, finding.certainty.value) for finding in attempt.findings]


def name_of(case: tuple[str, str]) -> str:
    return "-".join(case)


def test_there_are_many_solutions_to_compare():
    assert len(SUBMISSIONS) > 200


def test_cutting_a_module_into_cells_keeps_all_of_its_text():
    for file in SUBMISSIONS.values():
        source = file.read_bytes().decode("utf-8-sig")

        assert "".join(cut(source)) == source


def test_most_solutions_are_cut_into_several_cells():
    several = [file for file in SUBMISSIONS.values() if len(cut(file.read_bytes().decode("utf-8-sig"))) > 2]

    assert len(several) > 0.9 * len(SUBMISSIONS)


@pytest.mark.parametrize("case", SUBMISSIONS, ids=name_of)
def test_every_check_has_the_same_outcome_in_a_notebook_as_in_a_module(case: tuple[str, str], runs: Runs) -> None:
    assert outcomes(runs.notebooks[case]) == outcomes(runs.modules[case])


@pytest.mark.parametrize("case", SUBMISSIONS, ids=name_of)
def test_the_same_mistakes_are_named_in_a_notebook_as_in_a_module(case: tuple[str, str], runs: Runs) -> None:
    assert findings(runs.notebooks[case]) == findings(runs.modules[case])


def test_the_cells_of_a_notebook_run_to_their_end_where_the_module_does(runs):
    other = {
        name_of(case): (attempt.loading.value, attempt.loading_note)
        for case, attempt in runs.notebooks.items()
        if (attempt.loading is Loading.EXECUTED) != (runs.modules[case].loading is Loading.EXECUTED)
    }

    assert other == {}
