"""An assignment from its beginning to what students get, with the real command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def begun(grade: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    done = grade("new", "cross-talk", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_what_grade_new_makes_is_proven_mutants_and_all(grade: Callable, begun: Path) -> None:
    done = grade("lint", "cross-talk", "--salts", "2", "--json", folder=begun)
    told = json.loads(done.stdout)
    [proof] = told["assignments"]

    assert done.returncode == 0, done.stdout
    assert told["format"] == "grader/lint/1"
    assert proof["clean"]
    assert proof["mutants"] > 40
    assert 0 < proof["equivalent"] < 10
    assert not any(aspect["skipped"] for aspect in proof["aspects"])


def test_a_check_that_forgets_the_scale_lets_mutants_survive_which_are_shown(grade: Callable, begun: Path) -> None:
    file = begun / "assignments" / "cross-talk" / "checks" / "test_attention.py"
    text = file.read_text()
    try:
        file.write_text(text.replace("    properties.scores_are_scaled(attention)\n", ""))
        done = grade("lint", "cross-talk", "--salts", "1", "--quiet", folder=begun)
    finally:
        file.write_text(text)

    assert done.returncode == 1
    assert "no check notices this. It differs in the output" in done.stdout
    assert "-        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])" in done.stdout
    assert "+        scores = q @ k.transpose(-2, -1) * math.sqrt(k.shape[-1])" in done.stdout
    assert "wrong/scale_missing.py passes test_computes_attention" in done.stdout


def test_a_reference_that_fails_its_own_checks_is_told_without_a_traceback(grade: Callable, begun: Path) -> None:
    file = begun / "solutions" / "cross-talk" / "reference.py"
    text = file.read_text()
    try:
        file.write_text(text.replace("dim=-1", "dim=-2"))
        done = grade("lint", "--quick", "--quiet", folder=begun)
    finally:
        file.write_text(text)

    assert done.returncode == 1
    assert "problem The reference earns full marks." in done.stdout
    assert "test_computes_attention failed on the reference solution" in done.stdout
    assert done.stderr == ""


def test_the_pack_of_what_grade_new_makes_is_written(grade: Callable, begun: Path, tmp_path: Path) -> None:
    done = grade("release", "cross-talk", "-o", tmp_path / "pack", folder=begun)

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("5 files; 1 hidden checks and the solution are in none of them.\n")
    assert not (tmp_path / "pack/assignments/cross-talk/checks/test_attention.py").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("new", "cross-talk"), "there is something at assignments/cross-talk already"),
        (("new", "Cross Talk"), "cannot be the name of an assignment"),
        (("new", "../up"), "cannot be the name of an assignment"),
        (("lint", "cross-walk"), "did you mean 'cross-talk'?"),
        (("release", "cross-walk", "-o", "pack"), "did you mean 'cross-talk'?"),
    ],
)
def test_what_cannot_be_done_is_said_with_exit_code_2(
    grade: Callable, begun: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = grade(*arguments, folder=begun)

    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
