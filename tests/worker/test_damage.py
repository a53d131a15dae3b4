from __future__ import annotations

import ast
import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from grader.worker.damage import damage
from grader.worker.definitions import Unit, definitions_of, execute

SOLUTIONS = Path(__file__).parents[2] / "solutions"
HEALTHY = sorted([*SOLUTIONS.glob("*/accepted/*.py"), *SOLUTIONS.glob("*/reference.py")])
ATTENTION = """
    class A:
        def __init__(self, d): self.d = d
        def forward(self, x): return x
"""


def units(*cells: str) -> list[Unit]:
    return [Unit(filename=f"cell {number}", source=dedent(cell)) for number, cell in enumerate(cells, 1)]


def ran(notebook: list[Unit]) -> dict[str, Any]:
    """What the cells leave behind when one that fails does not stop the rest."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for unit in notebook:
        try:
            exec(compile(unit.source, unit.filename, "exec", dont_inherit=True), namespace)
        except Exception:
            continue
    return namespace


def said(*cells: str, target: str = "A") -> str:
    notebook = units(*cells)
    return damage(ran(notebook), definitions_of(notebook), target)


def using(expression: str) -> str:
    """A cell with a class whose method needs an expression."""
    return f"class A:\n    def forward(self, x):\n        return {expression}\n"


# -- healthy notebooks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_solution_is_healthy_in_one_cell_and_in_a_cell_per_statement(path):
    source = path.read_text()
    lines = source.splitlines()
    tree = ast.parse(source)
    classes = [statement.name for statement in tree.body if isinstance(statement, ast.ClassDef)]
    cells = [
        "\n".join(
            lines[min([each.lineno, *(it.lineno for it in getattr(each, "decorator_list", []))]) - 1 : each.end_lineno]
        )
        for each in tree.body
    ]

    for notebook in (units(source), units(*cells)):
        namespace = ran(notebook)
        found = definitions_of(notebook)
        assert [damage(namespace, found, name) for name in classes] == [""] * len(classes)


def test_there_are_solutions_to_try():
    assert len(HEALTHY) > 20


@pytest.mark.parametrize(
    "cells",
    [
        ("import math", using("math.sqrt(x)")),
        ("from math import pi", using("pi * x"), "pi = 3"),
        ("from math import sqrt", "sqrt = float", using("sqrt(x)")),
        ("def norm(x): return x", using("norm(x)"), "norm = abs"),
        ("class Head: d = 1", "Head = Head()", using("Head.d")),
        ("class Head: ...", "from functools import partial\nHead = partial(Head)", using("Head()")),
        ("@property\ndef odd(x): ...", using("odd")),
        ("def deco(c): return 5\n@deco\nclass Odd: ...", using("Odd")),
        ("HEADS = 4", using("HEADS"), "HEADS = None"),
        ("max = 512", using("x[:max]")),
        ("list = {}", using("list['a']")),
        ("def sum(x): return 0", using("sum(x)")),
        ("from math import *", using("pi * sqrt(x)")),
        ("try:\n    import no_such as fast\nexcept ImportError:\n    fast = None", using("fast and fast.f(x)")),
        ("if False:\n    import no_such as fast", using("fast.f(x)")),
        ("import math", using("math.pi"), "for math in (): ..."),
        ("list = 3", using("[list for list in x]")),
        ("list = 3", "class A:\n    def forward(self, list): return list(1)"),
        ("class Base: ...", "class A(Base):\n    def f(self): ...", "Base = 3"),
        ("def deco(c): return c", "@deco\nclass A:\n    def f(self): ...", "deco = 3"),
        ("class A:\n    size = len([max(x, 1) for x in (1,)])\n    def f(self): ...", "max = len = 3"),
        ("class A:\n    def f(self): ...", "def f(self): ...", "A.f = f"),
        ("class A:\n    def f(self): ...", "class A(A):\n    def g(self): ..."),
        ("class A:\n    def f(self): ...", "class A(A): ..."),
        ("class B:\n    def f(self): ...", "class A:\n    def f(self): ...", "A = B"),
        ("import dataclasses", "@dataclasses.dataclass\nclass A:\n    d: int = 4\n    def f(self): return self.d"),
        ("unknown()", using("x")),
        (using("unknown_everywhere(x)"),),
        ("# only a comment", ATTENTION, ""),
        ("%%html\n<b>", ATTENTION, "?help"),
        ("def demo(): return list(3)", ATTENTION, "list = 3"),
    ],
)
def test_a_notebook_that_works_is_not_damaged(cells):
    assert said(*cells) == ""


# -- the class itself --------------------------------------------------------------------------------------------------


def test_a_class_that_no_cell_defines_is_missing():
    assert said("x = 1") == "A is not defined when all cells have run"


def test_a_class_whose_cell_failed_first_is_missing_and_the_cell_is_named():
    assert (
        said("x = 1", "unknown()\nclass A: ...") == "A is missing when all cells have run, although cell 2 defines it"
    )


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("A = A(4)", "a value of type A"),
        ("A = None", "None"),
        ("def A(x): ...", "a function"),
        ("import math as A", "a module"),
        ("A = [1]", "a value of type list"),
        ("A = type('not a name', (), {})()", "a value of another type"),
    ],
)
def test_a_class_shadowed_by_something_else_says_by_what(cell, what):
    assert said(ATTENTION, cell) == f"A is {what} when all cells have run, not a class"


def test_a_class_defined_three_times_is_the_last():
    assert said(ATTENTION, ATTENTION, ATTENTION) == ""


def test_a_class_whose_last_definition_never_ran_is_an_old_one():
    assert said(ATTENTION, ATTENTION, "unknown()\n" + dedent(ATTENTION)) == (
        "A is still the one that cell 2 defines, not the last one, in cell 3"
    )


def test_a_last_definition_in_the_same_cell_counts_too():
    cell = dedent(ATTENTION)

    assert said(f"{cell}\nunknown()\n{cell}") == "A is still the one that cell 1 defines, not the last one, in cell 1"


def test_a_last_definition_that_cannot_be_parsed_does_not_count():
    assert said(ATTENTION, "class A:\n    def f(self:\n") == ""


def test_a_last_definition_inside_a_function_does_not_count():
    assert said(ATTENTION, "unknown()\ndef f():\n    class A:\n        def f(self): ...\n") == ""


# -- what it needs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cells",
    [
        ("unknown()\nimport math", using("math.sqrt(x)")),
        ("unknown()\ndef helper(): ...", using("helper(x)")),
        ("unknown()\nclass Helper: ...", using("Helper(x)")),
        ("unknown()\nHEADS = 4", using("HEADS * x")),
        ("import no_such_package as package", using("package.f(x)")),
    ],
)
def test_a_name_that_the_class_needs_and_whose_cell_failed_is_damage(cells):
    name = said(*cells).split(" ")[0]

    assert name in {"math", "helper", "Helper", "HEADS", "package"}
    assert said(*cells).startswith(f"{name} is missing when all cells have run, although cell 1 ")


@pytest.mark.parametrize(
    "demo",
    [
        "import torch\nlist = torch.randn(3)",
        "list = [1, 2]",
        "for list in [[1]]: ...",
        "with open('/dev/null') as list: ...",
        "print(list := 3)",
        "match 3:\n    case list: ...",
        "(list, other) = 1, 2",
        "def f():\n    global list\n    list = 3\nf()",
    ],
)
@pytest.mark.parametrize("use", ["list(x)", "isinstance(x, list)", "isinstance(x, (list, tuple))", "list(*x, **x)"])
def test_a_builtin_that_a_demonstration_overwrote_is_damage(demo, use):
    found = said(using(use), demo)

    assert found.startswith("list is a value of type ")
    assert found.endswith(" when all cells have run, not Python's own list")


@pytest.mark.parametrize(
    ("provider", "use", "demo", "told"),
    [
        ("class Head: ...", "Head(x)", "Head = Head()", "a value of type Head"),
        ("class Head: ...", "super(Head, x)", "Head = 3", "a value of type int"),
        ("def norm(x): ...", "norm(x)", "norm = norm(3)", "None"),
        ("import torch.nn.functional as F", "F.relu(x)", "import torch\nF = torch.ones(2)", "a value of type Tensor"),
        ("import torch.nn.functional as F", "F.relu(x)", "F = Linear(2, 2)", "a value of type Linear"),
        ("from torch import nn", "nn.Linear(x)", "nn = 3", "a value of type int"),
        ("from torch.nn import Linear", "Linear(2, 2)", "Linear = Linear(2, 2)", "a value of type Linear"),
        ("from torch.nn import Linear as L", "L(2, 2)", "L = L(2, 2)", "a value of type Linear"),
        ("from math import sqrt", "sqrt(x)", "for sqrt in (1, 2): ...", "a value of type int"),
        ("from no_such import f", "f(x)", "f = 3", "a value of type int"),
    ],
)
def test_a_name_that_holds_something_else_than_its_definition_is_damage(provider, use, demo, told):
    name = re.split(r"\W", demo.split("\n")[-1].removeprefix("for "))[0]
    verb = "imports" if "import" in provider else "defines"

    assert said(provider, using(use), f"from torch.nn import Linear\n{demo}" if name == "F" else demo) == (
        f"{name} is {told} when all cells have run, not what cell 1 {verb}"
    )


def test_what_is_needed_is_followed_through_functions_classes_bases_and_decorators():
    cells = (
        "import math",
        "def root(x): return math.sqrt(x)",
        "class Base:\n    def scale(self, x): return root(x)",
        "def deco(c):\n    def made(*a): return len(a)\n    return c",
        "@deco\nclass A(Base):\n    def f(self): ...",
    )

    assert said(*cells) == ""
    assert said(*cells, "math = 3").startswith("math is a value of type int")
    assert said(*cells, "root = 3").startswith("root is a value of type int")
    assert said(*cells, "len = 3").startswith("len is a value of type int")
    assert said(*cells, "Base = deco = 3") == ""


def test_a_class_under_a_second_name_needs_what_it_needed_under_its_first():
    first = "class First:\n    def f(self, x): return len(x)"

    assert said(first, "A = First") == ""
    assert said(first, "A = First", "len = 3").startswith("len is a value of type int")


def test_an_earlier_definition_that_the_last_builds_on_is_followed():
    first = "class A:\n    def f(self, x): return len(x)"

    assert said(first, "class A(A):\n    def g(self): ...", "len = 3").startswith("len is a value of type int")
    assert said(first, "class A:\n    def g(self): ...", "len = 3") == ""


def test_the_definitions_alone_are_healthy_where_the_notebook_was_not():
    notebook = units(using("list(x)"), "list = 3", "A = A()", "unknown()\nimport math")
    found = definitions_of(notebook)
    namespace: dict[str, Any] = {"__name__": "__main__"}

    assert damage(ran(notebook), found, "A") == "A is a value of type A when all cells have run, not a class"
    assert execute(found, namespace, persistent=True) == ()
    assert damage(namespace, found, "A") == ""


# -- hostile values ----------------------------------------------------------------------------------------------------

HOSTILE = """
    class Mean(type):
        @property
        def __name__(cls): raise ValueError
        def __instancecheck__(cls, other): raise ValueError
        def __subclasscheck__(cls, other): raise ValueError
        def __getattribute__(cls, name): raise ValueError
    class Hostile(metaclass=Mean):
        @property
        def __class__(self): raise ValueError
        @property
        def __dict__(self): raise ValueError
        def __bool__(self): raise ValueError
        def __eq__(self, other): raise ValueError
        def __getattribute__(self, name): raise ValueError
        def __hash__(self): return hash("A")
        def __repr__(self): raise ValueError
        __str__ = __format__ = __iter__ = __len__ = __repr__
    hostile = Hostile()
"""


@pytest.mark.parametrize(
    ("demo", "expected"),
    [
        ("A = hostile", "A is a value of type Hostile when all cells have run, not a class"),
        ("A = Hostile", ""),
        ("list = hostile", "list is a value of type Hostile when all cells have run, not Python's own list"),
        ("F = hostile", "F is a value of type Hostile when all cells have run, not what cell 2 imports"),
        ("helper = hostile", "helper is a value of type Hostile when all cells have run, not what cell 2 defines"),
        ("globals()[hostile] = 1", ""),
        ("A.forward.__dict__['x'] = A.y = hostile", ""),
    ],
)
def test_hostile_values_are_told_by_their_type_alone(demo, expected):
    cells = (HOSTILE, "import math as F\ndef helper(): ...", using("list(F.sqrt(helper(x)))"), demo)

    assert said(*cells) == expected


def test_a_long_type_name_is_left_out():
    assert "another type" in said(ATTENTION, "A = type('a' * 1000, (), {})()")
