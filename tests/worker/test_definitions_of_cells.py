from __future__ import annotations

from textwrap import dedent
from typing import Any

from grader.worker.definitions import Definitions, Place, Problem, Unit, definitions, definitions_of, execute


def cells(*sources: str) -> Definitions:
    return definitions_of(
        [Unit(filename=f"cell {number}", source=dedent(text)) for number, text in enumerate(sources, 1)]
    )


def rescued(*sources: str) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    namespace: dict[str, Any] = {"__name__": "student"}
    problems = execute(cells(*sources), namespace, persistent=True)
    return namespace, problems


def test_what_is_kept_and_skipped_knows_its_cell():
    found = cells("import math\nprint(1)", "# only a comment", "", "\nclass A: ...\nwhile True: ...\n")

    assert found.filenames == ("cell 1", "cell 2", "cell 3", "cell 4")
    assert [(piece.filename, piece.line) for piece in found.code] == [("cell 1", 1), ("cell 4", 2)]
    assert found.skipped == (Place(filename="cell 1", line=2), Place(filename="cell 4", line=3))


def test_functions_know_their_cell():
    namespace, _ = rescued("x = 1", "def f(): ...")

    assert namespace["f"].__code__.co_filename == "cell 2"


def test_a_cell_that_cannot_be_parsed_costs_only_itself():
    namespace, problems = rescued("import math", "x = 1\nclass A:\n    def f(self:\n", "%%html\n<b>", "class B: ...")

    assert [(problem.filename, problem.line, problem.type) for problem in problems] == [
        ("cell 2", 3, "SyntaxError"),
        ("cell 3", 1, "SyntaxError"),
    ]
    assert {"math", "B"} <= set(namespace)


def test_a_branch_too_deep_for_the_compiler_costs_only_itself():
    deep = "if x:\n    import a\n" + "elif y:\n    import b\n" * 2000

    namespace, problems = rescued("x = y = 0", deep, "class A: ...")

    assert "A" in namespace
    assert {problem.filename for problem in problems} <= {"cell 2"}


def test_constants_are_found_across_cells_before_and_after_their_use():
    namespace, problems = rescued("HEADS = 4\nUNUSED = 1", "def f(): return HEADS * DIM", "DIM = 16")

    assert problems == ()
    assert namespace["f"]() == 64
    assert "UNUSED" not in namespace


def test_what_a_later_cell_rebinds_is_not_trusted_in_an_earlier_one():
    found = cells("from math import sqrt", "SCALE = sqrt(64)\ndef f(): return SCALE", "def sqrt(x): ...")

    assert found.skipped == (Place(filename="cell 2", line=1),)


def test_the_students_own_modules_are_not_called_from_any_cell():
    notebook = [Unit(filename="1", source="import own"), Unit(filename="2", source="X = own.f()\ndef f(): return X")]

    assert definitions_of(notebook, own_modules=frozenset({"own"})).skipped == (Place(filename="2", line=1),)


def test_a_future_import_holds_for_the_cells_below():
    namespace, problems = rescued(
        "def f(x: int): ...",
        "from __future__ import annotations",
        "def g(x: NotDefined): ...",
    )

    assert problems == ()
    assert namespace["f"].__annotations__ == {"x": int}
    assert namespace["g"].__annotations__ == {"x": "NotDefined"}


def test_decorators_and_dataclasses_work_across_cells():
    namespace, problems = rescued(
        "def twice(f): return lambda x: f(f(x))",
        "from dataclasses import dataclass",
        "@dataclass\nclass Config:\n    d: int = 4\n",
        "@twice\ndef add(x): return x + Config().d",
    )

    assert problems == ()
    assert namespace["add"](0) == 8


def test_a_class_above_the_cell_with_its_imports_is_made_when_they_are_there():
    namespace, problems = rescued("class A(B):\n    x = math.pi", "class B(Base): ...", "import math\nclass Base: ...")

    assert problems == ()
    assert issubclass(namespace["A"], namespace["Base"])


def test_a_file_is_run_in_its_order_only():
    problems = execute(definitions("class A(B): ...\nclass B: ...\n", "student.py"), {})

    assert [problem.type for problem in problems] == ["NameError"]


def test_only_what_still_fails_is_a_problem():
    _, problems = rescued("class A(B): ...", "class C(Never): ...", "class B: ...", "import no_such_module")

    assert [(problem.filename, problem.type) for problem in problems] == [
        ("cell 2", "NameError"),
        ("cell 4", "ModuleNotFoundError"),
    ]


def test_an_earlier_definition_that_succeeds_late_does_not_replace_a_later_one():
    namespace, problems = rescued("class A(Base): x = 1", "class A: x = 2", "class Base: ...")

    assert problems == ()
    assert namespace["A"].x == 2


def test_an_earlier_star_import_that_succeeds_late_replaces_nothing():
    namespace, problems = rescued(
        "try:\n    needs\n    from math import *\nexcept ImportError: ...",
        "if needs:\n    from math import *",
        "def sqrt(x): return x",
        "import math as needs",
    )

    assert problems == ()
    assert namespace["sqrt"](4) == 4
    assert namespace["pi"] > 3


def test_a_later_definition_that_succeeds_late_replaces_an_earlier_one():
    namespace, _ = rescued("class A: x = 1", "class A(Base): x = 2", "class A(Base): x = 3", "class Base: ...")

    assert namespace["A"].x == 3


def test_a_class_that_extends_itself_in_a_later_cell_is_extended_once():
    namespace, problems = rescued("class A(Base): x = 1", "class A(A): y = 2", "class Base: ...")

    assert problems == ()
    assert (namespace["A"].x, namespace["A"].y) == (1, 2)


def test_when_the_last_of_three_definitions_fails_the_one_before_remains_and_the_failure_is_told():
    namespace, problems = rescued("class A: x = 1", "class A: x = 2", "class A: x = 1 / 0")

    assert namespace["A"].x == 2
    assert [(problem.filename, problem.type) for problem in problems] == [("cell 3", "ZeroDivisionError")]


def test_a_problem_is_told_of_the_cell_whose_code_failed_and_not_of_what_it_called():
    _, problems = rescued("def broken(): return 1 / 0", "x = 1\nclass A:\n    y = broken()")

    assert [(problem.filename, problem.line) for problem in problems] == [("cell 2", 3)]


def test_a_definition_only_the_compiler_refuses_is_a_problem_of_its_cell():
    namespace, problems = rescued("class A: ...", "def f():\n    await x\n", "class B: ...")

    assert [(problem.filename, problem.line, problem.type) for problem in problems] == [("cell 2", 2, "SyntaxError")]
    assert {"A", "B"} <= set(namespace)


def test_a_notebook_whose_demonstrations_shadow_everything_gives_its_class():
    namespace, problems = rescued(
        "class SelfAttention(nn.Module):\n    def forward(self, x): return F.relu(x), list(x)",
        "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F",
        "SelfAttention = SelfAttention()",
        "list = torch.randn(3)",
        "F = torch.ones(3)",
        "nn = 3",
    )

    assert problems == ()
    assert namespace["SelfAttention"]().forward(namespace["torch"].ones(1))[1] == [1.0]


def test_no_cells_have_no_definitions():
    assert definitions_of([]) == Definitions(filenames=(), code=(), skipped=())
