from __future__ import annotations

import ast
import contextlib
import json
import random
import subprocess
import sys
from typing import Any

import nbformat
import pytest

from grader.model import Cell, SourceFile
from grader.notebooks import MAX_BYTES, MAX_CELLS, MAX_CODE, NotANotebookError, Notebook, broken_cells, located, read

INSTALL = "was not run; there is no network while grading, and the usual packages are installed"


def code(source: Any, **others: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source, **others}


def text(source: str = "# A title", kind: str = "markdown") -> dict[str, Any]:
    return {"cell_type": kind, "metadata": {}, "source": source}


def document(*cells: Any, **others: Any) -> dict[str, Any]:
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    given = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    given = [
        cell | {"id": f"id-{n}"} if isinstance(cell, dict) and "id" not in cell else cell
        for n, cell in enumerate(given)
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": given, **others}


def notebook(*cells: Any, **others: Any) -> Notebook:
    return read(json.dumps(document(*cells, **others)).encode())


def python(source: str) -> str | None:
    """What is left of the only cell."""
    found = notebook(source)
    ast.parse(found.content)
    return found.cells[0].python


def refusal(content: bytes | dict[str, Any]) -> str:
    with pytest.raises(NotANotebookError) as caught:
        read(content if isinstance(content, bytes) else json.dumps(content).encode())
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


def without(cell: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in cell.items() if key not in keys}


# -- what is read ------------------------------------------------------------------------------------------------------


def test_code_cells_are_read_in_order_and_text_is_not():
    found = notebook(text(), "x = 1", text(kind="raw"), "y = 2")

    assert [(cell.number, cell.source, cell.python) for cell in found.cells] == [
        (1, "x = 1", "x = 1"),
        (2, "y = 2", "y = 2"),
    ]
    assert found.content.split() == b"x = 1 y = 2".split()
    assert found.repairs == ()


def test_empty_code_cells_are_counted():
    found = notebook("", "x = 1", "   \n", "y = 2")

    assert [cell.number for cell in found.cells] == [1, 2, 3, 4]
    assert [cell.python for cell in found.cells] == ["", "x = 1", "   \n", "y = 2"]


def test_what_nbformat_writes_is_read_without_a_repair():
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1"), nbformat.v4.new_markdown_cell("b")])

    assert read(nbformat.writes(node).encode()).repairs == ()


def test_sources_may_be_lists_of_lines():
    assert notebook(code(["x = 1\n", "y = 2"])).cells[0].source == "x = 1\ny = 2"


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends_become_newlines(end):
    assert notebook(f"x = 1{end}y = 2").cells[0].source == "x = 1\ny = 2"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_encoding_that_json_may_have_is_read(encoding):
    content = json.dumps(document("x = 'é😀'"), ensure_ascii=False).encode(encoding)

    assert read(content).cells[0].source == "x = 'é😀'"


def test_bytes_that_are_not_utf_8_are_replaced_and_said_so():
    found = read(json.dumps(document("x = 'é'"), ensure_ascii=False).encode("latin-1"))

    assert found.cells[0].source == "x = '\ufffd'"
    assert found.repairs == ("characters that are not UTF-8 were replaced",)


def test_half_a_character_is_replaced_and_said_so():
    found = notebook("x = '\ud800'")

    assert found.cells[0].python == "x = '?'"
    assert found.repairs == ("halves of characters were replaced by question marks",)


def test_outputs_hold_what_no_strict_parser_would_take():
    raw = json.dumps(document(code("x = 1", outputs=["HERE"])))
    odd = '{"data": [NaN, -Infinity, ' + "9" * 5000 + ', "a\x01\nb", "\\udc00"]}'

    assert read(raw.replace('"HERE"', odd).encode()).cells[0].source == "x = 1"


def test_an_output_of_20_megabytes_is_dropped():
    outputs = [{"output_type": "stream", "name": "stdout", "text": ["epoch\n"] * 500_000 + ["x" * 15_000_000]}]

    found = notebook(code("x = 1", outputs=outputs, attachments={"a": "b"}))

    assert found == notebook("x = 1")


def test_the_same_code_with_other_outputs_and_counts_is_the_same():
    assert notebook(code("x = 1", outputs=[{"output_type": "error"}], execution_count=7)) == notebook("x = 1")


def test_reading_needs_no_library_that_is_slow_to_import_until_there_is_a_notebook():
    code = "import sys, grader.notebooks, grader.submissions; sys.exit('nbformat' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- where a line is ---------------------------------------------------------------------------------------------------


def test_every_line_of_the_content_leads_back_to_its_cell():
    found = notebook("a = 1\nb = 2", "", "!ls\nc = 3", "%%bash\nls\nls", "def f(:\n  x", "%%time\nd = 4\n", "e = 5")
    file = SourceFile(path="a.ipynb", content=found.content, cells=found.cells)

    lines = found.content.decode().split("\n")
    ast.parse(found.content)
    for cell in found.cells:
        for within, line in enumerate((cell.python or "").split("\n"), 1):
            assert lines[cell.line + within - 2] == line
            assert located(file, cell.line + within - 1) == (cell.number, within)
    assert located(file, lines.index("d = 4") + 1) == (6, 2)


def test_a_line_of_a_module_is_in_no_cell():
    assert located(SourceFile(path="a.py", content=b"x = 1"), 1) == (None, 1)


def test_what_looks_like_an_encoding_in_a_cell_is_a_comment():
    found = notebook("# -*- coding: latin-1 -*-\nx = 'é'")

    (assignment,) = ast.parse(found.content).body
    assert ast.literal_eval(assignment.value) == "é"


# -- repairs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "repair"),
    [
        (without(document("x = 1"), "metadata"), "the notebook's metadata was missing"),
        (document("x = 1", metadata=[]), "the notebook's metadata was missing"),
        (without(document("x = 1"), "nbformat"), "the version of the notebook format was missing; 4 was assumed"),
        (document("x = 1", nbformat="4"), "the notebook was read as one of format 4, which it is closest to"),
        (document("x = 1", nbformat=9), "the notebook was read as one of format 4, which it is closest to"),
        (document("x = 1", nbformat=3), "the notebook was read as one of format 4, which it is closest to"),
        (document(without(code("x = 1"), "metadata")), "code cells without metadata were completed"),
        (document(without(code("x = 1"), "outputs")), "code cells without outputs were completed"),
        (document(without(code("x = 1"), "execution_count")), "code cells without execution_count were completed"),
        (document("x = 1", without(code(""), "source")), "code cells without source were taken as empty"),
        (document("x = 1", code(None)), "code cells without source were taken as empty"),
        (document("x = 1", code([1, 2])), "code cells without source were taken as empty"),
        (document(code("x = 1", id=None)), "cells without an id were given one"),
        (document(code("x = 1", id="a"), code("", id="a")), "cells that shared an id were given new ones"),
        (document("x = 1", text(kind="slide")), "cells of an unknown type were left out"),
        (document("x = 1", {"source": "Title"}), "cells of an unknown type were left out"),
        (document("x = 1", None, 3, []), "entries that are no cells were left out"),
        (document(code("x = 1", cell_type="Code ")), "the type of code cells was misspelt"),
        (
            document(without(code("x = 1"), "cell_type")),
            "cells without a type were taken for code where they have an output",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_repaired_and_said_once(given, repair):
    found = read(json.dumps(given).encode())

    assert [cell.source for cell in found.cells if cell.source] == ["x = 1"]
    assert found.repairs == (repair,)


def test_a_kind_of_repair_is_said_once_however_often_it_was_needed():
    found = notebook(*[without(code("x = 1"), "outputs", "metadata") for _ in range(50)])

    assert found.repairs == ("code cells without metadata were completed", "code cells without outputs were completed")


def test_a_notebook_of_which_almost_everything_was_stripped_is_read():
    found = read(b'{"cells": [{"cell_type": "code", "source": "x = 1"}]}')

    assert found.content.strip() == b"x = 1"
    assert len(found.repairs) == 5


def test_ids_are_not_missed_where_the_format_has_none():
    given = document(without(code("x = 1"), "id"), nbformat_minor=4)
    given["cells"][0].pop("id")

    assert read(json.dumps(given).encode()).repairs == ()


def test_lines_without_line_ends_are_lines():
    found = notebook(code(["import torch", "x = 1"]))

    assert found.cells[0].source == "import torch\nx = 1"
    assert found.repairs == ("lines without line ends were given them",)


@pytest.mark.parametrize("version", [2, 3])
def test_notebooks_with_worksheets_are_converted(version):
    cells = [
        {"cell_type": "heading", "level": 1, "source": "Title"},
        {"cell_type": "code", "input": ["x = 1\n", "y = 2"], "language": "python", "outputs": [], "prompt_number": 3},
    ]
    sheets = [{"cells": cells}, {"cells": [{"cell_type": "code", "input": "z = 3", "outputs": []}]}]
    found = read(json.dumps({"nbformat": version, "metadata": {"name": ""}, "worksheets": sheets}).encode())

    assert [cell.source for cell in found.cells] == ["x = 1\ny = 2", "z = 3"]
    assert found.repairs == (f"the notebook was converted from the old format {version}",)


def test_the_first_format_of_all_is_converted():
    cells = [{"cell_type": "text", "text": "Title"}, {"cell_type": "code", "code": "x = 1"}]

    assert read(json.dumps({"nbformat": 1, "metadata": {}, "cells": cells}).encode()).cells[0].source == "x = 1"


@pytest.mark.parametrize("minor", [0, 1, 2, 3, 4, 5, 6])
def test_every_minor_version_of_the_format_is_read(minor):
    assert notebook("x = 1", nbformat_minor=minor).cells[0].source == "x = 1"


# -- what only IPython understands -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!ls -l 'it\nx = 1", "pass\nx = 1"),
        ("!!ls\nx = 1", "pass\nx = 1"),
        ("!ls (\nx = 1\n!ls '''\ny = 2", "pass\nx = 1\npass\ny = 2"),
        ("if True:\n    !ls\n\telse_", None),
        ("if True:\n    !ls\nx = 1", "if True:\n    pass\nx = 1"),
        ("for x in y:\n    %time f(x)", "for x in y:\n    f(x)"),
        ("%time x = f(1)", "x = f(1)"),
        ("%time -q f(1)", "pass"),
        ("%time f(1", "pass"),
        ("%timeit f(1)", "pass"),
        ("?nn.Linear", "pass"),
        ("nn.Linear?\nx = 1", "pass\nx = 1"),
        ("nn.Linear??", "pass"),
        ("x[0].y?", "pass"),
        ("%pinfo?", "pass"),
        ("files = !ls *.py\nx = 1", "files = None\nx = 1"),
        ("here = %pwd", "here = None"),
        ("a, b = !ls", "a, b = None"),
        ("!pip install \\\n  einops \\\n  torch\nx = 1", "pass\n\n\nx = 1"),
        ("%%time\nx = 1", "\nx = 1"),
        ("%%timeit -n 10\nx = 1", "\nx = 1"),
        ("%%capture out\nx = 1\n!ls", "\nx = 1\npass"),
        ("\n\n%%prun\nx = 1", "\n\n\nx = 1"),
        ("%%capture\n%%time\nx = 1", "\n\nx = 1"),
        ("  x = 1\n  if x:\n    y = 2", "x = 1\nif x:\n  y = 2"),
        (">>> x = 1\n>>> if x:\n...     y = 2\n...\n>>> z = 3", "x = 1\nif x:\n    y = 2\n\nz = 3"),
        ("In [1]: x = 1\n   ...: y = 2", "x = 1\ny = 2"),
        ("pip install torch", "pass"),
        ("ls *.py\n", "pass\n"),
    ],
)
def test_what_only_ipython_understands_is_replaced_line_by_line(source, left):
    assert python(source) == left


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "source",
    [
        "x = 5 % 3",
        "x = (5\n     % 3)",
        "x = '''\n!ls\n%time\nwhat?\n'''",
        "x = 'a' != 'b'",
        "x = 1  # why?",
        "await f()\nasync with g() as h:\n    pass",
        "'\\d'\nx = 1 is 1",
        "\n\n# only a comment",
        "def f(x):\n\treturn x",
        "x = '\u2028\x0c'",
        "match = 1\ntype = 2",
    ],
)
def test_what_python_understands_is_left_alone(source):
    assert python(source) == source


