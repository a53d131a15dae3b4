"""A container of Gradescope's, laid out in a scratch folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """One call of `run_autograder`: how it ended, what it printed, and the bytes it wrote, None where it wrote none."""

    code: int
    printed: str
    written: bytes | None

    @property
    def results(self) -> dict[str, Any]:
        assert self.written is not None, self.printed
        return json.loads(self.written)

    @property
    def points(self) -> float:
        return sum(test["score"] for test in self.results["tests"])


@dataclass(frozen=True)
class Container:
    """What Gradescope makes of the zip: `source` unpacked, `run_autograder` beside it, and a Python with libraries."""

    root: Path

    def grade(self, files: dict[str, str], metadata: bytes | None = b"{}") -> Ran:
        """Put these files where a submission goes and call `run_autograder` as Gradescope does."""
        for folder in ("submission", "results"):
            subprocess.run(["rm", "-rf", str(self.root / folder)], check=True)
            (self.root / folder).mkdir()
        for name, content in files.items():
            (self.root / "submission" / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / "submission" / name).write_text(content)
        (self.root / "submission_metadata.json").unlink(missing_ok=True)
        if metadata is not None:
            (self.root / "submission_metadata.json").write_bytes(metadata)
        return self.run()

    def run(self) -> Ran:
        """Call `run_autograder`."""
        done = subprocess.run(
            [str(self.root / "run_autograder")],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], "AUTOGRADER_ROOT": str(self.root)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        results = self.root / "results" / "results.json"
        return Ran(done.returncode, done.stdout + done.stderr, results.read_bytes() if results.is_file() else None)


def unpack(packed: Path, folder: Path) -> None:
    """Unpack a zip with its permissions, as `unzip` does."""
    with zipfile.ZipFile(packed) as archive:
        for entry in archive.infolist():
            path = Path(archive.extract(entry, folder))
            path.chmod(entry.external_attr >> 16 & 0o777)


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip for an assignment whose time limits are short."""
    folder = tmp_path_factory.mktemp("building")
    for name in ("assignments", "solutions"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(folder / name)], check=True)
    settings = folder / "assignments" / "self-attention" / "assignment.toml"
    text = settings.read_text()
    settings.write_text(
        text.replace("\ncheck_seconds = 10", "\ncheck_seconds = 2").replace("\nseconds = 60", "\nseconds = 20")
    )
    command = [sys.executable, "-m", "grader", "build", "gradescope", "self-attention", "-o", "autograder.zip"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "autograder.zip"


@pytest.fixture(scope="session")
def container(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """The container, with the libraries of this Python instead of a download, and with the grader from the zip."""
    root = tmp_path_factory.mktemp("container") / "autograder"
    unpack(packed, root / "source")
    (root / "source" / "run_autograder").rename(root / "run_autograder")
    venv.create(root / "venv", with_pip=False, symlinks=True)
    packages = root / "venv" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (packages / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return Container(root)
