from __future__ import annotations

import ast

import pytest

from grader.worker.statements import Binding, Kind, assigned, bindings


def of(source: str) -> tuple[Binding, ...]:
    return bindings(ast.parse(source).body[0])


@pytest.mark.parametrize(
    ("source", "binding"),
    [
        ("class A: ...", Binding(name="A", kind=Kind.CLASS)),
        ("@deco\nclass A: ...", Binding(name="A", kind=Kind.CLASS, decorated=True)),
        ("def f(): ...", Binding(name="f", kind=Kind.FUNCTION)),
        ("async def f(): ...", Binding(name="f", kind=Kind.FUNCTION)),
        ("import a.b", Binding(name="a", kind=Kind.IMPORT, module="a")),
        ("import a.b as c", Binding(name="c", kind=Kind.IMPORT, module="a.b")),
        ("from a.b import c", Binding(name="c", kind=Kind.IMPORT, module="a.b", attribute="c")),
        ("from a.b import c as d", Binding(name="d", kind=Kind.IMPORT, module="a.b", attribute="c")),
        ("from .a import c", Binding(name="c", kind=Kind.IMPORT, attribute="c")),
        ("x = 1", Binding(name="x", kind=Kind.VALUE)),
        ("if x:\n    y = 1", Binding(name="y", kind=Kind.VALUE, certain=False)),
    ],
)
def test_what_a_statement_binds(source, binding):
    assert of(source) == (binding,)


def test_every_branch_binds():
    found = of("try:\n    import a\nexcept E:\n    a = None\nelse:\n    class B: ...\nfinally:\n    def f(): ...\n")

    assert [(each.name, each.kind) for each in found] == [
        ("a", Kind.IMPORT),
        ("B", Kind.CLASS),
        ("a", Kind.VALUE),
        ("f", Kind.FUNCTION),
    ]
    assert not any(each.certain for each in found)


def test_what_a_star_imports_is_not_known():
    assert of("from torch import *") == ()


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "x: int = 1",
        "x += 1",
        "(x, [y, *z]) = v",
        "for x in y: ...",
        "for y in z:\n    x = 1",
        "with a as x: ...",
        "print(x := 1)",
        "[x := y for y in z]",
        "match v:\n    case {'a': x}: ...",
        "match v:\n    case [*x]: ...",
        "def f():\n    global x\n    x = 1",
        "class A:\n    def f(self):\n        global x\n",
    ],
)
def test_a_name_that_gets_a_value_is_assigned(source):
    assert "x" in assigned(ast.parse(source).body)


@pytest.mark.parametrize(
    "source",
    [
        "def f(): x = 1",
        "class A: x = 1",
        "[x for x in y]",
        "lambda x: x",
        "lambda: (x := 1)",
        "import x",
        "def x(): ...",
        "a.x = 1",
        "x[0] = 1",
        "del x",
        "print(x)",
    ],
)
def test_a_name_that_gets_none_is_not(source):
    assert "x" not in assigned(ast.parse(source).body)
