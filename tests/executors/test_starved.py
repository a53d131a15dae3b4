"""A submission that is late because the machine was busy is examined once more, alone, and loses nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.crowding import MOST, Times, times
from grader.executors.local import LocalExecutor
from grader.model import Outcome

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = (ROOT / "solutions" / "self-attention" / "reference.py").read_text(encoding="utf-8")
BUSY = "import time\nbegun = time.process_time()\nwhile time.process_time() - begun < 1.2:\n    sum(range(1000))\n"
CLASS = 6


@pytest.mark.parametrize(
    ("seconds", "computed", "idle"), [(4.0, 3.9, False), (4.0, 2.1, False), (4.0, 1.9, True), (60.0, 0.0, True)]
)
def test_who_hardly_computed_was_idle(seconds, computed, idle):
    assert Times(computed=computed).idle(seconds) == idle


@pytest.mark.parametrize(
    ("waited_seconds", "seconds", "least", "most"),
    [
        (0.0, 4.0, 1.0, 1.0),
        (0.2, 4.0, 1.0, 1.0),
        (2.0, 4.0, 2.0, 4.0),
        (3.2, 4.0, 5.0, MOST),
        (4.0, 4.0, MOST, MOST),
        (1.0, 0.0, 1.0, 1.0),
    ],
)
def test_budgets_grow_by_what_the_code_was_kept_waiting(waited_seconds, seconds, least, most):
    assert least <= Times(waited=waited_seconds).stretch(seconds) <= most


def test_who_sleeps_was_not_kept_waiting_and_who_shares_a_core_was():
    """Both take a second; one asks for the core all the time, and so does another process on the same core."""
    core = {min(os.sched_getaffinity(0))}
    spinning = [sys.executable, "-c", "while True: pass"]
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    processes = [subprocess.Popen(command) for command in (spinning, spinning, sleeping)]
    try:
        for process in processes:
            os.sched_setaffinity(process.pid, core)
        time.sleep(1.5)
        found = [times(process.pid) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()

    first, second, sleeper = found
    assert max(first.waited, second.waited) > 0.3
    assert sleeper.waited < max(first.waited, second.waited) / 2
    assert first.computed + second.computed > 0.5
    assert sleeper.computed < 0.5


def test_what_came_later_is_told_apart():
    assert Times(3.0, 2.0).since(Times(1.0, 0.5)) == Times(2.0, 1.5)
    assert Times(1.0, 0.0).since(Times(2.0, 1.0)) == Times(0.0, 0.0)


def test_a_process_that_is_gone_was_not_kept_waiting():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    assert times(process.pid) == times(None) == Times()


@pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")
def test_a_crowd_on_one_core_costs_nobody_points(tmp_path):
    """Each takes a bit more than a second of the core to load, and has two: six at a time would all be late."""
    folder, cores = tmp_path / "class", os.sched_getaffinity(0)
    folder.mkdir()
    for number in range(CLASS):
        (folder / f"student{number}.py").write_text(f"# {number}\n{REFERENCE}\n{BUSY}", encoding="utf-8")
    assignments = tmp_path / "assignments"
    assignments.mkdir()
    copy_hurried(assignments)
    request = grading.Request(
        paths=(folder,),
        assignments=assignments,
        solutions=ROOT / "solutions",
        store=tmp_path / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=CLASS),
        only_assignments=("self-attention",),
    )
    os.sched_setaffinity(0, {min(cores)})
    try:
        cohort = grading.run(request, Silent())
    finally:
        os.sched_setaffinity(0, cores)

    assert len(cohort.grades) == CLASS
    for grade in cohort.grades:
        assert grade.points == grade.max_points
        assert grade.attempt is not None
        assert grade.attempt.loading == "executed", grade.attempt.loading_note
        assert {result.outcome for result in grade.attempt.results} == {Outcome.PASSED}


def copy_hurried(target: Path) -> None:
    shutil.copytree(ROOT / "assignments" / "self-attention", target / "self-attention")
    settings = target / "self-attention" / "assignment.toml"
    settings.write_text(settings.read_text().replace("import_seconds = 10", "import_seconds = 3"))
