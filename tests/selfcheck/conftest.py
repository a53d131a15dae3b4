"""What students have: a folder with a starter and public checks, and nothing else of the course."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.assignments import load_all
from grader.release import build

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = ROOT / "solutions"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("TERM", "FORCE_COLOR"))} | {
    "COLUMNS": "100",
    "PYTHONUTF8": "1",
    "OMP_NUM_THREADS": "1",
}

Check = Callable[..., "subprocess.CompletedProcess[str]"]
Solution = Callable[..., str]


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packs of both assignments in one folder, without the starters."""
    folder = tmp_path_factory.mktemp("packs")
    for assignment in load_all(ROOT / "assignments", solutions=SOLUTIONS):
        for path, content in build(assignment).files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    return folder


@pytest.fixture
def pack(packs: Path, tmp_path: Path) -> Path:
    """What students have for one assignment, and no file of theirs yet."""
    folder = tmp_path / "homework"
    shutil.copytree(packs / "assignments" / "self-attention", folder / "assignments" / "self-attention")
    return folder


@pytest.fixture
def check() -> Check:
    """Run `grade check` in a folder."""

    def run(*arguments: object, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "grader", "check", *map(str, arguments)],
            cwd=folder,
            env=ENVIRONMENT | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def solution() -> Solution:
    """A solution's source by its name: `reference`, or `wrong/scale_missing`."""

    def read(name: str, assignment: str = "self-attention") -> str:
        return (SOLUTIONS / assignment / f"{name}.py").read_text(encoding="utf-8")

    return read
