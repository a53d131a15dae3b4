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
from grader.executors.crowding import MOST, stretch, waited
from grader.executors.examination import was_idle
from grader.executors.local import LocalExecutor
from grader.forkserver import Fate
from grader.model import Limits, Outcome

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(check_seconds=4, import_seconds=4)
REFERENCE = (ROOT / "solutions" / "self-attention" / "reference.py").read_text(encoding="utf-8")
BUSY = "import time\nbegun = time.process_time()\nwhile time.process_time() - begun < 1.2:\n    sum(range(1000))\n"
CLASS = 6


@pytest.mark.parametrize(
    ("seconds", "computed", "idle"),
    [
        (4.0, 3.9, False),
        (4.0, 2.1, False),
        (4.0, 1.9, True),
        (4.0, 0.0, True),
        (2.9, 0.0, False),
        (60.0, 31.0, False),
        (60.0, 2.0, True),
    ],
)
def test_who_lived_long_and_hardly_computed_was_idle(seconds, computed, idle):
    fate = Fate(user_seconds=computed / 2, system_seconds=computed / 2)

    assert was_idle(fate, seconds, LIMITS) == idle


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
    assert least <= stretch(waited_seconds, seconds) <= most


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
        waits = [waited(process.pid) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()

    assert max(waits[:2]) > 0.3
    assert waits[2] < max(waits[:2]) / 2


def test_a_process_that_is_gone_was_not_kept_waiting():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()

    assert waited(process.pid) == 0.0


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
