"""A run that is killed, goes on, is stopped with Ctrl-C, and goes on again: nothing is lost or left running."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

STUDENTS = tuple(f"student{number:02}" for number in range(30))
SLOW = "\nimport time\n\ntime.sleep(0.3)\n"
"""At the end of each file, so that there is time to interrupt."""
NOTEBOOKS = frozenset(STUDENTS[2::5])
"""Those who hand in a notebook, in which a cell below the class takes that time."""
ENDLESS = "aaron"
"""First of the class from the second run on: his code never ends, and is being examined when Ctrl-C comes."""
PATIENCE = 120.0


@dataclass(frozen=True)
class Stopped:
    """A run that was ended early.

    Attributes:
        code: what the command exited with.
        seconds: how long that took after the signal.
        processes: how many processes there were when the signal was sent, the command's own included.
        kernels: how many of them ran the cells of a notebook.
        survivors: those of them that were still there 3 seconds after the command was gone.
        stored: the students whose attempts were in the store then.
    """

    code: int
    seconds: float
    processes: int
    kernels: int
    survivors: tuple[int, ...]
    stored: frozenset[str]
    out: str
    err: str
    results: dict[str, Any] | None


@dataclass(frozen=True)
class Story:
    """Killed, then stopped, then finished; each run in the folder of the one before."""

    folder: Path
    killed: Stopped
    stopped: Stopped
    finished: subprocess.CompletedProcess[str]
    results: dict[str, Any]


@pytest.fixture(scope="module")
def story(grade, plain_environment, repository, tmp_path_factory) -> Story:
    folder = tmp_path_factory.mktemp("interrupted")
    for name in ("assignments", "solutions"):
        (folder / name).symlink_to(repository / name)
    (folder / "submissions").mkdir()
    correct = (repository / "solutions" / "self-attention" / "accepted" / "no_bias.py").read_text()
    for student in STUDENTS:
        work = f"{correct}\n# This is the work of {student}.\n"
        if student in NOTEBOOKS:
            write_notebook(folder / "submissions" / f"{student}.ipynb", work, SLOW)
        else:
            (folder / "submissions" / f"{student}.py").write_text(f"{work}{SLOW}")
    arguments = ("submissions", "-a", "self-attention", "-j", "2")
    command = [sys.executable, "-m", "grader", *arguments]

    def interrupted(sign: signal.Signals, *, stored: int) -> Stopped:
        with started(command, folder, plain_environment) as running:
            return running.stop(sign, lambda family: len(running.stored()) >= stored and family.kernels())

    killed = interrupted(signal.SIGKILL, stored=3)
    endless = correct.replace("math.sqrt(", "for_ever(") + "\n\ndef for_ever(x):\n    while True:\n        pass\n"
    (folder / "submissions" / f"{ENDLESS}.py").write_text(f"{endless}\n\nfor_ever(1)\n")
    stopped = interrupted(signal.SIGINT, stored=len(killed.stored) + 3)
    (folder / "submissions" / f"{ENDLESS}.py").write_text(correct)
    finished = grade(*arguments, folder=folder)
    return Story(folder, killed, stopped, finished, json.loads((folder / "reports" / "results.json").read_bytes()))


class Running:
    """The command in a process and process group of its own, while it runs."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder

    def stop(self, sign: signal.Signals, when: Callable[[Family], object]) -> Stopped:
        """Wait until it is time, send the signal to the whole group, as a terminal does, and look what is left."""
        until = time.monotonic() + PATIENCE
        while not when(family := Family.of(self._process.pid)):
            assert self._process.poll() is None, self._process.communicate()
            assert time.monotonic() < until, "it did not get that far"
            time.sleep(0.02)
        began = time.monotonic()
        os.killpg(self._process.pid, sign)
        out, err = self._process.communicate(timeout=PATIENCE)
        seconds = time.monotonic() - began
        results = self._folder / "reports" / "results.json"
        return Stopped(
            code=self._process.returncode,
            seconds=seconds,
            processes=len(family.members),
            kernels=len(family.kernels()),
            survivors=family.survivors(patience=3.0),
            stored=frozenset(self.stored()),
            out=out,
            err=err,
            results=json.loads(results.read_bytes()) if results.exists() else None,
        )

    def stored(self) -> set[str]:
        """The students whose attempts are on disk."""
        path = self._folder / "reports" / "attempts.sqlite"
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
                return {student for (student,) in database.execute("SELECT student FROM attempts")}
        except sqlite3.OperationalError:
            return set()  # not made yet


