"""The ready-made jobs: what they say is read, and what they run is run in a clean clone, as the services would.

Only the installation is not carried out: the grader of this environment is on the path instead, and the step that would
install it is held to do nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "docs" / "ci"
INSTALLING = 'python -m pip install --quiet --extra-index-url https://download.pytorch.org/whl/cpu "$GRADER"'

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")


def github() -> dict[Any, Any]:
    return yaml.safe_load((TEMPLATES / "github-actions.yml").read_text())


def gitlab() -> dict[str, Any]:
    return yaml.safe_load((TEMPLATES / "gitlab-ci.yml").read_text())


@dataclass(frozen=True)
class Done:
    """A job that was run: exit code, all that was printed, and the folder it left."""

    code: int
    out: str
    folder: Path


def git(*arguments: str, folder: Path) -> None:
    identity = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone of a student's repository: the work, a README, and settings that nobody may obey."""
    origin = tmp_path / "origin"
    (origin / "src").mkdir(parents=True)
    work = (ROOT / "solutions" / "self-attention" / "wrong" / "scale_missing.py").read_text()
    (origin / "src" / "attention.py").write_text(f'{work}\nprint("\\n::error::FORGED")\nprint("##[error]FORGED")\n')
    (origin / "README.md").write_text("# My homework\n")
    (origin / "conftest.py").write_text("raise SystemExit(0)\n")
    git("init", "-q", folder=origin)
    git("add", "-A", folder=origin)
    git("commit", "-q", "-m", "Done", folder=origin)
    git("clone", "-q", str(origin), str(tmp_path / "homework"), folder=tmp_path)
    return tmp_path / "homework"


@pytest.fixture
def hidden(clone: Path) -> Path:
    """The private checkout in the clone, as its step would leave it."""
    for name in ("assignments", "solutions"):
        subprocess.run(["mkdir", "-p", str(clone / ".hidden" / name)], check=True)
        folder = str(ROOT / name / "self-attention")
        subprocess.run(["cp", "-r", folder, str(clone / ".hidden" / name)], check=True)
    return clone / ".hidden"


def run(script: str, folder: Path, **variables: str) -> Done:
    """Run a script as both services do: by bash, ended by the first failure."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB", "CI"))}
    environment = own | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"} | variables
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Done(done.returncode, done.stdout + done.stderr, folder)


# -- GitHub ------------------------------------------------------------------------------------------------------------


def steps() -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in github()["jobs"]["grade"]["steps"]}


def test_the_workflow_can_do_no_more_than_it_needs() -> None:
    workflow = github()

    assert workflow[True] == ["push", "workflow_dispatch"], "YAML takes `on` for a truth value, and GitHub does not"
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["grade"]["timeout-minutes"] <= 30
    assert all(step["with"]["persist-credentials"] is False for step in steps().values() if _checks_out(step))
    assert steps()["Install the grader"]["run"] == INSTALLING
    assert steps()["Keep the reports"]["if"] == "always()"


def _checks_out(step: dict[str, Any]) -> bool:
    return step.get("uses", "").startswith("actions/checkout@")


def test_every_command_of_the_workflow_is_one_of_two() -> None:
    assert [step["name"] for step in steps().values() if "run" in step] == ["Install the grader", "Grade"]


def test_the_workflow_grades_hidden_checks_in_a_clean_clone(clone: Path, hidden: Path, tmp_path: Path) -> None:
    summary, output = tmp_path / "summary", tmp_path / "output"
    done = run(
        steps()["Grade"]["run"],
        clone,
        CHECKS=".hidden",
        GITHUB_ACTIONS="true",
        GITHUB_STEP_SUMMARY=str(summary),
        GITHUB_OUTPUT=str(output),
    )
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    result = json.loads(base64.b64decode(outputs["result"]))

    assert done.code == 1, done.out
    assert outputs["points"] == "18"
    assert sum(test["score"] for test in result["tests"]) == 18
    assert "`homework`: **18 of 20 points**" in summary.read_text()
    assert "can be changed by a push" in summary.read_text()
    assert "Hidden checks were run" in summary.read_text()
    assert "::error file=src/attention.py,line=" in done.out
    assert not (clone / "reports" / "attempts.sqlite").exists()
    assert not (clone / "reports" / "results.json").exists(), "it is for instructors"
    obeyed = [line for line in heard(done.out) if line.startswith("::") or "##[" in line]
    assert obeyed
    assert not [line for line in obeyed if "FORGED" in line]


def heard(log: str) -> list[str]:
    """The lines of a log in which GitHub's runner looks for commands."""
    kept, until = [], ""
    for line in map(str.strip, log.splitlines()):
        if until:
            until = "" if line == f"::{until}::" else until
        elif line.startswith("::stop-commands::"):
            until = line.removeprefix("::stop-commands::")
            assert len(until) == 64
        else:
            kept.append(line)
    assert not until, "commands are obeyed again in the end"
    return kept


