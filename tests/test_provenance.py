from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import grader
from grader import provenance


def test_the_version_of_torch_is_that_of_the_distribution_without_its_build_tag():
    version = provenance.torch_version()

    assert metadata.version("torch").startswith(version)
    assert "+" not in version
    assert version[0].isdigit()


def test_the_version_is_told_without_importing_torch():
    code = "import sys; from grader import provenance; provenance.torch_version(); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert told == "False\n"


def test_the_digest_is_a_sha_256_that_stays_the_same():
    first = provenance.grader_digest()
    provenance.grader_digest.cache_clear()

    assert len(first) == 64
    assert int(first, 16) >= 0
    assert provenance.grader_digest() == first


def digest_of(folder: Path) -> str:
    """The digest that a copy of the grader in this folder gives itself."""
    code = "from grader import provenance; print(provenance.grader_digest())"
    command = [sys.executable, "-B", "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_the_digest_changes_with_any_source_file_and_with_nothing_else(tmp_path):
    copy = tmp_path / "grader"
    shutil.copytree(Path(grader.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = digest_of(tmp_path)
    (copy / "notes.txt").write_text("not a source file")
    with_notes = digest_of(tmp_path)
    with (copy / "checks" / "asserting.py").open("a") as file:
        file.write("# a comment\n")
    edited = digest_of(tmp_path)
    (copy / "checks" / "faults.py").rename(copy / "checks" / "failures.py")
    renamed = digest_of(tmp_path)

    assert before == with_notes == provenance.grader_digest()
    assert len({before, edited, renamed}) == 3


def test_what_only_shows_verdicts_is_not_part_of_the_digest(tmp_path):
    copy = tmp_path / "grader"
    shutil.copytree(Path(grader.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for showing in ("cli/run.py", "reports/terminal.py"):
        with (copy / showing).open("a") as file:
            file.write("# a comment\n")

    assert digest_of(tmp_path) == provenance.grader_digest()
