from __future__ import annotations

import builtins

import pytest

from grader import wire
from grader.checks.faults import Raised
from grader.examiner.exceptions import explain
from grader.examiner.imports import UNAVAILABLE, WELL_KNOWN, forgotten, is_import, undefined
from grader.examiner.scenes import Case, Scene
from grader.examiner.sizes import CallSizes

NOT_FOUND = "SelfAttention is not defined when the file has run"


def undefined_by_python(name: str) -> tuple[str, str]:
    """What Python says when a name is looked up that nothing has bound."""
    with pytest.raises(NameError) as caught:
        exec(name, {})
    return type(caught.value).__name__, str(caught.value)


@pytest.mark.parametrize(("name", "statement"), WELL_KNOWN.items())
def test_each_statement_can_be_run_here_and_binds_its_name_and_no_other(name, statement):
    namespace: dict[str, object] = {}
    exec(statement, namespace)

    assert namespace.keys() - {"__builtins__"} == {name}


@pytest.mark.parametrize("name", WELL_KNOWN)
def test_the_statement_is_told_from_what_python_says_about_the_name(name):
    assert forgotten(*undefined_by_python(name)) == WELL_KNOWN[name]


def test_no_builtin_is_taken_for_a_forgotten_import():
    assert not (WELL_KNOWN.keys() | UNAVAILABLE) & set(dir(builtins))


@pytest.mark.parametrize(
    ("type_", "text", "statement"),
    [
        ("NameError", "name 'math' is not defined. Did you forget to import 'math'?", "import math"),
        ("NameError", "name 'nn' is not defined. Did you mean: 'np'?", "from torch import nn"),
        ("NotFound", f"{NOT_FOUND}; line 3: NameError: name 'nn' is not defined", "from torch import nn"),
        (
            "NotFound",
            f"{NOT_FOUND}; cell 2, line 3: NameError: name 'F' is not defined; line 9: ValueError: no",
            "import torch.nn.functional as F",
        ),
        (
            "NotFound",
            f"{NOT_FOUND}; line 1: NameError: name 'loader' is not defined; line 3: NameError: name 'np' is not"
            " defined; line 4: NameError: name 'math' is not defined",
            "import numpy as np",
        ),
    ],
)
def test_a_forgotten_import_is_told_from_the_text_of_an_exception(type_, text, statement):
    assert forgotten(type_, text) == statement


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        ("NameError", "name 'attention' is not defined"),
        ("NameError", "name 'einops' is not defined"),
        ("NameError", "name 'maths' is not defined. Did you mean: 'math'?"),
        ("NameError", "cannot access free variable 'math' where it is not associated with a value in enclosing scope"),
        ("NameError", ""),
        ("UnboundLocalError", "cannot access local variable 'math' where it is not associated with a value"),
        ("UnboundLocalError", "name 'math' is not defined"),
        ("ModuleNotFoundError", "No module named 'math'"),
        ("AttributeError", "module 'torch' has no attribute 'nn'"),
        ("ValueError", "name 'math' is not defined"),
        ("NotFound", NOT_FOUND),
        ("NotFound", "math is not defined when the file has run"),
        ("NotFound", f"{NOT_FOUND}; line 3: ValueError: name 'math' is not defined"),
        ("NotFound", f"{NOT_FOUND}; line 3: NameError: name 'Base' is not defined"),
    ],
)
def test_whatever_else_goes_wrong_is_no_forgotten_import(type_, text):
    assert forgotten(type_, text) is None


def test_all_names_that_a_file_lacks_are_told_once_and_in_order():
    lines = [f"line {line}: NameError: name '{name}' is not defined" for line, name in enumerate(("nn", "b", "nn"))]

    assert undefined("NotFound", "; ".join((NOT_FOUND, *lines))) == ("nn", "b")


@pytest.mark.parametrize(("name", "known"), [("math", True), ("einops", True), ("attention", False), ("", False)])
def test_an_import_is_known_by_its_name_even_where_it_cannot_be_supplied(name, known):
    assert is_import(name) is known


# -- the finding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "text", "id_"),
    [
        ("NameError", "name 'math' is not defined", "import-missing"),
        ("NameError", "name 'einops' is not defined", "import-missing"),
        ("NameError", "name 'attention' is not defined", "name-undefined"),
        ("NotFound", f"{NOT_FOUND}; line 3: NameError: name 'nn' is not defined", "import-missing"),
        ("NotFound", f"{NOT_FOUND}; line 3: NameError: name 'Base' is not defined", "name-undefined"),
        ("NotFound", NOT_FOUND, None),
        ("ValueError", "name 'math' is not defined", None),
    ],
)
def test_the_finding_of_an_exception_is_a_missing_import_for_the_same_names(type_, text, id_):
    raised = Raised(wire.Raised(stage="call", type=type_, message=text, frames=(), overtime=False, output=""))

    explained = explain(Case(here=Scene(fault=raised, sizes=CallSizes())))

    assert (explained.id if explained else None) == id_
