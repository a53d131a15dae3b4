"""The real command, in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Grade = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def plain_environment() -> dict[str, str]:
    """This process's environment without what would colour or fold the command's output."""
    own = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
    return own | {"COLUMNS": "160", "PYTHONUTF8": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def grade(plain_environment: dict[str, str]) -> Grade:
    """Run the command in a folder, with some variables more or other than usual, and wait for it.

    Where `refused` names system calls, the command runs as on a machine that does not have them.
    """

    def run(*arguments: object, folder: Path, refused: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        program = [str(Path(__file__).parents[1] / "lesser_machine.py"), refused] if refused else ["-m", "grader"]
        return subprocess.run(
            [sys.executable, *program, *map(str, arguments)],
            cwd=folder,
            env=plain_environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
