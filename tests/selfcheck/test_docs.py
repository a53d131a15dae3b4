"""The page for students: every command in it is run, and what it shows is what is printed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "students.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
CELLS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHOWN = re.findall(r"```\n(Public.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def given(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a course gives to students."""
    folder = tmp_path_factory.mktemp("given")
    (folder / "assignments").mkdir()
    shutil.copytree(packs / "assignments" / "self-attention", folder / "assignments" / "self-attention")
    for name in ("self_attention.py", "self_attention.ipynb"):
        shutil.copy(packs / name, folder / name)
    return folder


def run(command: str, folder: Path) -> tuple[int, str]:
    """Run a command as it stands there; one that stays is interrupted after its first verdict."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "100", "BROWSER": "true", "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if "Ctrl-C ends" in line:
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
    process.stdout.close()
    return process.wait(timeout=60), "".join(said)


def test_the_page_begins_with_a_command() -> None:
    assert PAGE.splitlines()[2] == "```sh"
    assert len(COMMANDS) == 5
    assert len(CELLS) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works_on_the_starter(command: str, given: Path) -> None:
    code, said = run(command, given)

    assert code == (0 if "explain" in command else 1), said
    assert "Traceback" not in said
    assert "Not implemented" in said or "explain" in command


def test_what_the_page_shows_is_what_is_printed(given: Path) -> None:
    _, said = run(COMMANDS[0], given)

    assert said.startswith(SHOWN[0])


def test_the_first_command_passes_on_a_solution(given: Path, solution: Any) -> None:
    starter = (given / "self_attention.py").read_text()
    (given / "self_attention.py").write_text(solution("reference"))
    code, said = run(COMMANDS[0], given)
    (given / "self_attention.py").write_text(starter)

    assert code == 0, said


def test_every_cell_shows_a_card(given: Path, solution: Any) -> None:
    sources = [solution("reference"), *CELLS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(given)}}).execute()
    told = [cell.outputs[0].data["text/plain"] for cell in notebook.cells[1:]]

    assert len(told) == 2
    assert all("9 of 9 public checks are correct" in text for text in told)


def test_a_self_check_cell_does_nothing_while_it_is_graded(tmp_path: Path, solution: Any) -> None:
    sources = [solution("reference"), *CELLS]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    (tmp_path / "ada.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
    course = Path(__file__).resolve().parents[2]
    where = f"--assignments {course / 'assignments'} --solutions {course / 'solutions'} -o {tmp_path / 'reports'}"
    code, said = run(f"grade {tmp_path / 'ada.ipynb'} -a self-attention --fail-under 100 {where}", tmp_path)
    report = (tmp_path / "reports" / "self-attention" / "ada.md").read_text()

    assert code == 0, said
    assert "cell" not in re.sub(r"this notebook.*", "", report.lower())
    assert "The public checks are not run while this is graded." in report