@pytest.mark.parametrize(
    "source",
    [
        "x = 3 +",
        "def f(:\n    pass",
        "x = 1 +  # why?",
        "if x:\n!ls",
        "x = 1\n  y = 2",
        "  x = 1\ny = 2",
        "pip install torch\nx = 1",
        "print 'hello'",
        "x = '\0'",
        "(" * 500,
        "x = " + "-" * 50_000 + "1",
        "!ls\n" + "x = 1 +\n" * 3,
        "x = 'abc",
        "\xa0",
        "x = 1\xa0",
        "\x1c\u3000",
    ],
)
def test_a_cell_with_a_syntax_error_is_no_python_and_no_repair(source):
    found = notebook("before = 1", source, "after = 2")

    assert [cell.python for cell in found.cells] == ["before = 1", None, "after = 2"]
    assert found.content.split() == b"before = 1 after = 2".split()
    assert found.repairs == ()
    assert [cell.number for cell in broken_cells(found.cells)] == [2]


@pytest.mark.parametrize("magic", ["%%bash", "%%html", "%%javascript", "%%R -i x", "%%latex", "%% bash", "%%"])
def test_a_cell_in_another_language_is_no_python_and_said_so(magic):
    found = notebook("x = 1", f"\n{magic}\nclass A: ...")

    assert found.cells[1].python is None
    assert found.cells[1].source == f"\n{magic}\nclass A: ..."
    assert found.repairs == (f"cell 2 is not Python ({magic})",)
    assert broken_cells(found.cells) == ()


