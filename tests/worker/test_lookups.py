from __future__ import annotations

import pytest

from grader.worker.lookups import Lookups, lookups


def of(source: str) -> Lookups:
    return lookups(compile(source, "student.py", "exec", dont_inherit=True))


def test_bases_decorators_defaults_and_annotations_are_looked_up_early():
    found = of("@deco\nclass A(Base):\n    x = value\n    def f(self, y: Note = default): return late\n")

    assert found.early >= {"deco", "Base", "value", "Note", "default"}
    assert found.late == {"late"}


def test_a_comprehension_outside_of_functions_is_early_and_inside_it_is_late():
    found = of("class A:\n    x = [early for _ in y]\n    def f(self): return [late for _ in self.x]\n")

    assert "early" in found.early
    assert found.late == {"late"}


@pytest.mark.parametrize("use", ["lambda: name", "lambda: [name for _ in ()]", "lambda: lambda: name"])
def test_a_lambda_is_late(use):
    assert of(use).late == {"name"}


def test_a_class_inside_a_function_is_late():
    assert {"Base", "x"} <= of("def f():\n    class A(Base):\n        y = x\n").late


def test_locals_and_what_an_enclosing_function_holds_are_no_lookups():
    assert of("def f(x):\n    y = 1\n    return lambda: (x, y)\n").late == set()


@pytest.mark.parametrize("call", ["f()", "f(x, key=1)", "f(*x)", "f(**x)", "f(*x, **y)", "f(f2())"])
def test_what_is_called_is_known(call):
    assert "f" in of(f"def g(x, y): return {call}").called


@pytest.mark.parametrize("use", ["f", "f.a", "f.a()", "f[0]", "g(f)", "-f"])
def test_what_is_not_called_is_known(use):
    assert "f" not in of(f"def g2(x): return {use}").called


def test_a_builtin_class_counts_as_called_where_something_is_tested_against_classes():
    assert "list" in of("def f(x): return isinstance(x, (list, Own))").called
    assert "Own" not in of("def f(x): return isinstance(x, (list, Own))").called
    assert "list" not in of("def f(x): return list[0]").called


def test_a_name_used_for_its_attributes_alone_is_not_used_whole():
    found = of("def f(): return a.x, b.y(), b, c")

    assert found.whole == {"b", "c"}
