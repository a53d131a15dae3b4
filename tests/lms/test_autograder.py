"""The zip, and what it does where Gradescope puts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .conftest import ROOT, Container

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

CORRECT = (ROOT / "solutions" / "self-attention" / "accepted" / "no_bias.py").read_text()
WRONG = (ROOT / "solutions" / "self-attention" / "wrong" / "scale_missing.py").read_text()
ADA = b'{"users": [{"name": "Ada"}], "assignment": {"total_points": "100.0"}}'


# -- the zip -----------------------------------------------------------------------------------------------------------


def names(packed: Path) -> set[str]:
    with zipfile.ZipFile(packed) as archive:
        return set(archive.namelist())


def test_the_zip_holds_what_it_must_at_its_top(packed: Path) -> None:
    assert names(packed) >= {
        "setup.sh",
        "run_autograder",
        "requirements.txt",
        "constraints.txt",
        "autograder.json",
        "grader/__main__.py",
        "grader/reports/templates/student.md",
        "assignments/self-attention/assignment.toml",
        "assignments/self-attention/checks/test_masking.py",
        "solutions/self-attention/reference.py",
    }


def test_the_zip_holds_nothing_that_is_not_named(packed: Path) -> None:
    allowed = re.compile(
        r"setup\.sh|run_autograder|requirements\.txt|constraints\.txt|autograder\.json"
        r"|grader/[\w/-]+\.(py|html|md|txt|css|js|toml|sh)|grader/lms/gradescope_files/run_autograder"
        r"|assignments/self-attention/(assignment\.toml|checks/test_\w+\.py)|solutions/self-attention/reference\.py"
    )

    assert not [name for name in names(packed) if not allowed.fullmatch(name)]


def test_both_scripts_can_be_executed(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        for name in ("setup.sh", "run_autograder"):
            assert archive.getinfo(name).external_attr >> 16 & 0o111 == 0o111
            assert archive.read(name).startswith(b"#!/usr/bin/env bash\n")


def build(folder: Path, *options: str) -> bytes:
    command = [sys.executable, "-m", "grader", "build", "gradescope", "self-attention", "-o", "again.zip", *options]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (folder / "again.zip").read_bytes()


def test_the_same_files_give_the_same_bytes_whatever_else_lies_about(packed: Path) -> None:
    checks = packed.parent / "assignments" / "self-attention" / "checks"
    (checks / "__pycache__").mkdir(exist_ok=True)
    for stray in (checks / "__pycache__" / "test_masking.pyc", checks / "notes.txt", checks / ".test_masking.py.swp"):
        stray.write_text("stray")
    (packed.parent / "assignments" / "self-attention" / "grades.csv").write_text("ada,20")
    os.utime(checks / "test_masking.py")

    assert build(packed.parent) == packed.read_bytes()
    assert build(packed.parent, "--hidden-checks", "after_published") != packed.read_bytes()


def test_versions_are_pinned_for_all_that_is_needed_and_for_no_tool_of_development(packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        pinned = dict(line.split("==") for line in archive.read("constraints.txt").decode().split())
        needed = archive.read("requirements.txt").decode()

    assert {"torch", "pytest", "numpy", "jupyter-client", "pluggy"} <= pinned.keys()
    assert not {"ruff", "mypy", "attention-grader"} & pinned.keys()
    assert "+" not in pinned["torch"], "a build's tag is not there for every index"
    assert "torch>=2.6" in needed
    assert "extra" not in needed


SETUP_STUB = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in *"-m venv"*) mkdir -p "${@: -1}/bin"; cp "$0" "${@: -1}/bin/python";; esac
"""


@pytest.mark.parametrize(("offered", "taken"), [("python3.13", "python3.13"), ("apt-get", "python3.12")])
def test_setup_finds_or_installs_a_python_and_installs_what_is_pinned(
    container: Container, tmp_path: Path, offered: str, taken: str
) -> None:
    """With stand-ins for Python and apt-get that note how they were called: nothing is downloaded in a test."""
    stub = SETUP_STUB
    if offered == "apt-get":
        stub += 'case "$*" in install*) cp "$0" "$(dirname "$0")/python3.12";; esac\n'
        (tmp_path / "python3").write_text("#!/usr/bin/env bash\nexit 1\n")
        (tmp_path / "python3").chmod(0o755)
    (tmp_path / offered).write_text(stub)
    (tmp_path / offered).chmod(0o755)
    for tool in ("bash", "basename", "dirname", "env", "mkdir", "cp"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    root = tmp_path / "root"
    root.mkdir()
    calls = tmp_path / "calls"
    environment = {"PATH": str(tmp_path), "AUTOGRADER_ROOT": str(root), "CALLS": str(calls)}
    script = container.root / "source" / "setup.sh"
    done = subprocess.run(["/usr/bin/bash", str(script)], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    made, installed = calls.read_text().splitlines()[-2:]
    assert made == f"{taken} -m venv {root}/venv"
    assert installed.startswith("python -m pip install")
    assert installed.endswith(f"-c {root}/source/constraints.txt -r {root}/source/requirements.txt")


# -- what it does there ------------------------------------------------------------------------------------------------


def test_a_correct_submission_gets_all_points_from_the_grader_in_the_zip(container: Container) -> None:
    ran = container.grade({"attention.py": CORRECT}, ADA)

    assert ran.code == 0, ran.printed
    assert ran.points == 100
    assert {test["status"] for test in ran.results["tests"]} == {"passed"}
    assert "`Ada`: **20 of 20 points**" in ran.results["output"]
    assert "points: 20, stretched to the 100" in ran.printed
    assert ran.results["execution_time"] > 0


def test_it_is_the_grader_of_the_zip_that_runs(container: Container) -> None:
    python = container.root / "venv" / "bin" / "python"
    code = "import grader; print(grader.__file__)"
    found = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True, check=True, cwd="/").stdout

    assert found.strip() == str(container.root / "source" / "grader" / "__init__.py")


def test_a_mistake_is_named_and_costs_its_checks(container: Container) -> None:
    ran = container.grade({"attention.py": WRONG, "readme.txt": "hello"})

    assert ran.code == 0, ran.printed
    assert ran.points == 18
    assert "Scores not scaled" in ran.results["output"]


@pytest.mark.parametrize("metadata", [b"", None])
def test_metadata_that_say_nothing_change_nothing(container: Container, metadata: bytes | None) -> None:
    ran = container.grade({"essay.txt": "attention"}, metadata)

    assert ran.code == 0, ran.printed
    assert sum(test["max_score"] for test in ran.results["tests"]) == 20
    assert "your submission" in ran.results["output"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "the folder is empty"),
        ({"attention.py": "x = 1\n"}, "SelfAttention"),
    ],
)
def test_where_there_is_nothing_to_grade_every_test_says_why(
    container: Container, files: dict[str, str], reason: str
) -> None:
    ran = container.grade(files)

    assert ran.code == 0, ran.printed
    assert ran.points == 0
    assert sum(test["max_score"] for test in ran.results["tests"]) == 20
    assert all(reason in test["output"] for test in ran.results["tests"])