# -- GitLab ------------------------------------------------------------------------------------------------------------


def test_the_job_of_gitlab_installs_grades_and_keeps_what_it_wrote() -> None:
    job = gitlab()["grade"]

    assert job["before_script"] == [INSTALLING]
    assert job["artifacts"]["reports"]["junit"] == "reports/junit.xml"
    assert job["artifacts"]["when"] == "always"


def test_the_job_of_gitlab_grades_hidden_checks_in_a_clean_clone(clone: Path, hidden: Path, tmp_path: Path) -> None:
    """The private project is cloned from a folder here: git is told to look there for the server's address."""
    private = tmp_path / "private"
    hidden.rename(private)
    git("init", "-q", folder=private)
    git("add", "-A", folder=private)
    git("commit", "-q", "-m", "Checks", folder=private)
    (clone / "src" / "attention.py").write_text(
        (ROOT / "solutions" / "self-attention" / "accepted" / "no_bias.py").read_text()
    )
    config = tmp_path / "gitconfig"
    address = "https://gitlab-ci-token:secret@gitlab.example.org/course/checks.git"
    config.write_text(f'[url "file://{private}"]\n\tinsteadOf = {address}\n')
    done = run(
        "\n".join(gitlab()["grade"]["script"]),
        clone,
        HIDDEN_CHECKS="course/checks",
        CI_JOB_TOKEN="secret",
        CI_SERVER_HOST="gitlab.example.org",
        GIT_CONFIG_GLOBAL=str(config),
    )
    suite = ET.parse(clone / "reports" / "junit.xml").getroot()[0]

    assert done.code == 0, done.out
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("29", "0", "0")
    assert "::" not in done.out, "commands are GitHub's"
    assert not (clone / ".hidden" / ".git").exists()


# -- what else `grade ci` ends with ------------------------------------------------------------------------------------


def test_a_repository_without_work_is_told_so_and_does_not_pass(clone: Path, hidden: Path) -> None:
    (clone / "src" / "attention.py").unlink()
    command = "grade ci --assignments .hidden/assignments --solutions .hidden/solutions"
    done, lenient = run(command, clone), run(f"{command} --fail-under 0", clone)
    suite = ET.parse(clone / "reports" / "junit.xml").getroot()[0]

    assert (done.code, lenient.code) == (1, 0)
    assert suite.attrib["errors"] == "1"
    assert "Traceback" not in done.out


# -- public checks, with nothing but what students have ----------------------------------------------------------------


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What students are given, as a repository of one of them."""
    folder = tmp_path_factory.mktemp("given") / "homework"
    command = [sys.executable, "-m", "grader", "release", "self-attention", "-o", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (folder / "self_attention.ipynb").unlink()
    return folder


def test_with_public_checks_alone_nothing_else_needs_to_be_installed(pack: Path, tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    untouched = run(steps()["Grade"]["run"], pack, CHECKS=".", GITHUB_STEP_SUMMARY=str(summary))
    correct = (ROOT / "solutions" / "self-attention" / "reference.py").read_text()
    (pack / "self_attention.py").write_text(correct)
    solved = run(steps()["Grade"]["run"], pack, CHECKS=".", GITHUB_STEP_SUMMARY=str(summary))
    first, _, second = unescape(summary.read_text()).rpartition("# Grading")

    assert not list(pack.rglob("reference.py"))
    assert (untouched.code, solved.code) == (1, 0), solved.out
    assert "**0 of 4.5 points**, not implemented" in first
    assert "**4.5 of 4.5 points**, all correct" in second
    assert "These are the public checks. The hidden checks of the course are more" in second


def test_hidden_checks_are_not_run_without_the_reference_that_tries_them_first(clone: Path, hidden: Path) -> None:
    done = run("grade ci --assignments .hidden/assignments", clone)

    assert done.code == 2
    assert "cannot be run without the reference solution" in done.out
