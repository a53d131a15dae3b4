"""`grade report` and `--open`: reports written again from stored attempts, and shown."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

CLASS = {"ada": "accepted/no_bias.py", "bob": "wrong/scale_missing.py", "cleo": "wrong/scale_missing.py"}


def written(folder: Path) -> dict[str, bytes]:
    reports = folder / "reports"
    return {
        path.relative_to(reports).as_posix(): path.read_bytes()
        for path in sorted(reports.rglob("*"))
        if path.is_file() and "attempts" not in path.name
    }


def results(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "reports" / "results.json").read_bytes())


def solution(repository: Path, name: str) -> str:
    return (repository / "solutions" / "self-attention" / name).read_text("utf-8")


@pytest.fixture(scope="module")
def graded(grade, repository, tmp_path_factory) -> Path:
    """A folder in which a class of three was graded."""
    folder = tmp_path_factory.mktemp("graded")
    for name in ("assignments", "solutions"):
        (folder / name).symlink_to(repository / name)
    (folder / "submissions").mkdir()
    for student, name in CLASS.items():
        (folder / "submissions" / f"{student}.py").write_text(solution(repository, name))
    process = grade("submissions", folder=folder)
    assert process.returncode == 0, process.stderr
    return folder


@pytest.fixture
def folder(graded, tmp_path) -> Path:
    """A copy of it, to be changed."""
    copy = tmp_path / "copy"
    shutil.copytree(graded, copy, symlinks=True)
    return copy


@pytest.fixture
def browser(tmp_path) -> tuple[dict[str, str], Path]:
    """A browser that writes down what it is asked to open: the variables that name it, and the file it writes to."""
    asked = tmp_path / "asked"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" >> "{asked}"\n')
    program.chmod(0o755)
    return {"BROWSER": f"{program} %s"}, asked


# -- written again -----------------------------------------------------------------------------------------------------


def test_reports_written_again_are_those_of_the_run(grade, folder):
    before, run = written(folder), results(folder)
    for name in before:
        (folder / "reports" / name).unlink()
    process = grade("report", "submissions", folder=folder)
    again = results(folder)

    assert process.returncode == 0, process.stderr
    assert set(written(folder)) == set(before)
    for submission, earlier in zip(again["submissions"], run["submissions"], strict=True):
        assert submission == earlier | {"reused": True}
    for name in set(before) - {"index.html", "results.json"}:
        assert written(folder)[name] == before[name]
    assert process.stdout.splitlines()[-3].startswith("3 graded")


def test_nothing_heavy_is_imported_and_no_process_is_started(folder):
    program = (
        "import sys, subprocess, os; from grader.cli import main\n"
        "def refuse(event, details):\n"
        "    if event in ('subprocess.Popen', 'os.fork', 'os.posix_spawn', 'os.exec'): os._exit(77)\n"
        "sys.addaudithook(refuse)\n"
        "sys.argv = ['grade', 'report', 'submissions', '--quiet']\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'torch', 'numpy', 'pytest', 'nbclient', 'grader.worker', 'grader.examiner'}\n"
        "print(code, sorted(heavy & set(sys.modules)))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )

    assert process.stdout == "0 []\n", process.stderr


def test_what_was_not_graded_as_it_is_now_is_left_out_and_counted(grade, folder):
    with (folder / "submissions" / "bob.py").open("a") as file:
        file.write("\n# edited\n")
    process = grade("report", "submissions", folder=folder)

    assert process.returncode == 1
    assert "1 left out, which nobody graded as they are now; `grade run` does." in process.stdout
    assert [each["student"] for each in results(folder)["submissions"]] == ["ada", "cleo"]
    assert results(folder)["ungraded"] == 1
    assert b"One submission is left out" in written(folder)["index.html"]


def test_where_nothing_was_graded_there_is_nothing_to_report(grade, folder):
    shutil.rmtree(folder / "reports")
    process = grade("report", "submissions", folder=folder)

    assert process.returncode == 2
    assert "nothing was graded yet: there is no reports/attempts.sqlite" in process.stderr
    assert "\n\nhint: grade them first" in process.stderr
    assert not (folder / "reports").exists()


def test_where_all_files_are_others_there_is_nothing_to_report_either(grade, folder):
    before = written(folder)
    for path in (folder / "submissions").iterdir():
        path.write_text(path.read_text() + "\n# edited\n")
    process = grade("report", "submissions", folder=folder)

    assert process.returncode == 2
    assert "none of these 3 submissions was graded as it is now" in process.stderr
    assert written(folder) == before


def test_one_student_and_json_can_be_asked_for(grade, folder):
    process = grade("report", "submissions", "--only", "bob", "--json", folder=folder)
    printed = json.loads(process.stdout)

    assert [each["student"] for each in printed["submissions"]] == ["bob"]
    assert process.stderr == ""


def test_a_limit_holds_for_reports_too(grade, folder):
    assert grade("report", "submissions", "--fail-under", "100", folder=folder).returncode == 1


def test_help_of_report_promises_what_it_does(grade, folder):
    text = grade("report", "--help", folder=folder).stdout

    assert "Nothing is examined and no student code is run." in " ".join(text.split())
    for option in ("--assignment", "--assignments", "--solutions", "--out", "--only", "--open", "--quiet", "--json"):
        assert option in text
    assert "--fresh" not in text


# -- of a class as a whole ---------------------------------------------------------------------------------------------


def test_nearly_the_same_code_is_told_to_the_instructor_alone(graded):
    assert results(graded)["likenesses"] == [
        {"assignment": "self-attention", "students": ["bob", "cleo"], "similarity": 1.0}
        | {"size": results(graded)["likenesses"][0]["size"]}
    ]
    told = {name for name, content in written(graded).items() if b"same from beginning to end" in content}
    assert told == {"index.html"}


def test_what_changed_since_the_last_run_is_told_and_kept(grade, folder, repository):
    (folder / "submissions" / "bob.py").write_text(solution(repository, "accepted/fused_qkv_stacked.py"))
    first = results(folder)
    process = grade("submissions", folder=folder)
    changes = results(folder)["changes"]
    grade("report", "submissions", folder=folder)

    assert process.returncode == 0, process.stderr
    assert first["changes"] is None
    [change] = changes["changes"]
    assert (change["student"], change["edited"]) == ("bob", True)
    assert change["after"] == 20
    assert change["gained"]
    assert len(change["gone"]) == 1
    assert changes["since"] == first["finished"]
    assert results(folder)["changes"] == changes
    assert b"Put right" in written(folder)["index.html"] or b"put right" in written(folder)["index.html"]


# -- opened ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "report"])
def test_the_class_page_is_opened_when_that_is_asked_for(grade, folder, browser, command):
    variables, asked = browser
    process = grade(command, "submissions", "--open", folder=folder, **variables)

    assert process.returncode == 0, process.stderr
    assert asked.read_text().splitlines() == [(folder / "reports" / "index.html").resolve().as_uri()]


def test_nothing_is_opened_otherwise(grade, folder, browser):
    variables, asked = browser
    grade("report", "submissions", folder=folder, **variables)

    assert not asked.exists()


def test_where_there_is_no_browser_the_page_is_named(grade, folder, tmp_path):
    nothing = {"BROWSER": str(tmp_path / "missing") + " %s", "PATH": str(tmp_path), "DISPLAY": ""}
    process = grade("report", "submissions", "--open", "--quiet", folder=folder, **nothing)

    assert process.returncode == 0
    assert process.stdout == ""
    assert "no browser was found; open reports/index.html yourself" in process.stderr
    assert "hint: the variable BROWSER names the command that opens a page" in process.stderr