TOO_LONG = re.compile(r"It was not done after \d+ seconds")
"""2, stretched by what the machine kept it waiting."""
ENDLESS = CORRECT + "\n\ndef wait(*_, **__):\n    while True:\n        pass\n"


def test_an_endless_loop_costs_what_it_holds_up_and_no_more(container: Container) -> None:
    ran = container.grade({"attention.py": ENDLESS + "\n\nSelfAttention.forward = wait\n"})
    statuses = {test["number"]: test["status"] for test in ran.results["tests"]}

    assert ran.code == 0, ran.printed
    assert 0 < ran.points < 5
    assert statuses["1.1"] == "passed", "it can be built"
    assert [t for t in ran.results["tests"] if TOO_LONG.search(t["output"])]


@pytest.mark.parametrize("place", ["at import", "in forward"])
def test_a_process_that_ends_itself_still_has_results(container: Container, place: str) -> None:
    leaving = "import os\n\n\ndef leave(*_, **__):\n    os._exit(0)\n\n\n"
    leaving += "leave()\n" if place == "at import" else "SelfAttention.forward = leave\n"
    ran = container.grade({"attention.py": f"{CORRECT}\n\n{leaving}"})

    assert ran.code == 0, ran.printed
    assert len(ran.results["tests"]) == 29
    if place == "in forward":
        assert ran.points < 5
    else:
        assert "top-level code did not run to its end" in ran.results["output"]


FORGERY = """
import json, os, pathlib, sys

FORGED = json.dumps({{"score": 100, "tests": [], "output": "FORGED"}})
for folder in ({root!r}, "/autograder"):
    for target in (folder + "/results/results.json", folder + "/results/stdout", folder + "/run_autograder"):
        try:
            pathlib.Path(target).parent.mkdir(parents=True, exist_ok=True)
            pathlib.Path(target).write_text(FORGED)
        except OSError:
            pass
try:
    secrets = [path.read_text() for path in pathlib.Path({root!r}, "source").rglob("reference.py")]
except OSError:
    secrets = []
print("FOUND", len(secrets), FORGED, "::error::FORGED")
"""


def test_results_that_a_student_writes_are_not_there(container: Container) -> None:
    forging = FORGERY.format(root=str(container.root))
    before = (container.root / "run_autograder").read_bytes()
    ran = container.grade({"attention.py": WRONG + forging, "results.json": '{"score": 100}'}, b"")

    assert ran.code == 0, ran.printed
    assert ran.points == 18
    assert "score" not in ran.results
    assert "FOUND 0" in ran.results["output"], "the attack was carried out, and found no solution"
    assert "FORGED" not in ran.printed, "what a student prints is not in the log of the container"
    assert (container.root / "run_autograder").read_bytes() == before
    assert sorted(path.name for path in (container.root / "results").iterdir()) == ["results.json"]


def test_a_link_where_the_results_go_is_replaced_and_not_followed(container: Container, tmp_path: Path) -> None:
    container.grade({"attention.py": "x = 1\n"})
    target = tmp_path / "elsewhere"
    target.write_text("kept")
    results = container.root / "results" / "results.json"
    results.unlink()
    results.symlink_to(target)
    ran = container.run()

    assert target.read_text() == "kept"
    assert not results.is_symlink()
    assert ran.points == 0


def test_a_fault_of_ours_writes_no_results_and_so_costs_nobody_anything(container: Container) -> None:
    settings = container.root / "source" / "autograder.json"
    kept = settings.read_bytes()
    settings.write_text("{}")
    try:
        ran = container.grade({"attention.py": CORRECT})
    finally:
        settings.write_bytes(kept)

    assert ran.code == 2
    assert ran.written is None
    assert "build the zip again" in ran.printed


def test_nobody_but_the_owner_can_read_the_checks_and_the_solution(container: Container) -> None:
    container.grade({"attention.py": "x = 1\n"})
    for name in ("assignments", "solutions", "solutions/self-attention/reference.py"):
        assert (container.root / "source" / name).stat().st_mode & 0o077 == 0
