from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from grader.worker import definitions as module
from grader.worker.definitions import Definitions, Problem, definitions, execute


def kept(source: str, **options: Any) -> Definitions:
    return definitions(dedent(source), "student.py", **options)


def skipped(found: Definitions) -> list[int]:
    return [place.line for place in found.skipped]


def run(source: str, **options: Any) -> dict[str, Any]:
    """Execute the definitions of a file that must not fail, and return its names."""
    namespace: dict[str, Any] = {"__name__": "student"}
    problems = execute(kept(source, **options), namespace)
    assert problems == ()
    return namespace


def names(source: str, **options: Any) -> set[str]:
    return set(run(source, **options)) - {"__name__", "__builtins__"}


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_imports_classes_and_functions_are_kept():
    source = """
        import math
        from math import sqrt as root
        class A: ...
        def f(): ...
        async def g(): ...
    """

    assert names(source) == {"math", "root", "A", "f", "g"}


@pytest.mark.parametrize(
    "statement",
    [
        "f()",
        "print(1)",
        "for i in range(3): f()",
        "while True: f()",
        "with open('x') as file: f()",
        "if __name__ == '__main__': import math",
        "if __name__ == '__main__': x = 1",
        "if f(): import math",
        "if True: f()",
        "assert False",
        "raise ValueError",
        "del f",
        "x += 1",
        "x: int",
        "f.attribute = 1",
        "[x for x in f()]",
        "match f():\n    case 1: import math",
    ],
)
def test_loops_calls_and_demonstrations_are_skipped(statement):
    found = kept(f"def f():\n    raise AssertionError\n{statement}\n")

    assert [piece.line for piece in found.code] == [1]
    assert skipped(found) == [3]


def test_docstrings_are_not_listed_as_skipped():
    assert skipped(kept('"""What this is."""\nx = 1\nprint(x)\n')) == [2, 3]


def test_a_constant_of_a_harmless_value_is_kept_when_a_definition_uses_it():
    assert "CONSTANT" in names("import math\nCONSTANT = math.sqrt(64)\ndef use(): return CONSTANT\n")


def test_a_constant_nobody_uses_is_skipped():
    assert skipped(kept("x = 1\ndef f(): return 2\n")) == [1]


def test_a_local_variable_of_the_same_name_does_not_keep_a_constant():
    source = """
        x = 1
        def f(x): return x
        def g():
            x = 2
            return [x for _ in (1,)]
        class A:
            def x(self): return self.x
    """

    assert skipped(kept(source)) == [2]


@pytest.mark.parametrize(
    "use",
    [
        "def f():\n    return X",
        "def f():\n    def g():\n        return lambda: X\n    return g",
        "def f(x=X): ...",
        "def f(*, x=X): ...",
        "def f(x: X): ...",
        "class A(X): ...",
        "class A:\n    x = X",
        "class A:\n    def f(self):\n        return X.y",
        "@X\ndef f(): ...",
        "class A(metaclass=X): ...",
        "def f():\n    global X\n    X += 1",
        "def f():\n    return [X for _ in ()]",
    ],
)
def test_bases_decorators_defaults_and_bodies_use_constants(use):
    found = kept(f"X = type\n{use}\n")

    assert [piece.line for piece in found.code] == [1, 2]


def test_constants_that_kept_constants_need_are_kept_in_the_order_of_the_source():
    source = """
        HEADS = 4
        UNUSED = 5
        HEAD_DIM = 16
        EMBED_DIM = HEADS * HEAD_DIM
        def f(d=EMBED_DIM): return d
    """

    found = kept(source)

    assert [piece.line for piece in found.code] == [2, 4, 5, 6]
    assert run(source)["f"]() == 64


def test_every_assignment_to_a_used_name_is_kept():
    assert run("d = 1\nd = 2\ndef f(): return d\n")["f"]() == 2


def test_tuples_of_names_annotations_and_chains_of_targets_are_assignments_too():
    source = """
        a, (b, c) = 1, (2, 3)
        d: int = 4
        e = g = 5
        def f(): return a, b, c, d, e, g
    """

    assert run(source)["f"]() == (1, 2, 3, 4, 5, 5)


@pytest.mark.parametrize("target", ["a.b", "a[0]", "*a, b", "(a, b.c)"])
def test_assignments_to_anything_but_plain_names_are_skipped(target):
    assert skipped(kept(f"{target} = 1, 2\ndef f(): return a, b\n")) == [1]


def test_when_a_class_is_defined_several_times_the_last_wins():
    assert run("class A: x = 1\nclass A: x = 2\n")["A"].x == 2


# -- branches ----------------------------------------------------------------------------------------------------------


def test_an_import_with_a_fallback_is_kept_whole():
    source = """
        try:
            import no_such_module as fast
            HAS_FAST = True
        except ImportError:
            "Not installed."
            import math as fast
            HAS_FAST = False
        else:
            pass
        finally:
            import json
    """

    namespace = run(source)

    assert namespace["fast"].__name__ == "math"
    assert namespace["HAS_FAST"] is False
    assert "json" in namespace


def test_a_condition_around_imports_is_kept():
    assert names("import sys\nif sys.version_info >= (3, 0):\n    import math\nelse:\n    import no_such\n") == {
        "sys",
        "math",
    }


def test_a_condition_around_constants_is_kept_only_when_they_are_used():
    source = "import math\nif math.pi > 3:\n    x = 1\nelif math.pi > 2:\n    x = 2\n"

    assert skipped(kept(source)) == [2]
    assert run(f"{source}def f(): return x\n")["f"]() == 1


