"""What is public of an assignment, and what is to be checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grader import selfcheck
from grader.assignments import load
from grader.errors import ConfigurationError

SETTINGS = """
id = "soft"
title = "Softmax"
[submission]
entry = "Softmax"
[contract]
construct = "size"
call = "x"
"""

CHECKS = '''
from grader.checks import check

@check(points=1, concept="form")
def test_first(student):
    """The first."""

@check(points=1, concept="form", hidden=True, after="test_first")
def test_secret(student):
    """The secret one."""

@check(points=1, concept="form", hidden=True, after=("test_secret", "test_first"))
def test_other_secret(student):
    """The other secret one."""

@check(points=2, concept="form", after=("test_other_secret", "test_first"))
def test_last(student):
    """The last."""
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "assignments" / "soft"
    (made / "checks").mkdir(parents=True)
    (made / "assignment.toml").write_text(SETTINGS)
    (made / "checks" / "test_all.py").write_text(CHECKS)
    return made


def test_hidden_checks_are_left_out_and_what_came_after_them_comes_after_their_own_prerequisites(folder: Path) -> None:
    public = load(folder, solutions=None, public=True)

    assert [(spec.id, spec.after) for spec in public.checks] == [
        ("test_all.py::test_first", ()),
        ("test_all.py::test_last", ("test_all.py::test_first",)),
    ]
    assert public.max_points == 3


def test_an_assignment_with_hidden_checks_alone_has_nothing_to_check(folder: Path) -> None:
    (folder / "checks" / "test_all.py").write_text(CHECKS.replace('concept="form")', 'concept="form", hidden=True)'))
    source = (folder / "checks" / "test_all.py").read_text().replace("after=(", "hidden=True, after=(", 2)
    (folder / "checks" / "test_all.py").write_text(source.replace("hidden=True, hidden=True", "hidden=True"))

    with pytest.raises(ConfigurationError, match="there is no public check"):
        selfcheck.assignments(folder.parent)


def test_the_same_code_is_asked_the_same_and_other_code_something_else(folder: Path, tmp_path: Path) -> None:
    known = selfcheck.assignments(folder.parent)
    seeds: list[Any] = []
    for source in ("class Softmax: ...\n", "class Softmax: ...\n", "class Softmax: ...  # other\n"):
        (tmp_path / "mine.py").write_text(source)
        (job,) = selfcheck.plan(selfcheck.read([tmp_path / "mine.py"]), known, explicit=False).jobs
        seeds.append(job.seed)

    assert seeds[0] == seeds[1] != seeds[2]


def test_forbidden_functions_are_looked_for_as_when_it_is_graded(folder: Path, tmp_path: Path) -> None:
    (folder / "assignment.toml").write_text(SETTINGS + '[policy]\nforbid = ["torch.softmax"]\n')
    (tmp_path / "mine.py").write_text(
        "import torch\nclass Softmax:\n    def forward(self, x): return torch.softmax(x)\n"
    )
    known = selfcheck.assignments(folder.parent)
    (job,) = selfcheck.plan(selfcheck.read([tmp_path / "mine.py"]), known, explicit=False).jobs

    assert [hit.name for hit in job.policy_hits] == ["torch.softmax"]
