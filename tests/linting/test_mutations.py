from __future__ import annotations

import ast
from pathlib import Path

import pytest

from grader.linting.mutations import Mutant, diff, mutants

ROOT = Path(__file__).parents[2]
REFERENCES = sorted((ROOT / "solutions").glob("*/reference.py"))

SOURCE = '''\
import torch


class Attention(torch.nn.Module):
    """The docstring stays."""

    def __init__(self, size, rate=0.0):
        super().__init__()
        self.query = torch.nn.Linear(size, size)
        self.key = torch.nn.Linear(size, size)

    def forward(self, x, mask=None):
        """So does this one: 3."""
        q = self.query(x)
        k = self.key(x)  # (batch, seq, embed)
        scores = q @ k.transpose(1, 2) / 8
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -torch.inf)
        if not size:
            raise ValueError("nothing: " + str(1))
        return torch.softmax(scores, dim=-1)
'''


def lines(source: str = SOURCE) -> list[str]:
    """The new lines of each mutant, without their comments."""
    return [
        line[1:].partition("#")[0].strip()
        for mutant in mutants(source)
        for line in diff(source, mutant).splitlines()[2:]
        if line.startswith("+")
    ]


@pytest.mark.parametrize(
    "line",
    [
        "def __init__(self, size, rate=0.5):",
        "q = self.key(x)",
        "q = (x)",
        "q = (self.query(x)).detach()",
        "scores = k @ k.transpose(1, 2) / 8",
        "scores = q @ k / 8",
        "scores = k.transpose(1, 2) @ q / 8",
        "scores = q * k.transpose(1, 2) / 8",
        "scores = q @ k.transpose(2, 1) / 8",
        "scores = q @ k.transpose(0, 2) / 8",
        "scores = q @ k.transpose(1, 2) / 9",
        "scores = (q @ k.transpose(1, 2))",
        "if mask is None:",
        "if True:",
        "scores = scores.masked_fill(mask != 0, -torch.inf)",
        "scores = scores.masked_fill(mask == 1, -torch.inf)",
        "scores = scores.masked_fill(mask == 0, torch.inf)",
        "scores = scores",
        "if size:",
        "return (scores)",
        "return torch.softmax(scores, dim=-2)",
        "return torch.softmax(scores)",
        "pass",
    ],
)
def test_every_kind_of_mistake_is_made(line: str) -> None:
    assert line in lines()


def test_what_is_only_said_stays_as_it_is() -> None:
    changed = [line for line in lines() if "docstring" in line or "So does this" in line or "nothing: " in line]

    assert changed == []


@pytest.mark.parametrize("file", REFERENCES, ids=lambda file: file.parent.name)
def test_mutants_of_a_reference_are_valid_and_all_different(file: Path) -> None:
    source = file.read_text()
    trees = [ast.dump(ast.parse(source)), *(ast.dump(ast.parse(each.source)) for each in mutants(source))]

    assert len(trees) == len(set(trees))
    assert len(trees) > 60


@pytest.mark.parametrize("file", REFERENCES, ids=lambda file: file.parent.name)
def test_a_mutant_differs_in_one_place_and_keeps_comments(file: Path) -> None:
    source = file.read_text()
    for mutant in mutants(source):
        assert diff(source, mutant).count("\n@@ ") == 1
        assert mutant.source.count("#") == source.count("#")


def test_a_diff_shows_the_old_and_the_new_line() -> None:
    mutant = Mutant(number=1, change="line removed", line=2, source="a = 1\npass\nc = 3\n")

    assert diff("a = 1\nb = 2\nc = 3\n", mutant).splitlines()[2:] == [
        "@@ -1,3 +1,3 @@",
        " a = 1",
        "-b = 2",
        "+pass",
        " c = 3",
    ]


def test_letters_beyond_ascii_do_not_shift_the_change() -> None:
    source = 'def f(x):\n    y = "äöü", x + 1\n    return y\n'

    assert 'y = "äöü", x - 1' in lines(source)


def test_an_operator_changes_within_its_parentheses() -> None:
    source = "def f(a, b, c):\n    return (a + b) / (c + 2)\n"
    found = lines(source)

    assert {"return (a + b) * (c + 2)", "return (a - b) / (c + 2)", "return (a + b) / (c - 2)"} <= set(found)
    assert "return (c + 2) / (a + b)" in found
