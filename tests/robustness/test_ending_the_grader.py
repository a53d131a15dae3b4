"""No submission ends or stops the processes it was forked from; where somebody else does, nobody loses anything."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Grade, Job
from grader.walls import NOT_LOCKED

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

ROOT = Path(__file__).parent.parent.parent
HONEST = (ROOT / "solutions" / "self-attention" / "reference.py").read_text(encoding="utf-8")
ATTACK = """
import os, signal
for pid in (os.getppid(), 1, 0, -1, {victims}):
    try:
        os.kill(pid, signal.{signal})
    except OSError:
        continue
"""
GROUP = "import os, signal\nos.killpg(os.getpgid(os.getppid()), signal.SIGKILL)"
CLAIM = f"import os\nos._exit({NOT_LOCKED})"
"""What a worker says that could not be walled in: it is believed once."""

CULPRITS = {
    "b_kills.py": ("SIGKILL", ""),
    "c_stops.py": ("SIGSTOP", ""),
    "c_stops_groups.py": ("", GROUP),
    "c_claims.py": ("", CLAIM),
    "f_kills.ipynb": ("SIGKILL", ""),
    "f_stops.ipynb": ("SIGSTOP", ""),
    "f_claims.ipynb": ("", CLAIM),
}
HARMLESS = ("a_module.py", "d_notebook.ipynb", "e_module.py", "g_notebook.ipynb", "h_module.py")


@dataclass(frozen=True)
class Run:
    """The one run of them all, and the processes it left."""

    grades: dict[str, Grade]
    seconds: float
    left: set[int]
    workers: set[int]
    ended: list[int]


class Watching(Silent):
    """Notes which warm processes there are whenever a submission is begun, and may end one."""

    def __init__(self, temporary: Path, *, ending: str = "") -> None:
        """`ending` is the student with whom the worker process is killed from outside."""
        super().__init__()
        self._temporary = temporary
        self._ending = ending
        self.workers: set[int] = set()
        self.ended: list[int] = []

    def started(self, job: Job) -> None:
        """See `grader.grading.Observer`."""
        super().started(job)
        workers = warm_workers(self._temporary)
        self.workers |= workers
        if job.submission.student == self._ending:
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
                self.ended.append(pid)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("enders")
    for name in (*CULPRITS, *HARMLESS):
        sent, source = CULPRITS.get(name, ("", ""))
        victims = ", ".join(str(pid) for pid in range(os.getpid(), os.getpid() + 3000)) if sent else ""
        write(folder / name, ATTACK.format(victims=victims, signal=sent) if sent else source)
    return graded(folder)


def graded(folder: Path, *, ending: str = "") -> Run:
    """All submissions of a folder, graded in one run."""
    request = grading.Request(
        paths=(folder,),
        assignments=ROOT / "assignments",
        solutions=ROOT / "solutions",
        store=folder.parent / f"{folder.name}.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
        only_assignments=("self-attention",),
    )
    temporary = folder.parent / f"{folder.name}-temporary"
    temporary.mkdir()
    before, began, observer = grader_processes(temporary), time.monotonic(), Watching(temporary, ending=ending)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.setattr("grader.executors.rooms.SHORT_PLACES", ())  # there and nowhere else
        grades = {grade.student: grade for grade in grading.run(request, observer).grades}
    return Run(grades, time.monotonic() - began, grader_processes(temporary) - before, observer.workers, observer.ended)


def write(path: Path, above: str) -> None:
    """A correct submission, with something above it."""
    if path.suffix == ".py":
        path.write_text(f"{above}\n\n{HONEST}\n# {path.name}\n", encoding="utf-8")
    else:
        cells = [nbformat.v4.new_code_cell(text) for text in (above, f"{HONEST}\n# {path.name}")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def grader_processes(temporary: Path) -> set[int]:
    """The processes that have this folder in their command line, as workers do, and all children of this process."""
    return {
        pid
        for pid, parent, told in processes()
        if os.fsencode(temporary) in told or (parent == os.getpid() and b"grader." in told)
    }


def warm_workers(temporary: Path) -> set[int]:
    """The worker processes, without their children."""
    return {pid for pid, parent, told in processes() if os.fsencode(temporary) in told and parent == os.getpid()}


def processes() -> Iterator[tuple[int, int, bytes]]:
    """All others: their numbers, their parents' and their command lines."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                told = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            yield int(entry.name), parent, told


@pytest.mark.parametrize("name", HARMLESS)
def test_everybody_else_keeps_full_marks(name: str, run: Run) -> None:
    grade = run.grades[Path(name).stem]

    assert grade.points == grade.max_points


@pytest.mark.parametrize("name", CULPRITS)
def test_who_tries_to_end_or_stop_the_grader_reaches_nobody_and_is_graded_like_all_others(name: str, run: Run) -> None:
    grade = run.grades[Path(name).stem]

    assert grade.points == grade.max_points
    assert {check.result.outcome for check in grade.checks} == {"passed"}


def test_no_warm_process_had_to_be_started_again(run: Run) -> None:
    assert len(run.workers) == 1


def test_the_attempts_cost_the_class_next_to_nothing(run: Run) -> None:
    assert run.seconds < 90


def test_no_process_is_left(run: Run) -> None:
    assert run.left == set()


@pytest.mark.parametrize("suffix", ["py", "ipynb"])
def test_a_worker_process_that_is_ended_from_outside_is_started_again_and_costs_nobody_anything(
    tmp_path: Path, suffix: str
) -> None:
    folder = tmp_path / "class"
    folder.mkdir()
    for name in ("a", "b", "c"):
        write(folder / f"{name}.{suffix}", "")
    run = graded(folder, ending="b")

    assert {grade.points == grade.max_points for grade in run.grades.values()} == {True}
    assert len(run.ended) == 1
    assert run.left == set()
