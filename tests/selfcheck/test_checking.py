"""`grade check` with nothing but what students have: what it finds, what it says, how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="warm processes need Linux")

FIRST_LINE = "Public checks only: when it is graded, hidden checks look at more."


@pytest.fixture(autouse=True)
def _nothing_but_the_pack(pack: Path) -> None:
    assert not list(pack.rglob("reference.py"))
    assert "hidden=True" not in "".join(file.read_text() for file in pack.rglob("test_*.py"))


def notebook(*sources: str) -> str:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.writes(nbformat.v4.new_notebook(cells=cells))


# -- verdicts ----------------------------------------------------------------------------------------------------------


def test_a_correct_file_passes_without_hidden_checks_or_a_reference(pack: Path, check: Any, solution: Any) -> None:
    (pack / "attention.py").write_text(solution("reference"))
    done = check("attention.py", folder=pack)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == FIRST_LINE
    assert "Self-attention: 9 of 9 public checks are correct\nSelfAttention in attention.py" in done.stdout
    assert "WRONG" not in done.stdout
    assert done.stderr == ""


def test_a_wrong_file_does_not_pass_and_its_mistake_is_named(pack: Path, check: Any, solution: Any) -> None:
    (pack / "attention.py").write_text(solution("wrong/transpose_T_on_3d"))
    done = check("attention.py", folder=pack)

    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0] == FIRST_LINE
    assert "WRONG" in done.stdout
    assert "* .T on a batch" in done.stdout
    assert "attention.py, line " in done.stdout
    assert "isolation" not in done.stdout.lower()
    assert "reference.py" not in done.stdout


def test_without_a_file_the_only_one_with_such_a_class_is_taken(pack: Path, check: Any, solution: Any) -> None:
    (pack / "plots.py").write_text("class Plot: ...\n")
    (pack / "notes.txt").write_text(solution("reference"))
    (pack / "attention.ipynb").write_text(notebook("import torch", solution("reference")))
    done = check(folder=pack)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "SelfAttention in attention.ipynb" in done.stdout


def test_the_assignments_are_found_from_a_folder_below(pack: Path, check: Any, solution: Any) -> None:
    (pack / "mine" / "first").mkdir(parents=True)
    (pack / "mine" / "first" / "attention.py").write_text(solution("reference"))
    done = check("attention.py", folder=pack / "mine" / "first")

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_class_decides_which_assignment_it_is(packs: Path, check: Any, solution: Any, tmp_path: Path) -> None:
    both = tmp_path / "both.py"
    one = solution("reference")
    other = solution("accepted/einsum", "multi-head-attention")
    both.write_text(f"{one}\n{other}")
    done = check(both, "--assignments", packs / "assignments", folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "MultiHeadSelfAttention in both.py" in done.stdout
    assert "SelfAttention in both.py" in done.stdout.replace("MultiHeadSelfAttention", "")
    assert done.stdout.count("9 of 9 public checks are correct") == 2


def test_where_hidden_checks_are_they_are_left_alone(check: Any, solution: Any, tmp_path: Path) -> None:
    course = Path(__file__).resolve().parents[2] / "assignments"
    (tmp_path / "attention.py").write_text(solution("wrong/scale_missing"))
    done = check("attention.py", "--assignments", course, folder=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 of 9 public checks are correct" in done.stdout
    assert "scale" not in done.stdout.lower()


def test_several_files_are_taken_together(pack: Path, check: Any, solution: Any) -> None:
    (pack / "attention.py").write_text(f"from layers import projection\n{solution('reference')}")
    (pack / "layers.py").write_text("def projection(): ...\n")
    alone = check("attention.py", folder=pack)
    together = check("attention.py", "layers.py", folder=pack)

    assert together.returncode == 0, together.stdout + together.stderr
    assert "No module named 'layers'" in " ".join(alone.stdout.split())
    assert "layers" not in together.stdout


def test_the_page_is_opened_and_says_what_it_is_not(pack: Path, check: Any, solution: Any, tmp_path: Path) -> None:
    (pack / "attention.py").write_text(solution("reference"))
    shown = tmp_path / "shown"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {shown}\n')
    browser.chmod(0o755)
    done = check("attention.py", "--open", folder=pack, BROWSER=str(browser), TMPDIR=str(tmp_path))
    address = shown.read_text().strip()
    page = Path(address.removeprefix("file://")).read_text()

    assert done.returncode == 0, done.stderr
    assert FIRST_LINE in page
    assert "The module can be built from an embedding width." in page


# -- what cannot be checked --------------------------------------------------------------------------------------------


def write_nothing(_folder: Path, _solution: Callable[..., str]) -> None: ...


def write_folder(folder: Path, solution: Callable[..., str]) -> None:
    (folder / "mine").mkdir()
    (folder / "mine" / "attention.py").write_text(solution("reference"))


def write_text(folder: Path, solution: Callable[..., str]) -> None:
    (folder / "attention.txt").write_text(solution("reference"))


def write_damaged_notebook(folder: Path, solution: Callable[..., str]) -> None:
    (folder / "attention.ipynb").write_text(notebook(solution("reference"))[:400])


def write_list(folder: Path, _solution: Callable[..., str]) -> None:
    (folder / "attention.ipynb").write_text(json.dumps([1, 2, 3]))


def write_other_class(folder: Path, _solution: Callable[..., str]) -> None:
    (folder / "attention.py").write_text("class Transformer: ...\n")


def write_two(folder: Path, solution: Callable[..., str]) -> None:
    (folder / "one.py").write_text(solution("reference"))
    (folder / "two.ipynb").write_text(notebook(solution("reference")))


def write_empty(folder: Path, _solution: Callable[..., str]) -> None:
    (folder / "attention.py").write_text("")


@pytest.mark.parametrize(
    ("write", "arguments", "said"),
    [
        (write_nothing, ["atention.py"], "there is no file atention.py"),
        (write_two, ["onne.py"], "did you mean one.py?"),
        (write_nothing, ["nowhere/attention.py"], "check the name, and the folder"),
        (write_folder, ["mine"], "for example: grade check mine/attention.py"),
        (write_nothing, ["assignments"], "assignments is a folder; what is checked is a file"),
        (write_text, ["attention.txt"], "what is checked is a .py file or a notebook (.ipynb)"),
        (write_damaged_notebook, ["attention.ipynb"], "there is nothing to check in attention.ipynb"),
        (write_list, ["attention.ipynb"], "there is nothing to check in attention.ipynb"),
        (write_other_class, ["attention.py"], "the files define: Transformer"),
        (write_empty, ["attention.py"], "the files define no class"),
        (write_two, [], "several files here could be meant: one.py, two.ipynb"),
        (write_nothing, [], "no .py or .ipynb file here defines SelfAttention"),
        (write_two, ["one.py", "-a", "self-atention"], "did you mean 'self-attention'?"),
        (write_two, ["one.py", "--assignments", "elsewhere"], "there is no folder elsewhere"),
        (write_two, ["one.py", "--wach"], "No such option"),
    ],
)
def test_what_cannot_be_checked_is_said_with_what_to_do(
    pack: Path, check: Any, solution: Any, write: Any, arguments: list[str], said: str
) -> None:
    write(pack, solution)
    done = check(*arguments, folder=pack)

    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_without_assignments_it_is_said_where_to_go(check: Any, solution: Any, tmp_path: Path) -> None:
    (tmp_path / "attention.py").write_text(solution("reference"))
    done = check("attention.py", folder=tmp_path)

    assert done.returncode == 2
    assert "go to the folder that your course gave you" in done.stderr


def test_a_syntax_error_is_a_verdict_with_its_line(pack: Path, check: Any, solution: Any) -> None:
    (pack / "attention.py").write_text(solution("wrong/syntax_error"))
    done = check("attention.py", folder=pack)

    assert done.returncode == 1
    assert "0 of 9 public checks" in done.stdout
    assert "yntax error" in done.stdout
    assert "attention.py, line " in done.stdout


def test_an_assignment_s_own_template_is_what_the_student_reads(pack: Path, check: Any, solution: Any) -> None:
    templates = pack / "assignments" / "self-attention" / "templates"
    templates.mkdir()
    (templates / "selfcheck.txt").write_text("{{ view.correct }} correct, says {{ target }} in {{ file }}\n")
    (pack / "attention.py").write_text(solution("reference"))
    done = check("attention.py", folder=pack)

    assert done.stdout.splitlines()[0] == "9 correct, says SelfAttention in attention.py"


def test_a_template_that_cannot_be_used_is_named_with_its_line(pack: Path, check: Any, solution: Any) -> None:
    templates = pack / "assignments" / "self-attention" / "templates"
    templates.mkdir()
    (templates / "selfcheck.txt").write_text("fine\n{{ view.nonsense }}\n")
    (pack / "attention.py").write_text(solution("reference"))
    done = check("attention.py", folder=pack)

    assert done.returncode == 2
    assert "selfcheck.txt: line 2" in done.stderr
    assert "Traceback" not in done.stderr
