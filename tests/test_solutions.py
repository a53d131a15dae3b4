"""Every accepted solution earns full marks; every wrong one fails the checks its header names, and no other.

The header of a wrong solution reads

    # finding: scale-missing
    # fails: test_scores_are_scaled

Checks that are blocked behind a failed one are not listed: they are echoes. What a file names as its finding is what
the grader claims, and nothing else is: only what is worth knowing of correct code, too, may stand beside it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Certainty, Grade, Outcome

ROOT = Path(__file__).parent.parent
ASSIGNMENTS = ("self-attention", "multi-head-attention")
UNIMPAIRED = {Outcome.PASSED, Outcome.BLOCKED}
WORTH_KNOWING = {
    *("class-renamed", "argument-renamed", "argument-order", "returns-tuple", "softmax-dim-implicit"),
    "python-loop-over-tokens",
}
"""What an accepted solution may be told."""


def files(kind: str) -> list[tuple[str, Path]]:
    return [(name, file) for name in ASSIGNMENTS for file in sorted((ROOT / "solutions" / name / kind).glob("*.py"))]


def header(file: Path, key: str) -> set[str]:
    found = re.search(rf"^# {key}: (.+)$", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    assert found, f"{file.name} does not say what it {key}"
    return {word.strip() for word in found[1].split(",")}


@pytest.fixture(scope="module")
def grade(tmp_path_factory: pytest.TempPathFactory):
    """Grades of a whole folder of solutions, each file a student; made once per folder."""
    out = tmp_path_factory.mktemp("solutions")

    @cache
    def grades(assignment: str, kind: str) -> dict[str, Grade]:
        request = grading.Request(
            paths=(ROOT / "solutions" / assignment / kind,),
            assignments=ROOT / "assignments",
            solutions=ROOT / "solutions",
            store=out / "attempts.sqlite",
            executor=lambda wanted: LocalExecutor(wanted, jobs=2),
            only_assignments=(assignment,),
        )
        return {grade.student: grade for grade in grading.run(request, Silent()).grades}

    return grades


def name_of(case: tuple[str, Path]) -> str:
    return f"{case[0]}-{case[1].stem}"


@pytest.mark.parametrize("case", files("accepted"), ids=name_of)
def test_accepted_solution_earns_full_marks_and_is_told_at_most_what_is_worth_knowing(
    case: tuple[str, Path], grade
) -> None:
    assignment, file = case
    graded = grade(assignment, "accepted")[file.stem]
    lost = {check.spec.id: check.result.message for check in graded.checks if check.result.outcome != "passed"}

    assert lost == {}
    assert graded.points == graded.max_points
    assert graded.attempt is not None
    told = {finding.id for finding in graded.attempt.findings}
    assert [finding.id for finding in graded.attempt.findings if not finding.informative] == []
    assert told <= WORTH_KNOWING
    assert ("python-loop-over-tokens" in told) == (file.stem == "loop_over_queries")


@pytest.mark.parametrize("case", files("wrong"), ids=name_of)
def test_wrong_solution_fails_the_checks_it_names_and_no_other(case: tuple[str, Path], grade) -> None:
    assignment, file = case
    graded = grade(assignment, "wrong")[file.stem]
    failed = {check.spec.id.partition("::")[2] for check in graded.checks if check.result.outcome not in UNIMPAIRED}

    assert failed == header(file, "fails")
    assert graded.points < graded.max_points


@pytest.mark.parametrize("case", files("wrong"), ids=name_of)
def test_wrong_solution_is_given_exactly_its_name(case: tuple[str, Path], grade) -> None:
    assignment, file = case
    attempt = grade(assignment, "wrong")[file.stem].attempt
    assert attempt is not None

    assert {finding.id for finding in attempt.findings if not finding.informative} == header(file, "finding")
    assert attempt.unexplained == ""
    assert "diagnosis-failed" not in {flag.id for flag in attempt.flags}


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_many_names_are_proven_and_are_seen_in_a_picture_of_the_attention_weights(assignment: str, grade) -> None:
    attempts = [each.attempt for each in grade(assignment, "wrong").values() if each.attempt is not None]
    proven = [each for each in attempts if any(found.certainty is Certainty.PROVEN for found in each.findings)]
    pictured = [each for each in attempts if each.pictures]

    assert len(proven) >= 0.4 * len(attempts)
    assert len(pictured) >= 0.25 * len(attempts)


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_every_check_but_the_first_is_failed_by_some_wrong_solution(assignment: str, grade) -> None:
    graded = grade(assignment, "wrong").values()
    failed = {check.spec.id for each in graded for check in each.checks if check.result.outcome not in UNIMPAIRED}
    declared = {check.spec.id for each in graded for check in each.checks}

    assert declared - failed == set()


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_there_are_enough_solutions_of_both_kinds(assignment: str) -> None:
    assert len([file for name, file in files("accepted") if name == assignment]) >= 12
    assert len([file for name, file in files("wrong") if name == assignment]) >= 15