def test_a_cell_that_writes_a_file_says_what_becomes_of_it():
    assert notebook("%%writefile model.py\nx = 1").repairs == (
        "cell 1 is not Python (%%writefile model.py); the file it writes is not graded, so hand that in as well",
    )


@pytest.mark.parametrize(
    "line",
    [
        "!pip install einops",
        "!pip3 install -q einops",
        "%pip install einops",
        "%conda install -y einops",
        "!python -m pip install einops",
        "!{sys.executable} -m pip install einops",
        "!uv pip install einops",
        "!apt-get -qq install graphviz",
        "! pip install einops",
        "!pip install --upgrade torch 'numpy<2'",
    ],
)
def test_an_installation_is_noted(line):
    assert notebook("x = 1", f"if x:\n    {line}").repairs == (f"cell 2: `{line}` {INSTALL}",)


def test_an_installation_without_its_percent_sign_is_noted():
    assert notebook("pip install einops").repairs == (f"cell 1: `%pip install einops` {INSTALL}",)


@pytest.mark.parametrize("line", ["!ls", "!pip list", "x = '!pip install x'", "# !pip install x", "!nvidia-smi"])
def test_what_installs_nothing_is_not_noted(line):
    assert notebook(line).repairs == ()


def test_what_a_note_repeats_is_short_and_cannot_act():
    (note,) = notebook("!pip install \x1b[31m\u202e" + "x" * 5000).repairs

    assert r"\x1b[31m\u202e" in note
    assert len(note) < 300


