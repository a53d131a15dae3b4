"""A submission that ends or stops the processes it was forked from does so to nobody but itself."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Grade

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

ROOT = Path(__file__).parent.parent.parent
HONEST = (ROOT / "solutions" / "self-attention" / "reference.py").read_text(encoding="utf-8")
KILL = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"
STOP = "import os, signal\nos.kill(os.getppid(), signal.SIGSTOP)"
ABOVE_THE_CLIENT = """
import os, signal
client = os.getppid()
with open(f"/proc/{client}/stat") as file:
    warm = int(file.read().rpartition(")")[2].split()[1])
os.kill(warm, signal.SIGSTOP)
"""
"""A notebook's kernel is a child of its client, and that one of the warm process."""

CULPRITS = {"b_kills.py": KILL, "c_stops.py": STOP, "f_stops.ipynb": ABOVE_THE_CLIENT}
HARMLESS = ("a_module.py", "d_notebook.ipynb", "e_module.py", "g_notebook.ipynb", "h_module.py")


@dataclass(frozen=True)
class Run:
    """The one run of them all, and the processes it left."""

    grades: dict[str, Grade]
    seconds: float
    left: set[int]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("enders")
    for name in (*CULPRITS, *HARMLESS):
        write(folder / name, CULPRITS.get(name, ""))
    request = grading.Request(
        paths=(folder,),
        assignments=ROOT / "assignments",
        solutions=ROOT / "solutions",
        store=folder.parent / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
        only_assignments=("self-attention",),
    )
    before, began = grader_processes(folder.parent), time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder.parent))
        grades = {grade.student: grade for grade in grading.run(request, Silent()).grades}
    return Run(grades, time.monotonic() - began, grader_processes(folder.parent) - before)


def write(path: Path, above: str) -> None:
    """A correct submission, with something above it."""
    if path.suffix == ".py":
        path.write_text(f"{above}\n\n{HONEST}\n# {path.name}\n", encoding="utf-8")
    else:
        cells = [nbformat.v4.new_code_cell(text) for text in (above, f"{HONEST}\n# {path.name}")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def grader_processes(temporary: Path) -> set[int]:
    """The processes that have this folder in their command line, as workers do, and all children of this process."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if os.fsencode(temporary) in told or (parent == os.getpid() and b"grader." in told):
                found.add(int(entry.name))
    return found


@pytest.mark.parametrize("name", HARMLESS)
def test_everybody_else_keeps_full_marks(name: str, run: Run) -> None:
    grade = run.grades[Path(name).stem]

    assert grade.points == grade.max_points


@pytest.mark.parametrize("name", CULPRITS)
def test_who_ends_or_stops_the_grader_is_told_so_and_earns_nothing(name: str, run: Run) -> None:
    grade = run.grades[Path(name).stem]

    assert {check.result.outcome for check in grade.checks} == {"killed"}
    assert grade.points == 0
    assert "own process is ended or stopped" in grade.checks[0].result.message


def test_each_costs_the_class_no_more_than_starting_the_grader_again(run: Run) -> None:
    assert run.seconds < 90


def test_no_process_is_left(run: Run) -> None:
    assert run.left == set()
