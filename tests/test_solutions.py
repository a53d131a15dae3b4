"""Every accepted solution earns full marks; every wrong one fails the checks its header names, and no other.

The header of a wrong solution reads

    # finding: scale-missing
    # fails: test_scores_are_scaled

Checks that are blocked behind a failed one are not listed: they are echoes. What a file names as its finding must be
among what the grader claims, where the grader claims anything; it may claim nothing, but it may not claim something
else.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Grade, Outcome

ROOT = Path(__file__).parent.parent
ASSIGNMENTS = ("self-attention", "multi-head-attention")
UNIMPAIRED = {Outcome.PASSED, Outcome.BLOCKED}
GENERAL = {"shape-error", "parameters-unregistered", "unbatched-only", "not-repeatable"}
"""Findings that are true of more than one mistake."""
WORTH_KNOWING = {
    *("class-renamed", "argument-renamed", "argument-order", "returns-tuple", "softmax-dim-implicit"),
    "python-loop-over-tokens",
}
"""What an accepted solution may be told."""
EXPLAINED = {
    *("syntax-error", "import-missing", "name-undefined", "super-init-missing", "not-implemented", "returns-none"),
    *("sqrt-of-int", "float-head-dim", "view-noncontiguous", "numpy-in-forward", "inplace-after-softmax"),
    *("heads-full-width", "head-linear-fed-full-width", "full-linear-fed-head", "loop-overwrites-input"),
    *("output-projection-wrong-size", "heads-concatenated-wrong-dim", "keys-not-transposed", "transpose-T-on-3d"),
    *("transpose-wrong-axes", "mask-no-head-axis", "mask-dtype-rejected", "hard-coded-size", "unbatched-only"),
}
"""Findings that an exception or a shape tells, so that there is no doubt about them."""


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
def test_wrong_solution_is_given_its_own_name_or_none(case: tuple[str, Path], grade) -> None:
    assignment, file = case
    attempt = grade(assignment, "wrong")[file.stem].attempt
    assert attempt is not None
    claimed = {finding.id for finding in attempt.findings}

    assert claimed <= header(file, "finding") | GENERAL or claimed & header(file, "finding")


@pytest.mark.parametrize(
    "case", [case for case in files("wrong") if header(case[1], "finding") <= EXPLAINED], ids=name_of
)
def test_wrong_solution_that_raises_or_gives_another_shape_is_given_exactly_its_name(
    case: tuple[str, Path], grade
) -> None:
    assignment, file = case
    attempt = grade(assignment, "wrong")[file.stem].attempt
    assert attempt is not None

    assert {finding.id for finding in attempt.findings if not finding.informative} == header(file, "finding")


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