def test_notes_are_not_repeated_for_ever():
    found = notebook(*[f"!pip install a{n}" for n in range(100)])

    assert len(found.repairs) == 21
    assert found.repairs[-1] == "and 80 more of these"


def test_a_cell_far_too_large_to_be_parsed_is_said_so():
    found = notebook("x = [" + "1," * 300_000 + "]", "y = 1")

    assert [cell.python for cell in found.cells] == [None, "y = 1"]
    assert found.repairs == ("cell 1 is too large to be looked into before it runs",)


@pytest.mark.parametrize(
    "sources",
    [
        ["x = [" + "1," * 90_000 + "]\n" + "!ls\nx = 1\n" * 1000],
        ["!ls\nx = 1\n" * 1000] * 100,
        ["!ls\n" * 100_000],
        ["\\\n" * 500_000 + "!ls"],
        ["%%time\n" * 200_000 + "x = 1"],
        ["x = !" + "a" * 600_000, "a" * 600_000 + "?", "a " * 300_000 + "= !"],
        ["!" + "pip " * 200_000 + "x = 1 +"],
        [">>> " * 100_000],
    ],
)
def test_code_written_to_be_translated_for_ever_is_not(sources):
    ast.parse(notebook(*sources).content)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty; save the notebook in Jupyter and hand it in again"),
        (b" \n\t\r\n", "it is empty; "),
        (b"\xef\xbb\xbf", "it is empty; "),
        (b"\0" * 5000, "it holds nothing but zeros; "),
        (b"PK\x03\x04rest", "it is a zip archive, not a notebook; unpack it"),
        (b"\x1f\x8brest", "it is a gzip archive"),
        (b"%PDF-1.7 rest", "it is a PDF document"),
        (b"\x89PNG\r\n", "it is an image"),
        (b"\xff\xd8\xff\xe0", "it is an image"),
        (b"\xd0\xcf\x11\xe0", "it is an Office document"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "it is a pointer of Git LFS"),
        (b"\n<!DOCTYPE html>\n<html>", "it is a web page (HTML), not a notebook; download the notebook itself"),
        (b"<html lang='en'>", "it is a web page (HTML)"),
        (b"<?xml version='1.0'?>", "it is an XML document"),
        (b"import torch\n\nclass A: ...\n", "it is Python code, not a notebook; give it a name that ends in .py"),
        (b"Dear teacher, here is my work.", "it is plain text, not a notebook"),
        (b"\x00\x01\x02\x9f binary", "it is not a notebook, and no text either"),
        (b"[1, 2]", "it is JSON, but no notebook"),
        (b"{}", "it is JSON, but no notebook"),
        (b'{"cells": {}}', "it is JSON, but no notebook"),
        (b'"text"', "it is JSON, but no notebook"),
        (b"{'cells': []}", "it is damaged in line 1 (no valid JSON: Expecting property name"),
        (b'{"cells": [],\n\n}', "it is damaged in line 3"),
        (b'{"cells": []} x', "it is damaged in line 1 (no valid JSON: Extra data)"),
    ],
)
def test_what_is_something_else_is_named_with_what_to_do(content, reason):
    given = refusal(content)

    assert given.startswith(reason)
    assert "; " in given
    assert "\n" not in given


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9, 0.99])
def test_a_file_that_was_cut_off_is_recognised(cut):
    content = json.dumps(document(*["x = 1\n"] * 20), indent=1).encode()
    half = content[: int(len(content) * cut)]

    assert f"in line {half.count(10) + 1}" in refusal(half)
    assert "cut off" in refusal(half) or "damaged" in refusal(half)


