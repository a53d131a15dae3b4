from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from grader import wire
from grader.serving import Desk, Listing, NotFound
from grader.worker.loading import Bundle, Submission
from grader.worker.output import OUTPUT_CAP, BoundedText

Load = Callable[..., Any]


@pytest.fixture
def load() -> Iterator[Load]:
    """Loads a class from files in memory; everything that this changes in the interpreter is undone afterwards."""
    modules, finders, arguments = dict(sys.modules), list(sys.meta_path), sys.argv

    def loading(
        files: dict[str, str | bytes], file: str = "attention.py", *, target: str = "A", definitions: bool = False
    ):
        return Submission(bundle(files))(wire.Open(file, target, definitions, seed=0, seconds=1.0))

    yield loading
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.modules.update(modules)
    sys.meta_path[:] = finders
    sys.argv = arguments


def bundle(files: dict[str, str | bytes]) -> Bundle:
    contents = {path: dedent(text).encode() if isinstance(text, str) else text for path, text in files.items()}
    return Bundle({path: wire.File(content) for path, content in contents.items()})


# -- one file ----------------------------------------------------------------------------------------------------------


def test_the_class_is_found_when_the_whole_file_has_run(load):
    found = load({"attention.py": "x = 1\nclass A:\n    y = x + 1\nx = 5\n"})

    assert found.__name__ == "A"
    assert found.y == 2


def test_the_file_is_a_module_of_its_own_name_and_not_the_main_program(load):
    found = load({"attention.py": "class A:\n    name, file = __name__, __file__\nif __name__ == '__main__': 1 / 0\n"})

    assert (found.name, found.file) == ("attention", "attention.py")
    assert sys.modules["attention"].A is found


def test_the_program_s_arguments_are_those_of_a_script_without_any(load):
    assert load({"attention.py": "import sys\nclass A:\n    argv = list(sys.argv)\n"}).argv == ["attention.py"]


def test_a_name_that_is_not_defined_is_not_found(load):
    with pytest.raises(NotFound, match="A is not defined when the file has run"):
        load({"attention.py": "class B: ..."})


@pytest.mark.parametrize(
    ("value", "type_"), [("A()", "A"), ("3", "int"), ("lambda x: x", "function"), ("__import__('math')", "module")]
)
def test_a_class_shadowed_by_something_else_is_not_found_and_what_it_is_is_told(load, value, type_):
    with pytest.raises(NotFound, match=f"A is not a class when the file has run, but a value of type {type_}$"):
        load({"attention.py": f"class A: ...\nA = {value}\n"})


@pytest.mark.parametrize(
    ("source", "error"),
    [("1 / 0", ZeroDivisionError), ("raise SystemExit(3)", SystemExit), ("import nowhere", ModuleNotFoundError)],
)
def test_what_the_file_raises_is_raised(load, source, error):
    with pytest.raises(error):
        load({"attention.py": f"class A: ...\n{source}\n"})


def test_the_definitions_alone_can_be_loaded(load):
    assert load({"attention.py": "raise SystemExit\nclass A: ...\n"}, definitions=True).__name__ == "A"


def test_what_kept_a_definition_from_being_made_is_told(load):
    with pytest.raises(NotFound, match="A is not defined when the file has run; line 1: NameError: name 'Base'"):
        load({"attention.py": "class A(Base): ...\n"}, definitions=True)


def test_options_of_our_own_files_do_not_reach_the_student_s(load):
    found = load({"attention.py": "class A:\n    def f(self, x: int): ...\n"})

    assert found.f.__annotations__ == {"x": int}


# -- text --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"# -*- coding: latin-1 -*-\nclass A:\n    name = '\xfc'\n",
        b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\nclass A:\n    name = '\xfc'\n",
        b"\xef\xbb\xbfclass A:\n    name = '\xc3\xbc'\n",
        b"class A:\r\n    name = '\xc3\xbc'\r\n",
        b"class A:\r    name = '\xc3\xbc'\r",
    ],
    ids=["latin-1", "cp1252 in the second line", "with a byte order mark", "Windows line ends", "old Mac line ends"],
)
def test_a_file_is_read_in_the_encoding_it_says(load, content):
    assert load({"attention.py": content}).name == "ü"