@contextlib.contextmanager
def started(command: list[str], folder: Path, environment: dict[str, str]):
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's & would ignore it
    )
    try:
        yield Running(process, folder)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@dataclass(frozen=True)
class Family:
    """A process and all below it.

    Attributes:
        head: the process.
        members: for each its parent, and the time it was started, which tells it from a later one of the same id.
    """

    head: int
    members: dict[int, tuple[int, str]]

    @classmethod
    def of(cls, head: int) -> Family:
        known: dict[int, tuple[int, str]] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and (found := status(int(folder.name))) is not None:
                known[int(folder.name)] = found
        family = {head} & known.keys()
        while grown := {pid for pid, (parent, _) in known.items() if parent in family} - family:
            family |= grown
        return cls(head, {pid: known[pid] for pid in family})

    def kernels(self) -> set[int]:
        """Those that run cells: the command starts a warm process, that forks a client, and that forks the kernel."""
        members = {self.head}
        for _ in range(3):
            members = {pid for pid, (parent, _) in self.members.items() if parent in members}
        return members

    def survivors(self, *, patience: float) -> tuple[int, ...]:
        """Those that are still alive after so many seconds."""
        until = time.monotonic() + patience
        while True:
            alive = tuple(pid for pid, (_, began) in self.members.items() if (status(pid) or ("", ""))[1] == began)
            if not alive or time.monotonic() > until:
                return alive
            time.sleep(0.05)


def status(pid: int) -> tuple[int, str] | None:
    """Parent and start time of a living process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (int(fields[1]), fields[19])


def write_notebook(path: Path, *cells: str) -> None:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), path)


def reused(results: dict[str, Any]) -> set[str]:
    return {submission["student"] for submission in results["submissions"] if submission["reused"]}


def students(results: dict[str, Any]) -> set[str]:
    return {submission["student"] for submission in results["submissions"]}


# -- kill -9 -----------------------------------------------------------------------------------------------------------


def test_the_run_was_killed_in_the_middle_with_its_processes_alive(story):
    assert story.killed.code == -signal.SIGKILL
    assert 3 <= len(story.killed.stored) < len(STUDENTS)
    assert story.killed.processes >= 4
    assert story.killed.kernels >= 1


def test_killing_the_command_ends_all_its_processes(story):
    assert story.killed.survivors == ()


def test_a_killed_run_leaves_no_half_written_report(story):
    assert story.killed.results is None
    assert not list((story.folder / "reports").rglob("*.partial"))


def test_the_next_run_reuses_exactly_what_was_stored(story):
    assert reused(story.stopped.results) == story.killed.stored


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_the_command_with_130_and_without_a_traceback(story):
    assert story.stopped.code == 130
    assert "Traceback" not in story.stopped.err


def test_ctrl_c_does_not_wait_for_what_is_being_examined(story):
    assert story.stopped.processes >= 4
    assert story.stopped.kernels >= 1
    assert story.stopped.seconds < 4


def test_ctrl_c_leaves_nothing_running(story):
    assert story.stopped.survivors == ()


def test_ctrl_c_keeps_what_is_finished(story):
    assert story.killed.stored < story.stopped.stored < set(STUDENTS)


def test_the_reports_of_an_interrupted_run_say_so_and_hold_what_is_finished(story):
    assert story.stopped.results["interrupted"] is True
    assert students(story.stopped.results) == story.stopped.stored
    assert {submission["status"] for submission in story.stopped.results["submissions"]} == {"graded"}
    assert "Stopped before the end" in story.stopped.out


def test_the_run_after_it_completes_the_rest(story):
    assert story.finished.returncode == 0
    assert story.results["interrupted"] is False
    assert students(story.results) == {*STUDENTS, ENDLESS}
    assert reused(story.results) == story.stopped.stored
    assert (
        f"{len(STUDENTS) + 1} graded, {len(story.stopped.stored)} of them reused from the last run."
        in story.finished.stdout
    )


def test_interruptions_cost_nobody_a_point(story):
    assert {(each["points"], each["status"]) for each in story.results["submissions"]} == {(20.0, "graded")}
