"""Lines for mistakes that no call shows: in a module, in a notebook, and where there is none to be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.model import Attempt, Cell, Certainty, Finding, Match, Place, SourceFile, Submission
from grader.submissions.definitions import SHOWN_BY, with_lines

SOURCE = """import torch
from torch import nn


class Other(nn.Module):
    def forward(self, x):
        return x


class Heads(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        torch.manual_seed(0)
        self.heads = [nn.Linear(width, width)] * heads

    def forward(self, x):
        weights = torch.softmax(x @ x.mT, -1)
        torch.softmax(x, -1)
"""
LINES = {
    "class-renamed": "class Heads(nn.Module):",
    "returns-none": "def forward(self, x):",
    "mask-not-accepted": "def forward(self, x):",
    "extra-required-argument": "def __init__(self, width, heads):",
    "indivisible-heads-accepted": "def __init__(self, width, heads):",
    "heads-python-list": "self.heads = [nn.Linear(width, width)] * heads",
    "attention-unused": "weights = torch.softmax(x @ x.mT, -1)",
    "rng-reseeded-in-init": "torch.manual_seed(0)",
}


def attempt(*ids: str, where: Place | None = None) -> Attempt:
    findings = (Finding(id=id_, certainty=Certainty.OBSERVED, title=id_, where=where) for id_ in ids)
    return Attempt(key="k", student="ada", assignment="a", results=(), findings=tuple(findings))


def submission(file: SourceFile) -> Submission:
    return Submission(student="ada", origin=Path("ada"), files=(file,), digest="d")


def module(source: str) -> Submission:
    return submission(SourceFile(path="a.py", content=source.encode()))


def notebook(*sources: str | None) -> Submission:
    cells, content = [], ""
    for number, each in enumerate(sources, 1):
        cells.append(Cell(number=number, source=each or "?", python=each, line=content.count("\n") + 1))
        content += f"{each or ''}\n"
    return submission(SourceFile(path="a.ipynb", content=content.encode(), cells=tuple(cells)))


def placed(of: Submission, *ids: str) -> list[Place | None]:
    found = with_lines(attempt(*ids), of, Match(file=of.files[0].path, target="Heads"))
    return [finding.where for finding in found.findings]


def test_every_mistake_that_a_definition_shows_is_tried_here() -> None:
    assert LINES.keys() == SHOWN_BY.keys()


@pytest.mark.parametrize("id_", LINES)
def test_the_line_is_in_the_graded_class_and_the_first_that_shows_it(id_: str) -> None:
    [place] = placed(module(SOURCE), id_)

    assert place is not None
    assert (place.file, place.cell) == ("a.py", None)
    assert SOURCE.splitlines()[place.line - 1].strip() == LINES[id_]


@pytest.mark.parametrize("id_", LINES)
def test_in_a_notebook_it_is_counted_in_the_last_cell_that_has_the_class(id_: str) -> None:
    draft = "class Heads:\n    pass\n"
    [place] = placed(notebook(draft, None, "x = 1", SOURCE, "print(Heads)"), id_)

    assert place is not None
    assert (place.file, place.cell) == ("a.ipynb", 4)
    assert SOURCE.splitlines()[place.line - 1].strip() == LINES[id_]


def test_a_line_that_is_known_already_stays() -> None:
    known = Place(file="a.py", line=2)
    before = attempt("returns-none", where=known)
    found = with_lines(before, module(SOURCE), Match(file="a.py", target="Heads"))

    assert found.findings[0].where == known


@pytest.mark.parametrize(
    "of",
    [
        module("def Heads(width): ..."),
        module("class Heads: pass"),
        module("class Heads(:"),
        module("(" * 5000),
        notebook(None, "x = 1"),
        module("x = 1\n" * 200_000 + SOURCE),  # too much to be parsed
        submission(SourceFile(path="b.py", content=SOURCE.encode())),
    ],
)
def test_where_nothing_shows_it_there_is_no_line(of: Submission) -> None:
    match = Match(file="a.py" if of.files[0].path == "b.py" else of.files[0].path, target="Heads")
    found = with_lines(attempt("returns-none", "scale-missing"), of, match)

    assert [finding.where for finding in found.findings] == [None, None]