@pytest.mark.parametrize(
    "content",
    [
        b"class A:\n    name = '\xfc'\n",
        b"# coding: no-such-encoding\nclass A: ...\n",
        b"# coding: rot13\nclass A: ...\n",
        b"# coding: undefined\nclass A: ...\n",
        b"# coding: latin-1\n# \xef\n\xef\xbb\xbf \x00class A: ...\n",
        b"class A(:\n    pass\n",
        b"\x00\x01\x02",
        b"PK\x03\x04\xff\xff",
    ],
    ids=[
        "no UTF-8",
        "unknown encoding",
        "no text encoding",
        "the codec that fails",
        "NUL",
        "syntax",
        "bytes",
        "archive",
    ],
)
def test_a_file_that_is_no_python_is_an_error_of_loading_it(load, content):
    with pytest.raises((SyntaxError, ValueError, LookupError)):
        load({"attention.py": content})
    with pytest.raises((SyntaxError, ValueError, LookupError)):
        load({"attention.py": content}, definitions=True)


@pytest.mark.parametrize(
    "content", [b"\xff", b"# coding: rot13\n", b"# coding: undefined\n", b"# coding: nope\n", b"\x00"]
)
def test_another_file_that_is_no_python_does_not_matter(load, content):
    assert load({"attention.py": "class A: ...", "other.py": content}).__name__ == "A"


def test_a_syntax_error_tells_the_file_and_the_line(load):
    with pytest.raises(SyntaxError) as caught:
        load({"attention.py": "x = 1\nclass A(:\n"})

    assert (caught.value.filename, caught.value.lineno) == ("attention.py", 2)


def test_lines_are_kept_for_every_file_that_could_be_read():
    kept = bundle({"a.py": "x = 1\n\ny = 2", "b/c.py": b"# coding: latin-1\r\n'\xfc'", "d.py": b"\xff"})

    assert kept.lines() == {
        "a.py": Listing("a.py", ["x = 1", "", "y = 2"]),
        "b/c.py": Listing("b/c.py", ["# coding: latin-1", "'ü'"]),
    }


@pytest.mark.usefixtures("load")
def test_the_line_shown_is_the_one_python_means_where_another_separator_is_in_the_file():
    files = bundle({"attention.py": b"x = 1\n\x0c\ns = '\x1c\xc2\x85\xe2\x80\xa8'\nraise ValueError\n"})
    raised = Desk(Submission(files), sources=files.lines(), output=str).answer(
        wire.Open("attention.py", "A", definitions_only=False, seed=0, seconds=5.0)
    )

    assert isinstance(raised, wire.Raised)
    assert raised.frames[-1] == wire.Frame("attention.py", 4, "<module>", "raise ValueError")


# -- several files -----------------------------------------------------------------------------------------------------


def test_a_helper_module_is_imported_from_memory(load):
    files = {"attention.py": "from helper import B\nclass A(B): ...", "helper.py": "class B:\n    file = __file__\n"}

    assert load(files).file == "helper.py"
    assert not Path("helper.py").exists()


def test_a_helper_is_run_once(load):
    files = {
        "attention.py": "import first, second\nclass A:\n    same = first.counted is second.counted\n",
        "first.py": "import counted",
        "second.py": "import counted",
        "counted.py": "import builtins\nbuiltins.runs = getattr(builtins, 'runs', 0) + 1",
    }
    import builtins

    same = load(files).same
    runs = builtins.__dict__.pop("runs")

    assert same
    assert runs == 1


def test_a_helper_may_import_the_file_itself(load):
    files = {
        "attention.py": "class B: ...\nfrom helper import C\nclass A(C): ...\n",
        "helper.py": "import attention\nclass C(attention.B): ...\n",
    }

    assert [base.__name__ for base in load(files).__mro__] == ["A", "C", "B", "object"]


PACKAGE: dict[str, str | bytes] = {
    "attention.py": "from parts.heads import Head\nimport parts.deep.er as er\nclass A(Head):\n    z = er.Z\n",
    "parts/__init__.py": "from .constants import N\n",
    "parts/constants.py": "N = 4\n",
    "parts/heads.py": "from . import N\nfrom .constants import N as M\nclass Head:\n    n = N + M\n",
    "parts/deep/__init__.py": "",
    "parts/deep/er.py": "from ..constants import N as Z\n",
}


def test_packages_are_imported_from_memory_with_relative_imports_inside(load):
    found = load(PACKAGE)

    assert (found.n, found.z) == (8, 4)


def test_a_folder_without_an_init_file_is_a_package_as_everywhere_in_python(load):
    files = {path: source for path, source in PACKAGE.items() if not path.endswith("__init__.py")}
    files["parts/heads.py"] = "from .constants import N\nclass Head:\n    n = 2 * N\n"
    found = load(files)

    assert (found.n, found.z) == (8, 4)