def test_a_string_that_breaks_off_was_cut_off():
    assert refusal(b'{"cells": [\n"abc') == (
        "it breaks off in line 2: it was cut off when it was saved or uploaded; "
        "save the notebook in Jupyter and hand it in again"
    )


def test_a_merge_conflict_is_recognised():
    content = json.dumps(document("x = 1"), indent=1).replace(
        ' "metadata"', '<<<<<<< HEAD\n "a": 1,\n=======\n "b": 2,\n>>>>>>> main\n "metadata"', 1
    )

    assert refusal(content.encode()).startswith("it holds a merge conflict of Git (line ")


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"name": "ir", "language": "R"}}, "R"),
        ({"kernelspec": {"name": "ir"}}, "R"),
        ({"kernelspec": {"name": "julia-1.9"}}, "Julia"),
        ({"kernelspec": {"name": "x", "language": "julia"}}, "julia"),
        ({"language_info": {"name": "scala"}}, "scala"),
        ({"kernelspec": {"name": "xcpp17"}}, "C++"),
        ({"kernelspec": {"name": "bash", "language": "bash"}}, "bash"),
        ({"language": "Julia"}, "Julia"),
        ({"language_info": {"name": "\x1b[31m\n" + "x" * 100}}, r"\x1b[31m\n" + "x" * 30 + "… (70 more characters)"),
    ],
)
def test_a_notebook_in_another_language_is_refused(metadata, language):
    assert refusal(document("x = 1", metadata=metadata)) == f"it is a notebook in {language}; hand in one in Python"


def test_an_old_notebook_in_another_language_is_refused():
    cells = [{"cell_type": "code", "input": "x = 1", "language": "julia", "outputs": []}]

    assert refusal({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}]}).startswith(
        "it is a notebook in julia"
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "dl-course-env", "language": "python"}},
        {"kernelspec": {"name": "dl-course-env"}},
        {"kernelspec": {"name": "julias-env"}},
        {"kernelspec": {"name": "python2"}},
        {"kernelspec": {"name": "pyspark", "language": ""}},
        {"kernelspec": {"language": "IPython"}},
        {"kernelspec": {"name": "ir"}, "language_info": {"name": "python"}},
        {"kernelspec": None, "language_info": [1]},
        {"kernelspec": {"name": ["ir"], "language": 3}},
        {"colab": {"provenance": []}, "accelerator": "GPU"},
    ],
)
def test_every_other_notebook_is_one_in_python(metadata):
    assert notebook("x = 1", metadata=metadata).repairs == ()


