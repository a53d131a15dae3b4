from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from grader.worker.harmless import Harmless


def keeps(source: str, statement: str, *own_modules: str) -> bool:
    """Whether a statement may run that stands below other code."""
    body = ast.parse(f"{dedent(source)}\n{statement}\n").body
    return Harmless(body, frozenset(own_modules)).keeps(body[-1])


@pytest.mark.parametrize(
    "value",
    [
        "1",
        "-1.5e3",
        "'text'",
        "(1, 2)",
        "{'d': 3}['d']",
        "[1, 2, *(3,)]",
        "{1, 2}",
        "10 ** -2 + 3 * 4",
        "not 1 < 2 <= 3 or 4",
        "1 if math.pi > 3 else 2",
        "math.sqrt(64)",
        "math.pi",
        "int('3')",
        "max(1, min(2, 3))",
        "dict(d_model=64)",
        "[1, 2, 3][0:2]",
        "lambda d: helper(d)",
        "f'{math.pi:.2f}'",
        "helper",
        "root(64)",
    ],
)
def test_a_constant_of_a_harmless_value_may_run(value):
    source = """
        import math
        from math import sqrt as root
        def helper(d=0): return d
    """

    assert keeps(source, f"CONSTANT = {value}")


@pytest.mark.parametrize(
    "value",
    [
        "helper()",
        "Helper()",
        "math.sqrt(helper())",
        "[helper() for _ in range(3)]",
        "{helper(): 1}",
        "'a b'.split()",
        "instance.method()",
        "(lambda: 1)()",
        "lambda d=helper(): d",
        "open('file')",
        "eval('1')",
        "f'{helper()}'",
        "(x := helper())",
        "1 if helper() else 2",
        "[1][helper()]",
        "sqrt(64)",
        "len([1])",
        "own.train()",
        "trained()",
        "relative()",
        "loop(64)",
    ],
)
def test_a_constant_that_might_call_what_a_student_wrote_may_not(value):
    source = """
        import math
        import own
        from own.part import trained
        from . import relative
        from math import sqrt
        from math import log as loop
        def helper(): raise AssertionError
        def sqrt(x): raise AssertionError
        def len(x): raise AssertionError
        class Helper: ...
        for loop in (): ...
    """

    assert not keeps(source, f"CONSTANT = {value}", "own")


TAKEN = """
    import torch
    from torch import nn
    try:
        import math as tool
    except ImportError: ...
    def helper(): ...
    class A: ...
"""


@pytest.mark.parametrize(
    "demo",
    [
        "{} = torch.tensor([1])",
        "{}: object = torch.zeros(3)",
        "{} = [1, 2]",
        "{}, other = 1, 2",
        "{} = other = None",
        "if torch.pi > 3:\n    {} = 3",
    ],
)
@pytest.mark.parametrize("name", ["list", "nn", "tool", "helper", "A"])
def test_a_value_never_takes_the_name_of_a_builtin_or_of_a_definition(demo, name):
    assert not keeps(TAKEN, demo.format(name))
    assert keeps(TAKEN, demo.format("new"))


@pytest.mark.parametrize("name", ["max", "nn", "tool", "helper", "A"])
@pytest.mark.parametrize("value", ["lambda x: x", "torch.max", "torch.nn.functional.softmax"])
def test_a_lambda_or_another_name_for_what_a_library_has_is_a_definition_like_any_other(value, name):
    assert keeps(TAKEN, f"{name} = {value}")


def test_a_fallback_for_an_import_may_run_whatever_it_is():
    assert keeps("", "try:\n    import no_such as fast\nexcept ImportError:\n    fast = None")