def test_helpers_are_found_beside_the_file_and_below_the_submission(load):
    files = {
        "src/attention.py": "import beside, above\nclass A:\n    both = beside.X + above.X\n",
        "src/beside.py": "X = 'beside '\n",
        "beside.py": "X = 'wrong'\n",
        "above.py": "X = 'above'\n",
    }

    assert load(files, "src/attention.py").both == "beside above"


@pytest.mark.parametrize("definitions", [False, True])
def test_helpers_are_loaded_the_same_way_as_the_file(load, definitions):
    files = {"attention.py": "from helper import B\nclass A(B): ...", "helper.py": "class B: ...\nX = 1 / 1\n1 / 0\n"}
    if not definitions:
        with pytest.raises(ZeroDivisionError):
            load(files)
        return

    assert load(files, definitions=True).__mro__[1].__name__ == "B"


@pytest.mark.usefixtures("load")
def test_an_exception_in_a_helper_is_shown_with_the_helper_s_line():
    files = bundle({"attention.py": "import helper\nclass A: ...\n", "helper.py": "x = 1\n1 / 0\n"})
    raised = Desk(Submission(files), sources=files.lines(), output=str).answer(
        wire.Open("attention.py", "A", definitions_only=False, seed=0, seconds=5.0)
    )

    assert isinstance(raised, wire.Raised)
    assert raised.frames == (
        wire.Frame("attention.py", 1, "<module>", "import helper"),
        wire.Frame("helper.py", 2, "<module>", "1 / 0"),
    )


@pytest.mark.parametrize("name", ["json", "math", "typing", "torch", "numpy", "pytest"])
def test_a_file_named_like_a_library_does_not_replace_it(load, name):
    before = sys.modules.get(name)
    files = {
        "attention.py": f"import {name}\nclass A:\n    library = {name}\n",
        f"{name}.py": "raise RuntimeError('the student's own')\n",
    }

    assert load(files).library is (before or sys.modules[name])


def test_a_graded_file_named_like_a_library_is_graded_and_does_not_replace_it(load):
    found = load({"json.py": "class A:\n    import json\n"}, "json.py")

    assert found.json is json
    assert sys.modules["json"] is json


@pytest.mark.parametrize("name", ["sitecustomize", "conftest", "usercustomize"])
def test_a_file_that_tools_would_run_is_not_run_by_itself(load, name):
    assert load({"attention.py": "class A: ...", f"{name}.py": "raise RuntimeError"}).__name__ == "A"


def test_a_module_that_is_not_there_is_reported_as_usual(load):
    with pytest.raises(ModuleNotFoundError, match="No module named 'nowhere'"):
        load({"attention.py": "import nowhere\n", "nowhere.txt": "x = 1"})


def test_no_folder_of_the_submission_is_put_on_the_path(load):
    before = list(sys.path)
    load(PACKAGE)

    assert sys.path == before


# -- what is printed ---------------------------------------------------------------------------------------------------


def test_the_beginning_of_what_is_printed_is_kept():
    stream = BoundedText()
    print("one", 2, file=stream)
    print("three", file=stream, end="")

    assert stream.text() == "one 2\nthree"


def test_a_flood_is_dropped_and_said_to_be_written():
    stream = BoundedText()
    written = [stream.write("x" * 1000) for _ in range(20)]

    assert written == [1000] * 20
    assert stream.text() == "x" * OUTPUT_CAP


def test_one_huge_text_is_cut():
    stream = BoundedText()
    stream.write("x" * 10_000_000)

    assert stream.text() == "x" * OUTPUT_CAP


def test_half_a_character_that_was_printed_can_be_sent():
    stream = BoundedText()
    print("a\ud800b", file=stream)

    assert stream.text().encode().decode() == stream.text()


@pytest.mark.parametrize("thing", [b"bytes", 3, None, ["x"]])
def test_only_text_can_be_written_as_to_any_text_stream(thing):
    stream = BoundedText()
    with pytest.raises(TypeError):
        stream.write(thing)

    assert stream.text() == ""


def test_a_stream_can_be_used_in_the_usual_ways():
    stream = BoundedText()
    stream.writelines(["a", "b"])
    stream.flush()

    assert stream.writable()
    assert not stream.isatty()
    assert stream.text() == "ab"