@pytest.mark.parametrize("cells", [[], [text()], ["", " \n"], [code([])], [text(kind="raw")]])
def test_a_notebook_without_code_is_refused(cells):
    assert refusal(document(*cells)) == (
        "it holds no code; write the solution into code cells, save it and hand it in again"
    )


def test_a_notebook_may_have_many_cells_and_no_more():
    assert len(notebook(*["x = 1"] * MAX_CELLS).cells) == MAX_CELLS
    assert "more than 2000 code cells" in refusal(document(*["x = 1"] * (MAX_CELLS + 1)))


def test_the_code_may_be_large_and_no_larger():
    half = "#" * (MAX_CODE // 2)

    assert notebook(half, half).cells[1].source == half
    assert refusal(document(half, half + "#")).startswith("its code is larger than 2 MiB; ")


def test_a_file_over_the_limit_is_refused():
    assert refusal(bytes(MAX_BYTES + 1)).startswith("it is larger than 256 MiB; clear the outputs")


@pytest.mark.parametrize("depth", [2000, 100_000, 1_000_000])
@pytest.mark.parametrize("pair", ["[]", ('{"a":', "}")])
def test_what_is_nested_too_deeply_is_refused(depth, pair):
    nested = pair[0] * depth + "1" + pair[1] * depth
    content = json.dumps(document(code("x = 1", outputs=["HERE"]))).replace('"HERE"', nested)

    assert refusal(content.encode()).startswith("its outputs or metadata are nested too deeply; clear the outputs")


@pytest.mark.parametrize("value", ["{}", "[]"])
def test_too_many_values_are_refused_before_they_cost_memory(value):
    content = json.dumps(document(code("x = 1", outputs=["HERE"]))).replace('"HERE"', ",".join([value] * 4_100_000))

    assert refusal(content.encode()).startswith("it holds too many values to be read; clear the outputs")


# -- whatever it is ----------------------------------------------------------------------------------------------------

WHOLE = document(
    "!pip install x\nimport torch",
    text("# é😀"),
    "%%time\nclass A:\n    def f(self): return 'é😀'\n",
    "%%bash\nls",
    code(["x = !ls\n", "y = 3 +\n"], outputs=[{"output_type": "stream", "text": ["a\n"]}]),
)
VALUES = (
    None,
    True,
    -1,
    1e300,
    float("nan"),
    "",
    "code",
    "\ud800",
    10**400,
    [],
    {},
    ["a", 1],
    {"a": []},
    "%%bash",
    "!x",
)


def altered(value: Any, chance: random.Random) -> Any:
    """Replace, drop and rename at random, at any depth."""
    if chance.random() < 0.05:
        return chance.choice(VALUES)
    if isinstance(value, dict):
        names = ("cells", "worksheets", "source", "input", "language", "name")
        kept = {key: altered(inner, chance) for key, inner in value.items() if chance.random() > 0.03}
        return {chance.choice(names) if chance.random() < 0.02 else key: inner for key, inner in kept.items()}
    return [altered(inner, chance) for inner in value] if isinstance(value, list) else value


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut the end off, flip bytes, or take a piece out."""
    data = bytearray(content)
    start, end = sorted(chance.randrange(len(data)) for _ in range(2))
    match chance.randrange(3):
        case 0:
            del data[start:]
        case 1:
            for _ in range(chance.randrange(1, 6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        case _:
            del data[start : min(end, start + 40)]
    return bytes(data)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_done_to_a_notebook_it_is_read_or_refused(seed):
    chance = random.Random(seed)
    for _ in range(50):
        content = json.dumps(altered(WHOLE, chance)).encode()
        if chance.random() < 0.5:
            encoding = chance.choice(["utf-8", "utf-8-sig", "utf-16", "utf-32"])
            content = damaged(json.dumps(WHOLE, indent=1, ensure_ascii=False).encode(encoding), chance)
        with contextlib.suppress(NotANotebookError):
            found = read(content)
            ast.parse(found.content)
            assert [cell.number for cell in found.cells] == list(range(1, len(found.cells) + 1))


def test_cells_of_a_module_are_none_to_be_broken():
    assert broken_cells(()) == ()
    assert broken_cells([Cell(number=1, source="x", python="x", line=1)]) == ()
