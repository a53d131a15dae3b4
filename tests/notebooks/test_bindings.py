from __future__ import annotations

import pytest

from grader.model import Cell
from grader.notebooks.bindings import MOST_BYTES, last_bindings


def cells(*sources: str | None) -> list[Cell]:
    return [Cell(number=number, source="", python=source, line=1) for number, source in enumerate(sources, 1)]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a = 1", {"a"}),
        ("a, (b, *c) = d", {"a", "b", "c"}),
        ("a += 1", {"a"}),
        ("a: int = 1", {"a"}),
        ("def f(x): y = x", {"f"}),
        ("async def f(): pass", {"f"}),
        ("class C:\n    z = 1\n    def m(self): pass", {"C"}),
        ("import torch.nn as nn, os.path", {"nn", "os"}),
        ("from math import sqrt as root, pi", {"root", "pi"}),
        ("for i in range(3):\n    j = i", {"i", "j"}),
        ("if x:\n    a = 1\nelse:\n    b = 2", {"a", "b"}),
        ("with open(p) as file: text = file.read()", {"file", "text"}),
        ("print(a.b)\na.b = 1\na[0] = 2", set()),
        ("(a := 3)", {"a"}),
        ("f = lambda q: (r := q)", {"f"}),
    ],
)
def test_what_a_cell_binds_at_its_top_level_is_found(source: str, names: set[str]) -> None:
    assert last_bindings(cells(source)) == dict.fromkeys(names, 1)


def test_the_last_cell_that_binds_a_name_counts() -> None:
    assert last_bindings(cells("a = 1\nb = 1", "a = 2", "print(a)")) == {"a": 2, "b": 1}


@pytest.mark.parametrize("source", [None, "def f(:", "\x00", "(" * 5000, "a = '\\d'\n\ndef ("])
def test_a_cell_that_is_no_python_binds_nothing_and_hides_nothing(source: str | None) -> None:
    assert last_bindings(cells(source, "a = 1")) == {"a": 2}


def test_an_escape_that_python_warns_of_is_read_in_silence() -> None:
    assert last_bindings(cells("a = '\\d'")) == {"a": 1}


def test_names_without_end_are_not_all_kept() -> None:
    many = [f"{'é' * 100}{number} = 1" for number in range(1000)]
    found = last_bindings(cells("\n".join(many), f"{'é' * 100}0 = 2"))

    assert sum(len(name.encode()) for name in found) <= MOST_BYTES
    assert 10 < len(found) < len(many)
    assert found[f"{'é' * 100}0"] == 2
