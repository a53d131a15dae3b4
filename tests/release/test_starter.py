from __future__ import annotations

import ast
from pathlib import Path

import pytest

from grader.errors import ConfigurationError
from grader.release.starter import starter

ROOT = Path(__file__).parents[2]
REFERENCES = sorted((ROOT / "solutions").glob("*/reference.py"))

SOURCE = '''\
"""What it computes."""

import math  # a solution needs it

import torch


class Layer(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        ### BEGIN SOLUTION
        self.size = size
        ### END SOLUTION

    def forward(self, x):  # the shape
        if x is not None:
            ### BEGIN SOLUTION
            x = x / math.sqrt(self.size)
            ### END SOLUTION
        return x


### BEGIN SOLUTION
def helper():
    return 1
### END SOLUTION
'''


def made(tmp_path: Path, source: str = SOURCE) -> str:
    file = tmp_path / "reference.py"
    file.write_text(source)
    return starter(file).source


def test_each_solution_is_replaced_by_a_line_that_says_what_is_missing(tmp_path: Path) -> None:
    assert (
        made(tmp_path)
        == '''\
"""What it computes."""

import math  # a solution needs it

import torch


class Layer(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        # YOUR CODE HERE, in the place of the next line
        raise NotImplementedError("Layer.__init__ is not written yet")

    def forward(self, x):  # the shape
        if x is not None:
            # YOUR CODE HERE, in the place of the next line
            raise NotImplementedError("Layer.forward is not written yet")
        return x


# YOUR CODE HERE
'''
    )


def test_what_was_removed_is_known(tmp_path: Path) -> None:
    file = tmp_path / "reference.py"
    file.write_text(SOURCE)

    assert [line.strip() for line in starter(file).removed] == [
        *("self.size = size", "x = x / math.sqrt(self.size)", "def helper():", "return 1"),
    ]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            SOURCE.replace("        ### END SOLUTION\n\n", "\n", 1),
            "line 11: ### BEGIN SOLUTION without its counterpart",
        ),
        (SOURCE.replace("        ### BEGIN SOLUTION\n", "", 1), "line 12: ### END SOLUTION without its counterpart"),
        (SOURCE.rpartition("### END")[0], "line 23: ### BEGIN SOLUTION without its counterpart"),
        (SOURCE.replace("SOLUTION", "NOTE"), "there is no solution marked in it"),
        (
            SOURCE.replace("        if x is", "        ### BEGIN SOLUTION\n        if x is", 1),
            "without its counterpart",
        ),
        ("def f(x):\n### BEGIN SOLUTION\n    if x:\n### END SOLUTION\n        return 1\n", "is not valid Python"),
    ],
)
def test_marks_that_do_not_fit_are_refused_with_their_line(tmp_path: Path, source: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        made(tmp_path, source)

    assert problem in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("file", REFERENCES, ids=lambda file: file.parent.name)
def test_starters_of_the_core_assignments_keep_all_imports_and_signatures(file: Path) -> None:
    before, after = ast.parse(file.read_text()), ast.parse(starter(file).source)

    def kept(tree: ast.Module) -> list[str]:
        return [
            ast.dump(node.args) if isinstance(node, ast.FunctionDef) else ast.dump(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom)
        ]

    assert kept(before) == kept(after)
    assert starter(file).source.count("raise NotImplementedError") == 2