def test_a_fallback_class_is_kept():
    assert "Norm" in names("try:\n    from no_such import Norm\nexcept ImportError:\n    class Norm: ...\n")


# -- execution ---------------------------------------------------------------------------------------------------------


def test_a_piece_that_raises_is_recorded_and_the_rest_still_runs():
    source = """
        import no_such_module
        X = {}["key"]
        def f(): return X
        class A:
            y = 1 / 0
        class B: ...
    """
    namespace: dict[str, Any] = {}

    problems = execute(kept(source), namespace)

    assert problems == (
        Problem(filename="student.py", line=2, type="ModuleNotFoundError", text="No module named 'no_such_module'"),
        Problem(filename="student.py", line=3, type="KeyError", text="'key'"),
        Problem(filename="student.py", line=6, type="ZeroDivisionError", text="division by zero"),
    )
    assert {"f", "B"} <= set(namespace)
    assert "A" not in namespace


def test_an_exit_while_a_class_is_built_is_a_problem_like_any_other():
    problems = execute(kept("class A:\n    raise SystemExit('bye')\n"), {})

    assert problems == (Problem(filename="student.py", line=2, type="SystemExit", text="bye"),)


def test_an_interrupt_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        execute(kept("class A:\n    raise KeyboardInterrupt\n"), {})


def test_an_exception_that_cannot_say_what_it_is_is_recorded_without_words():
    source = """
        class Silent(Exception):
            def __str__(self): raise ValueError
        class A:
            raise Silent
    """

    assert execute(kept(source), {}) == (Problem(filename="student.py", line=5, type="Silent", text=""),)


def test_a_long_message_is_cut():
    problems = execute(kept("class A:\n    raise ValueError('x' * 10_000_000)\n"), {})

    assert len(problems[0].text) == 1000


def test_errors_point_at_the_line_in_the_students_file():
    source = """
        def broken():
            return 1 / 0
        class A:
            y = broken()
    """

    assert execute(kept(source), {})[0].line == 3


def test_functions_know_their_file_and_line():
    function = run("\n\ndef f(): ...\n")["f"]

    assert (function.__code__.co_filename, function.__code__.co_firstlineno) == ("student.py", 3)


def test_the_line_of_a_piece_is_that_of_its_first_decorator():
    assert kept("\n@staticmethod\n@staticmethod\ndef f(): ...\n").code[0].line == 2


def test_future_imports_keep_their_effect_on_every_piece():
    source = '''
        """What this is."""
        from __future__ import annotations
        def f(x: NotDefined) -> AlsoNot: ...
        class A:
            y: NotDefined
    '''

    assert run(source)["f"].__annotations__ == {"x": "NotDefined", "return": "AlsoNot"}


def test_our_own_future_imports_have_no_effect():
    found = kept("def f(x: NotDefined): ...\n")

    assert execute(found, {})[0].type == "NameError"


def test_a_future_that_does_not_exist_is_a_problem():
    found = kept("from __future__ import nothing\nclass A: ...\n")

    assert [problem.type for problem in execute(found, {})] == ["SyntaxError"]
    assert [piece.line for piece in found.code] == [2]


def test_a_function_only_the_compiler_refuses_costs_only_itself():
    found = kept("class A: ...\n\ndef f():\n    x = 1\n    await x\n")
    namespace: dict[str, Any] = {}

    problems = execute(found, namespace)

    assert problems == (Problem(filename="student.py", line=5, type="SyntaxError", text=problems[0].text),)
    assert "A" in namespace
    assert skipped(found) == [3]


@pytest.mark.parametrize("source", ["def f(:", "x = '\0'", "(" * 1000, "x = " + "-" * 100_000 + "1", "\ud800"])
def test_a_file_that_cannot_be_parsed_is_a_syntax_error_whatever_the_reason(source):
    with pytest.raises(SyntaxError):
        definitions(source, "student.py")


def test_an_invalid_escape_is_no_reason_to_warn_or_fail():
    assert (
        run(r"""
        import math
        PATTERN = "\d"
        def f(): return PATTERN
    """)["f"]()
        == r"\d"
    )


def test_an_empty_file_has_no_definitions():
    assert definitions("", "student.py") == Definitions(filenames=("student.py",), code=(), skipped=())


def test_a_typical_file_that_trains_at_its_top_level_gives_its_class():
    source = """
        from __future__ import annotations
        import collections, math
        torch = collections
        EMBED = 64
        SCALE = 1 / math.sqrt(EMBED)
        config = {"heads": 4, "embed": EMBED}
        class SelfAttention:
            heads = config["heads"]
            def scale(self): return SCALE
        model = SelfAttention()
        while True:
            model.train()
    """

    namespace = run(source)

    assert namespace["SelfAttention"]().scale() == 0.125
    assert "model" not in namespace


def test_of_a_branch_with_imports_only_what_may_not_run_is_left_out():
    source = """
        try:
            import nowhere_to_be_found
            install_more()
        except ImportError:
            print(undefined)
            import math
            if True:
                for _ in range(3): undefined()
                from math import pi
        finally:
            undefined
    """

    namespace = run(source)

    assert namespace["math"].pi == namespace["pi"]


def test_the_module_needs_nothing_but_the_standard_library():
    root = Path(module.__file__).parents[2]
    program = f"import sys; sys.path.insert(0, {str(root)!r}); import grader.worker.definitions"

    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, timeout=60)
