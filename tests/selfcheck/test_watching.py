"""`grade check --watch`: a verdict after each save, whatever editors do, and a clean end."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

PATIENCE = 60.0
"""Seconds until whoever waits for a line gives up; on an idle machine none takes half a second."""


ENDED = "(the end of its output)"


class Watching:
    """A running `grade check --watch`, and the lines that it has written."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "grader", "check", *arguments, "--watch"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(ENDED)

    def until(self, pattern: str, *, patience: float = PATIENCE) -> list[str]:
        """All lines up to the first that the pattern is in."""
        seen: list[str] = []
        while not seen or not re.search(pattern, seen[-1]):
            try:
                seen.append(self._lines.get(timeout=patience))
            except queue.Empty:
                raise AssertionError(f"{pattern!r} did not come after {seen}") from None
            assert seen[-1] != ENDED, seen
        return seen

    def rest(self) -> str:
        """All that is still written, up to the end."""
        seen = []
        while (line := self._lines.get(timeout=PATIENCE)) != ENDED:
            seen.append(line)
        return "\n".join(seen)

    def verdict(self) -> str:
        """The next verdict; comes back when the next save is waited for."""
        lines = self.until("Waiting for .* to be saved")
        return next(line for line in lines if "public check" in line and " of " in line)

    def silent(self, seconds: float) -> bool:
        """Whether nothing is written for so long."""
        try:
            self._lines.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def children(self) -> list[int]:
        """Its processes."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(each) for each in listed.split()]

    def end(self) -> int:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=PATIENCE)

    def close(self) -> None:
        """End it for good."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture(scope="module")
def folder(packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("watched")
    (made / "assignments").mkdir()
    (made / "assignments" / "self-attention").symlink_to(packs / "assignments" / "self-attention")
    return made


@pytest.fixture(scope="module")
def watching(folder: Path, solution: Any) -> Iterator[Watching]:
    """One that all tests save to, begun with a correct file."""
    (folder / "attention.py").write_text(solution("reference"))
    running = Watching(folder, "attention.py")
    try:
        assert "9 of 9" in running.verdict()
        yield running
    finally:
        running.close()


def right(solution: Any) -> str:
    """A correct file that was not there before."""
    return f"{solution('reference')}\n# {time.monotonic_ns()}\n"


def wrong(solution: Any) -> str:
    return f"{solution('wrong/extra_required_argument')}\n# {time.monotonic_ns()}\n"


def test_each_save_gets_its_verdict(watching: Watching, folder: Path, solution: Any) -> None:
    file = folder / "attention.py"
    told = []
    for source in (wrong(solution), right(solution), wrong(solution), right(solution)):
        file.write_text(source)
        told.append(watching.verdict().split()[1])

    assert told == ["8", "9", "8", "9"]


def test_a_save_that_changes_nothing_says_nothing(watching: Watching, folder: Path, solution: Any) -> None:
    file = folder / "attention.py"
    file.write_text(right(solution))
    watching.verdict()
    file.write_text(file.read_text())
    os.utime(file)

    assert watching.silent(1.0)


def test_an_editor_that_replaces_the_file_is_followed(watching: Watching, folder: Path, solution: Any) -> None:
    file, other = folder / "attention.py", folder / ".attention.py.swp"
    told = []
    for source in (wrong(solution), right(solution)):
        other.write_text(source)
        os.replace(other, file)
        told.append(watching.verdict().split()[1])
    file.rename(folder / "attention.py~")  # as editors do that keep the file before
    file.write_text(wrong(solution))
    told.append(watching.verdict().split()[1])

    assert told == ["8", "9", "8"]


def test_half_of_a_file_is_not_judged(watching: Watching, folder: Path, solution: Any) -> None:
    source = right(solution)
    begun, rest = source[: source.index("def forward") + 8], source[source.index("def forward") + 8 :]
    with (folder / "attention.py").open("w") as file:
        file.flush()
        time.sleep(0.05)
        file.write(begun)
        file.flush()
        time.sleep(0.1)
        file.write(rest)

    assert "9 of 9" in watching.verdict()
    assert watching.silent(0.5)


def test_a_syntax_error_is_told_when_it_stays(watching: Watching, folder: Path, solution: Any) -> None:
    (folder / "attention.py").write_text(right(solution) + "def oops(:\n")
    broken = watching.verdict()
    (folder / "attention.py").write_text(right(solution))

    assert "0 of 9" in broken
    assert "9 of 9" in watching.verdict()


def test_a_file_that_is_gone_is_waited_for(watching: Watching, folder: Path, solution: Any) -> None:
    (folder / "attention.py").unlink()
    watching.until("attention.py is gone; waiting until it is there again")
    (folder / "attention.py").write_text(right(solution))

    assert "9 of 9" in watching.verdict()


def test_a_file_without_the_class_is_told_and_waited_for(watching: Watching, folder: Path, solution: Any) -> None:
    (folder / "attention.py").write_text("class Other: ...\n")
    told = watching.until("Waiting for attention.py to be saved")
    (folder / "attention.py").write_text(right(solution))

    assert any("the files define: Other" in line for line in told)
    assert "9 of 9" in watching.verdict()


def test_code_that_ends_its_process_or_never_ends_is_survived(watching: Watching, folder: Path, solution: Any) -> None:
    (folder / "attention.py").write_text(
        right(solution).replace("super().__init__()", "super().__init__(); import os; os._exit(3)")
    )
    killed = watching.verdict()
    (folder / "attention.py").write_text(right(solution))

    assert "0 of 9" in killed
    assert "9 of 9" in watching.verdict()


def test_the_processes_stay_and_end_with_the_command(watching: Watching, folder: Path, solution: Any) -> None:
    first = watching.children()
    (folder / "attention.py").write_text(wrong(solution))
    watching.verdict()
    second = watching.children()
    code = watching.end()

    assert len(first) == 2
    assert first == second
    assert code == 1  # the last verdict
    assert not [pid for pid in first if Path(f"/proc/{pid}").exists()]
    assert watching.rest().strip() == ""


def test_ctrl_c_while_it_starts_ends_it_too(folder: Path, solution: Any) -> None:
    (folder / "attention.py").write_text(right(solution))
    running = Watching(folder, "attention.py")
    until = time.monotonic() + PATIENCE
    while len(running.children()) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    children = running.children()
    code = running.end()
    said = running.rest()
    running.close()

    assert len(children) == 2
    assert code == 1
    assert said.strip() == ""
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
