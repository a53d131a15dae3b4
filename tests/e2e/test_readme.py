"""What the README shows is what the commands print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


@pytest.fixture(scope="module")
def sample_class(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines that grading the sample class prints, with the output folder called as in the README."""
    out = tmp_path_factory.mktemp("readme") / "reports"
    done = subprocess.run(
        [sys.executable, "-m", "grader", "submissions/", "-o", str(out)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return lines(done.stdout.replace(str(out), "reports"))


def test_the_table_of_the_sample_class_is_what_grade_prints(sample_class: list[str]) -> None:
    shown = re.findall(r"```\n(Student .*?)```", README, re.DOTALL)[0]

    assert sample_class == lines(shown)


def test_every_make_target_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"make (\w+)", README)) - {"are"}

    assert named >= {"grade", "test", "check", "bench"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in named)


def test_every_option_the_readme_names_is_in_the_help() -> None:
    command = [sys.executable, "-m", "grader", "run", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    named = {
        option for line in README.splitlines() for option in re.findall(r"grade submissions/ .*?(--[a-z-]+)", line)
    }

    assert named >= {"--only", "--fail-under", "--json"}
    assert all(option in told for option in named)


def test_every_file_the_readme_links_to_exists() -> None:
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", README):
        assert (ROOT / target).exists()
