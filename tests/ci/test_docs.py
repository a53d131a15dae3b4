"""The pages for instructors and for CI: every command in them is run, in the order in which it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from grader.worker import namespaces

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = ("instructors.md", "ci.md")
CORRECT = ROOT / "solutions" / "self-attention" / "accepted" / "no_bias.py"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")


def commands(page: str) -> list[str]:
    """The lines of all blocks of shell commands."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in textwrap.dedent(block).splitlines() if line]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=own | {"PATH": path, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instructor's folder with a class of one."""
    folder = tmp_path_factory.mktemp("course")
    for name in ("assignments", "solutions"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "submissions" / "ada").mkdir(parents=True)
    shutil.copy(CORRECT, folder / "submissions" / "ada" / "attention.py")
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student's repository: public checks, a private checkout, and one file."""
    folder = tmp_path_factory.mktemp("student") / "homework"
    assert run(f"grade release self-attention -o {folder}", ROOT).returncode == 0
    for name in ("self_attention.py", "self_attention.ipynb"):
        (folder / name).unlink()
    shutil.copy(CORRECT, folder / "attention.py")
    for name in ("assignments", "solutions"):
        shutil.copytree(ROOT / name / "self-attention", folder / ".hidden" / name / "self-attention")
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_a_page_begins_with_a_command(page: str) -> None:
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()

    assert lines[0].startswith("# ")
    assert lines[2] == "```sh"
    assert len(commands(page)) >= 5


@pytest.mark.parametrize("command", commands("instructors.md"))
def test_every_command_for_instructors_works(command: str, course: Path) -> None:
    if "sealed" in command and namespaces.possible().kind is namespaces.Kind.NONE:
        pytest.skip("this machine allows no namespaces")
    done = run(command, course)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", commands("ci.md"))
def test_every_command_for_ci_works(command: str, repository: Path) -> None:
    done = run(command, repository)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_the_template_for_instructors_adds_to_ours(course: Path) -> None:
    """After the commands above, which are run first."""
    [template] = re.findall(r"```jinja\n(.*?)```", (DOCS / "instructors.md").read_text(encoding="utf-8"), re.DOTALL)
    own = course / "assignments" / "self-attention" / "templates" / "student.html"
    own.parent.mkdir()
    page = course / "reports" / "self-attention" / "ada.html"
    before = page.read_text(encoding="utf-8")
    own.write_text(template, encoding="utf-8")

    assert run("grade report submissions/", course).returncode == 0
    after = page.read_text(encoding="utf-8")
    assert "<p>Office hours: Tuesday at ten, room 4.</p>" in after
    assert after.startswith(before[: before.index("</main>")].rstrip())


def test_what_the_pages_say_is_written_is_written(course: Path, repository: Path) -> None:
    """After the commands above, which are run first."""
    for page, folder in (("instructors.md", course), ("ci.md", repository)):
        named = re.findall(r"^\| `([\w.-]+)` \|", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE)
        assert len(named) >= 4
        assert not [name for name in named if not (folder / "reports" / name).is_file()]
    assert (course / "self-attention.zip").is_file()
    assert (course / "handout" / "cross_attention.ipynb").is_file()
    assert "example.org/grader.git" in (course / "for-students" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_a_page_links_to_exists(page: str) -> None:
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", (DOCS / page).read_text(encoding="utf-8")):
        assert (DOCS / target).exists(), target
