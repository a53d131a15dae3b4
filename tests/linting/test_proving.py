"""What is proven, with an executor that gives verdicts by what stands in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from grader.assignments import load
from grader.cli.progress import Silent
from grader.errors import WarmProcessError
from grader.linting.proof import Proof
from grader.linting.proving import Task, prove
from grader.model import Assignment, Attempt, Certainty, CheckResult, Finding, Job, Outcome
from grader.release.scaffold import scaffold

Judge = Callable[[Job, str], dict[str, Outcome] | Outcome]
"""What a file deserves for each check, by name; one outcome means all of them."""

PUBLIC, HIDDEN = "test_output_shape", "test_computes_attention"


def fair(job: Job, source: str) -> dict[str, Outcome] | Outcome:
    """What the checks of the scaffold would say."""
    if "NotImplementedError" in source:
        return {PUBLIC: Outcome.ERRORED, HIDDEN: Outcome.BLOCKED}
    if "output =" in source:
        return {PUBLIC: Outcome.ERRORED, HIDDEN: Outcome.BLOCKED}
    return {HIDDEN: Outcome.FAILED} if "sqrt" not in source else Outcome.PASSED


FINDINGS = {
    "NotImplementedError": "not-implemented",
    "output =": "returns-none",
    "scores = q @ k.transpose(-2, -1)\n": "scale-missing",
}


class Fake:
    """An executor that judges."""

    def __init__(self, judge: Judge, findings: dict[str, str]) -> None:
        self._judge, self._findings = judge, findings

    def run(self, jobs: Iterable[Job], *, on_start: Callable[[Job], None]) -> Iterator[Attempt]:
        for job in jobs:
            source = job.submission.files[0].content.decode()
            outcomes = self._judge(job, source)
            yield Attempt(
                key=job.key,
                student=job.submission.student,
                assignment=job.assignment.id,
                results=tuple(
                    CheckResult(
                        check=spec.id,
                        outcome=outcomes
                        if isinstance(outcomes, Outcome)
                        else outcomes.get(spec.id.partition("::")[2], Outcome.PASSED),
                    )
                    for spec in job.assignment.checks
                ),
                findings=tuple(
                    Finding(id=name, certainty=Certainty.OBSERVED, title=name)
                    for text, name in self._findings.items()
                    if text in source
                ),
                seconds=0.5,
            )


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    for path, text in scaffold("example").items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return loaded(tmp_path)


def loaded(root: Path) -> Assignment:
    return load(root / "assignments" / "example", solutions=root / "solutions")


def proof(assignment: Assignment, judge: Judge = fair, *, findings: dict[str, str] = FINDINGS, salts: int = 1) -> Proof:
    task = Task(assignment=assignment, executor=lambda _: Fake(judge, findings), salts=salts, mutate=False)
    return prove(task, Silent())


def problems(proof: Proof) -> dict[str, tuple[str, ...]]:
    return {aspect.id: aspect.problems for aspect in proof.aspects if aspect.problems}


def test_a_proven_assignment_has_no_problem(assignment: Assignment) -> None:
    made = proof(assignment, salts=3)

    assert problems(made) == {}
    assert made.clean
    assert [aspect.id for aspect in made.aspects if aspect.skipped] == ["mutants"]


def test_points_that_are_no_whole_or_not_those_of_the_handout_are_told(tmp_path: Path, assignment: Assignment) -> None:
    file = assignment.folder / "checks" / "test_output.py"
    file.write_text(file.read_text().replace("points=4", "points=4.5"))
    told = problems(proof(loaded(tmp_path)))["points"]

    assert len(told) == 2
    assert "no whole number" in told[0]
    assert "the handout promises 10 points in total; the checks are worth 10.5" in told[1]


def test_a_reference_that_loses_points_is_told(assignment: Assignment) -> None:
    def judge(job: Job, source: str) -> dict[str, Outcome] | Outcome:
        return {HIDDEN: Outcome.FAILED} if job.submission.student == "reference.py" else fair(job, source)

    assert problems(proof(assignment, judge))["reference"] == (
        "the reference earns 4 of 10; it fails test_computes_attention",
    )


def test_checks_that_do_not_pass_on_the_reference_at_all_are_told(assignment: Assignment) -> None:
    def refuse(_: tuple[Assignment, ...]) -> Fake:
        raise WarmProcessError("example: test_output.py::test_output_shape failed", room="examiner")

    made = prove(Task(assignment=assignment, executor=refuse, salts=1, mutate=False), Silent())

    assert problems(made) == {"reference": ("example: test_output.py::test_output_shape failed",)}


def test_a_starter_that_earns_points_or_is_told_something_else_is_told(assignment: Assignment) -> None:
    def judge(job: Job, source: str) -> dict[str, Outcome] | Outcome:
        return {HIDDEN: Outcome.FAILED} if job.submission.student == "starter.py" else fair(job, source)

    told = problems(proof(assignment, judge, findings={}))["starter"]

    assert "the untouched starter earns 4 of 10" in told[0]
    assert "told nothing instead of not-implemented" in told[1]
    assert told[2].startswith("the starter is told by test_computes_attention")


def test_a_reference_without_marks_has_no_starter(tmp_path: Path, assignment: Assignment) -> None:
    text = assignment.reference.read_text().replace("### BEGIN SOLUTION", "#").replace("### END SOLUTION", "#")
    assignment.reference.write_text(text)

    assert "its starter would be the solution" in problems(proof(loaded(tmp_path)))["starter"][0]


def test_an_accepted_solution_that_loses_points_is_told(assignment: Assignment) -> None:
    def judge(job: Job, source: str) -> dict[str, Outcome] | Outcome:
        return {PUBLIC: Outcome.FAILED} if "einsum" in source else fair(job, source)

    told = problems(proof(assignment, judge))["accepted"]

    assert told == ("accepted/einsum.py earns 6 of 10; it fails test_output_shape",)


def test_a_wrong_solution_that_fails_other_checks_or_is_told_another_mistake_is_told(assignment: Assignment) -> None:
    def judge(job: Job, source: str) -> dict[str, Outcome] | Outcome:
        return {PUBLIC: Outcome.FAILED} if "sqrt" not in source else fair(job, source)

    findings = {**FINDINGS, "scores = q @ k.transpose(-2, -1)\n": "mask-ignored"}
    told = problems(proof(assignment, judge, findings=findings))["wrong"]

    assert told == (
        "wrong/scale_missing.py passes test_computes_attention and fails test_output_shape besides",
        "wrong/scale_missing.py is told mask-ignored; its mistake is scale-missing",
    )


def test_a_wrong_solution_that_is_told_nothing_is_no_problem(assignment: Assignment) -> None:
    findings = {"NotImplementedError": "not-implemented"}

    assert problems(proof(assignment, findings=findings)) == {}


def test_a_wrong_solution_without_a_header_is_told(tmp_path: Path, assignment: Assignment) -> None:
    file = assignment.reference.parent / "wrong" / "scale_missing.py"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if not line.startswith("# f")))
    told = problems(proof(assignment))["wrong"]

    assert "write a line `# fails: test_computes_attention`" in told[0]
    assert "write a line `# finding: scale-missing`" in told[1]


def test_a_check_that_nothing_wrong_fails_is_told(assignment: Assignment) -> None:
    (assignment.reference.parent / "wrong" / "scale_missing.py").unlink()

    assert problems(proof(assignment)) == {"witnesses": ("nothing that is wrong fails test_computes_attention",)}


def test_a_budget_that_hardly_fits_is_told(tmp_path: Path, assignment: Assignment) -> None:
    file = assignment.folder / "assignment.toml"
    file.write_text(file.read_text().replace("seconds = 60 ", "seconds = 0.9 "))

    assert "took 0.5 s here, of the 0.9 s that it has" in problems(proof(loaded(tmp_path)))["budget"][0]


def test_a_check_that_depends_on_the_order_is_told(tmp_path: Path, assignment: Assignment) -> None:
    file = assignment.folder / "checks" / "test_attention.py"
    file.write_text(file.read_text().replace(', after="test_output_shape"', ""))

    def judge(job: Job, source: str) -> dict[str, Outcome] | Outcome:
        first = job.assignment.checks[0].id
        lasting = {HIDDEN: Outcome.FAILED} if first.endswith(PUBLIC) else Outcome.PASSED
        return lasting if "einsum" in source else fair(job, source)

    told = problems(proof(loaded(tmp_path), judge, salts=2))

    assert "accepted/einsum.py, reversed: another verdict of test_computes_attention" in told["order"]
    assert "salts" not in told


def test_checks_come_behind_those_they_need_in_every_order(assignment: Assignment) -> None:
    seen: dict[str, list[str]] = {}

    def judge(job: Job, source: str) -> dict[str, Outcome] | Outcome:
        seen[job.assignment.id] = [spec.id.partition("::")[2] for spec in job.assignment.checks]
        return fair(job, source)

    proof(assignment, judge, salts=2)

    assert set(seen) == {"example", "example--reversed", "example--shuffled"}
    assert all(names == [PUBLIC, HIDDEN] for names in seen.values())


def test_a_verdict_that_depends_on_the_salt_is_told(assignment: Assignment) -> None:
    seeds: list[str] = []

    def judge(job: Job, source: str) -> dict[str, Outcome] | Outcome:
        if job.submission.student == "accepted/einsum.py" and job.assignment.id == "example":
            seeds.append(job.seed)
            return {HIDDEN: Outcome.FAILED} if len(seeds) == 3 else Outcome.PASSED
        return fair(job, source)

    told = problems(proof(assignment, judge, salts=4))

    assert told == {"salts": ("accepted/einsum.py, salt 3: another verdict of test_computes_attention",)}
    assert len(set(seeds)) == 4


def test_a_fault_of_the_grader_is_told_wherever_it_happens(assignment: Assignment) -> None:
    def judge(job: Job, source: str) -> dict[str, Outcome] | Outcome:
        return Outcome.INTERNAL if "einsum" in source else fair(job, source)

    assert any("accepted/einsum.py" in line for line in problems(proof(assignment, judge))["accepted"])
