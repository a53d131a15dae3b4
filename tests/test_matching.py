from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest

from grader.matching import Matching, match
from grader.model import Assignment, Contract, HiddenFeedback, Limits, Match, Policy, SourceFile, Submission
from grader.notebooks import read


def assignment(name: str, entry: str, *aliases: str) -> Assignment:
    return Assignment(
        id=name,
        title=name,
        folder=Path(name),
        reference=Path(name) / "reference.py",
        entry=entry,
        aliases=aliases,
        contract=Contract(construct="embed_dim", call="x"),
        limits=Limits(),
        policy=Policy(),
        hidden_feedback=HiddenFeedback.HINT,
        checks=(),
        digest="",
    )


SINGLE = assignment("single", "SelfAttention", "Attention", "SingleHeadAttention", "ScaledDotProductAttention")
MULTI = assignment("multi", "MultiHeadSelfAttention", "MultiHeadAttention", "MultiHeadAttentionWrapper", "MHA")
BOTH = (SINGLE, MULTI)


def matching(text: str = "", *, explicit: bool = False, given: tuple[Assignment, ...] = BOTH, **files: str) -> Matching:
    named = ({"main": text} if text else {}) | files
    sources = tuple(
        SourceFile(path=f"{name.replace('__', '/')}.py", content=dedent(source).encode())
        for name, source in named.items()
    )
    submission = Submission(student="ada", origin=Path("ada"), files=sources, digest="")
    return match(submission, given, explicit=explicit)


def found(text: str = "", *, explicit: bool = False, given: tuple[Assignment, ...] = BOTH, **files: str) -> dict:
    matched = matching(text, explicit=explicit, given=given, **files).matched
    return {assignment.id: match for assignment, match in matched}


def targets(text: str = "", *, explicit: bool = False, given: tuple[Assignment, ...] = BOTH, **files: str) -> dict:
    return {name: match.target for name, match in found(text, explicit=explicit, given=given, **files).items()}


def module(name: str, base: str = "nn.Module", body: str = "pass") -> str:
    return f"class {name}({base}):\n    {body}\n"


# -- names -------------------------------------------------------------------------------------------------------------


def test_the_entry_is_matched_without_a_word():
    assert found(module("SelfAttention")) == {"single": Match(file="main.py", target="SelfAttention")}


@pytest.mark.parametrize("alias", SINGLE.aliases)
def test_an_alias_is_matched_without_a_word(alias):
    assert found(module(alias)) == {"single": Match(file="main.py", target=alias)}


def test_a_function_of_the_right_name_is_matched():
    assert targets("def SelfAttention(x): ...") == {"single": "SelfAttention"}


def test_one_file_can_serve_both_assignments():
    text = module("SelfAttention") + module("MultiHeadAttention")

    assert targets(text) == {"single": "SelfAttention", "multi": "MultiHeadAttention"}


@pytest.mark.parametrize(
    ("name", "matched"),
    [
        ("selfattention", "single"),
        ("Self_Attention", "single"),
        ("SELF_ATTENTION", "single"),
        ("SelfAttenton", "single"),
        ("SelfAttention_v2", "single"),
        ("mha", "multi"),
        ("MultiHeadSelfAttn", "multi"),
        ("MultiHeadSelfAttenton", "multi"),
        ("MultiHeadCrossAttention", "multi"),
    ],
)
def test_a_name_that_is_nearly_right_is_matched_with_a_warning(name, matched):
    (only,) = found(module(name, base="object")).items()

    entry = {"single": "SelfAttention", "multi": "MultiHeadSelfAttention"}[matched]
    warning = f"the class is called {name}; {entry} was asked for"
    assert only == (matched, Match(file="main.py", target=name, warnings=(warning,)))


@pytest.mark.parametrize(
    ("name", "matched"),
    [
        ("CausalAttention", "single"),
        ("BahdanauAttention", "single"),
        ("MyAttentionLayer", "single"),
        ("AttentionScaled", "single"),
        ("SingleHeadMaskedAttention", "single"),
        ("MultiheadedAttention", "multi"),
        ("AttentionWithManyHeads", "multi"),
        ("HeadsOfAttention", "multi"),
        ("my_multi_attention", "multi"),
    ],
)
def test_a_module_is_matched_by_the_words_that_only_one_assignment_has(name, matched):
    (only,) = found(module(name)).items()

    assert only[0] == matched
    assert only[1].warnings[0].startswith(f"the class is called {name}; ")


@pytest.mark.parametrize("base", ["nn.Module", "Module", "torch.nn.Module", "pl.LightningModule", "Base"])
def test_a_module_is_what_derives_from_something_called_so(base):
    text = module("Base", "Middle") + module("Middle", "nn.Module") + module("CausalAttention", base)

    assert targets(text) == {"single": "CausalAttention"}


@pytest.mark.parametrize("base", ["object", "Unknown", "f()", "CausalAttention", "nn.ModuleList"])
def test_a_class_that_is_no_module_is_not_matched_by_words(base):
    assert targets(module("CausalAttention", base)) == {}


def test_a_class_that_fits_one_assignment_is_no_near_miss_for_another():
    close = (assignment("one", "SelfAttentionA"), assignment("two", "SelfAttentionB"))

    assert targets(module("SelfAttentionA"), given=close) == {"one": "SelfAttentionA"}


def test_a_name_that_two_assignments_accept_serves_both():
    same = (assignment("one", "A"), assignment("two", "B", "A"))

    assert targets(module("A"), given=same) == {"one": "A"}
    assert targets(module("C"), given=(assignment("one", "C"), assignment("two", "C"))) == {"one": "C", "two": "C"}


def test_a_function_of_nearly_the_right_name_is_taken_only_when_there_is_nothing_else():
    function = "def self_attention(x): ...\n"

    assert found(function)["single"].warnings == ("the function is called self_attention; SelfAttention was asked for",)
    assert targets(function + module("MultiHeadAttention")) == {"multi": "MultiHeadAttention"}
    assert targets(function + module("CausalAttention")) == {"single": "CausalAttention"}


def test_classes_inside_functions_and_classes_do_not_count():
    assert targets("def f():\n    class SelfAttention: ...\nclass A:\n    class SelfAttention: ...\n") == {}


def test_classes_under_a_condition_count():
    assert targets("try:\n    import x\nexcept ImportError:\n    class SelfAttention: ...\n") == {
        "single": "SelfAttention"
    }


# -- several that fit --------------------------------------------------------------------------------------------------


def test_the_entry_is_preferred_to_an_alias():
    assert found(module("SelfAttention") + module("Attention"))["single"] == Match(
        file="main.py", target="SelfAttention"
    )


def test_an_alias_is_preferred_to_a_near_miss():
    assert targets(module("SelfAttention_v2") + module("Attention")) == {"single": "Attention"}


def test_of_two_aliases_the_one_that_uses_the_other_is_graded():
    text = module("Attention", body="inner = ScaledDotProductAttention") + module("ScaledDotProductAttention")
    reverse = module("Attention") + module("ScaledDotProductAttention", body="inner = Attention")

    assert found(text)["single"] == Match(
        file="main.py",
        target="Attention",
        warnings=("Attention in main.py is graded; ScaledDotProductAttention in main.py would have fitted as well",),
    )
    assert targets(reverse) == {"single": "ScaledDotProductAttention"}


def test_of_two_aliases_that_stand_alone_the_first_in_the_assignment_is_graded():
    assert targets(module("ScaledDotProductAttention") + module("Attention")) == {"single": "Attention"}


def test_of_two_versions_the_last_is_graded():
    assert targets(module("SelfAttention_v1") + module("SelfAttention_v2")) == {"single": "SelfAttention_v2"}


def test_a_class_defined_twice_in_a_file_is_one():
    assert found(module("SelfAttention") * 2)["single"].warnings == ()


def test_of_several_files_the_last_by_name_is_graded():
    match = found(a=module("SelfAttention"), b=module("SelfAttention"), c="x = 1")["single"]

    assert match.file == "b.py"
    assert match.warnings == ("SelfAttention in b.py is graded; SelfAttention in a.py would have fitted as well",)


@pytest.mark.parametrize(
    "imported", ["import b", "from b import SelfAttention as S", "from . import b", "import b as c"]
)
def test_of_several_files_the_one_that_imports_the_others_is_graded(imported):
    match = found(a=f"{imported}\n{module('SelfAttention')}", b=module("SelfAttention"))["single"]

    assert match.file == "a.py"


def test_the_entry_in_another_file_is_preferred_to_an_alias_in_the_file_that_imports_it():
    assert found(a=f"import b\n{module('Attention')}", b=module("SelfAttention"))["single"].file == "b.py"


def test_a_class_that_is_only_imported_is_graded_where_it_is_defined():
    assert found(main="from parts import SelfAttention", parts=module("SelfAttention"))["single"].file == "parts.py"


# -- building blocks ---------------------------------------------------------------------------------------------------

BLOCKS = module("SelfAttention") + module("MultiHeadAttention", body="head = SelfAttention")
NOTE = (
    "SelfAttention is taken as a building block of MultiHeadAttention and is not graded on its own; "
    "to have it graded, ask for it with -a single"
)


@pytest.mark.parametrize(
    "files",
    [
        {"main": BLOCKS},
        {"main": module("SelfAttention") + "def make(): return SelfAttention()\n" + module("MHA", body="make = make")},
        {
            "main": "from parts import SelfAttention as S\n" + module("MHA", body="S()"),
            "parts": module("SelfAttention"),
        },
        {"main": module("SelfAttention") + module("MHA", base="SelfAttention")},
    ],
)
def test_a_building_block_of_another_class_is_not_graded_on_its_own(files):
    result = matching(**files)

    whole = result.matched[0][1]
    assert [assignment.id for assignment, _ in result.matched] == ["multi"]
    assert whole.warnings == (NOTE.replace("MultiHeadAttention", whole.target),)
    assert result.unmatched == ((SINGLE, whole.warnings[0]),)


def test_a_building_block_that_was_asked_for_is_graded():
    assert targets(BLOCKS, explicit=True) == {"single": "SelfAttention", "multi": "MultiHeadAttention"}
    assert targets(BLOCKS, explicit=True, given=(SINGLE,)) == {"single": "SelfAttention"}
    assert found(BLOCKS, explicit=True)["multi"].warnings == ()


def test_a_demonstration_with_both_makes_none_a_building_block_of_the_other():
    text = module("SelfAttention") + module("MultiHeadAttention") + "models = [SelfAttention(), MultiHeadAttention()]\n"

    assert list(targets(text)) == ["single", "multi"]


def test_classes_that_use_each_other_are_both_graded():
    text = module("SelfAttention", body="x = MHA") + module("MHA", body="x = SelfAttention")

    assert list(targets(text)) == ["single", "multi"]


def test_a_block_built_around_the_graded_class_is_not_taken_for_the_other_assignment():
    text = module("MultiHeadAttention") + module("AttentionBlock", body="inner = MultiHeadAttention()")

    assert targets(text) == {"multi": "MultiHeadAttention"}


def test_a_loosely_named_class_built_from_the_other_is_matched_when_a_word_speaks_for_it():
    text = module("SelfAttention") + module("MultiAttentionLayer", body="inner = SelfAttention()")

    assert targets(text) == {"multi": "MultiAttentionLayer"}


# -- explicit ----------------------------------------------------------------------------------------------------------


def test_the_only_module_is_graded_when_it_was_asked_for():
    match = found(module("Foo") + "class Other: ...\n", explicit=True, given=(SINGLE,))["single"]

    assert match == Match(
        file="main.py", target="Foo", warnings=("the class is called Foo; SelfAttention was asked for",)
    )


def test_of_several_modules_none_is_taken_for_what_was_asked_for():
    assert targets(module("Foo") + module("Bar"), explicit=True, given=(SINGLE,)) == {}


def test_the_only_module_is_not_graded_when_nobody_asked_for_it():
    assert targets(module("Foo"), given=(SINGLE,)) == {}


def test_a_fitting_name_is_preferred_to_the_only_module():
    text = module("Foo") + "def self_attention(x): ...\n"

    assert targets(text, explicit=True, given=(SINGLE,)) == {"single": "self_attention"}


# -- nothing found -----------------------------------------------------------------------------------------------------


def test_no_match_comes_with_what_was_looked_for_and_what_is_there():
    result = matching("class Foo: ...\nclass Bar: ...\ndef baz(): ...\n", given=(MULTI,))

    assert result == Matching(
        unmatched=(
            (
                MULTI,
                "no class named MultiHeadSelfAttention was found (also accepted: MultiHeadAttention, "
                "MultiHeadAttentionWrapper, MHA); the files define: Foo, Bar",
            ),
        )
    )


def test_an_assignment_without_aliases_names_none():
    result = matching("x = 1", given=(assignment("a", "Alpha"),))

    assert result.unmatched[0][1] == "no class named Alpha was found; the files define no class"


def test_a_long_list_of_classes_is_cut():
    result = matching("".join(f"class C{n}: ...\n" for n in range(15)), given=(SINGLE,))

    assert result.unmatched[0][1].endswith("C8, C9 and 5 more")


def test_no_files_and_no_assignments_are_no_reason_to_fail():
    assert matching().matched == ()
    assert matching(module("SelfAttention"), given=()) == Matching()


# -- notebooks ---------------------------------------------------------------------------------------------------------


def in_cells(*sources: str, explicit: bool = False, given: tuple[Assignment, ...] = BOTH, **modules: str) -> dict:
    cells = [{"cell_type": "code", "metadata": {}, "source": dedent(source)} for source in sources]
    notebook = read(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}).encode())
    files = [SourceFile(path="main.ipynb", content=notebook.content, cells=notebook.cells)]
    files += [SourceFile(path=f"{name}.py", content=text.encode()) for name, text in modules.items()]
    submission = Submission(student="ada", origin=Path("ada"), files=tuple(files), digest="")
    return {one.id: match for one, match in match(submission, given, explicit=explicit).matched}


def test_classes_in_the_cells_of_a_notebook_are_matched():
    found = in_cells("!pip install x", module("SelfAttention"), "%%time\n" + module("MHA"))

    assert found == {
        "single": Match(file="main.ipynb", target="SelfAttention"),
        "multi": Match(file="main.ipynb", target="MHA"),
    }


def test_a_building_block_in_another_cell_is_one():
    assert list(in_cells(module("SelfAttention"), "x = 1", module("MHA", body="x = SelfAttention"))) == ["multi"]


def test_a_class_that_stands_only_in_a_cell_with_a_syntax_error_is_matched():
    found = in_cells("import torch", f"{module('SelfAttention')}\ndef f(:")

    assert found == {"single": Match(file="main.ipynb", target="SelfAttention")}


def test_a_class_in_a_cell_with_a_syntax_error_is_matched_loosely_too():
    assert in_cells(f"{module('CausalAttention')}\ndef f(:")["single"].target == "CausalAttention"


def test_a_class_in_a_cell_of_another_language_is_not_matched():
    assert in_cells("x = 1", "%%writefile a.py\n" + module("SelfAttention")) == {}


def test_a_class_that_can_be_parsed_is_preferred_to_a_draft_that_cannot():
    found = in_cells(module("Attention"), f"{module('SelfAttention')}\ndef f(:")

    assert found == {"single": Match(file="main.ipynb", target="Attention")}


def test_a_class_that_stands_in_a_broken_cell_and_in_a_good_one_is_the_good_one():
    for cells in (
        [module("SelfAttention"), "class SelfAttention(:"],
        ["class SelfAttention(:", module("SelfAttention")],
    ):
        assert in_cells(*cells) == {"single": Match(file="main.ipynb", target="SelfAttention")}


def test_a_class_in_a_module_that_a_notebook_imports_is_graded_there():
    found = in_cells("from parts import SelfAttention", "SelfAttention(4)", parts=module("SelfAttention"))

    assert found == {"single": Match(file="parts.py", target="SelfAttention")}


def test_of_a_class_in_a_notebook_and_in_a_module_the_one_that_imports_the_other_is_graded():
    found = in_cells("from zoo import x", module("SelfAttention"), zoo=module("SelfAttention"))

    assert found["single"] == Match(
        file="main.ipynb",
        target="SelfAttention",
        warnings=("SelfAttention in main.ipynb is graded; SelfAttention in zoo.py would have fitted as well",),
    )


def test_of_a_class_in_a_notebook_and_in_a_module_the_last_is_graded_otherwise():
    found = in_cells(module("SelfAttention"), main=module("SelfAttention"))

    assert found["single"].file == "main.py"
    assert found["single"].warnings[0].startswith("SelfAttention in main.py is graded; ")


def test_a_notebook_is_no_module_that_could_be_imported():
    found = in_cells(module("SelfAttention"), other="from main import SelfAttention\n" + module("MHA", "SelfAttention"))

    assert list(found) == ["single", "multi"]


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["def f(:\n", "x = '\0'\n", "  indented\n", "(" * 500, "\ufffe\n"])
def test_a_file_with_a_syntax_error_is_still_matched(broken):
    text = f"{module('SelfAttention')}{broken}\n"

    assert targets(text) == {"single": "SelfAttention"}


def test_a_file_with_a_syntax_error_is_still_matched_loosely():
    assert targets(f"class  Causal_Attention ( torch.nn.Module ) :\n    pass\n{module('mha', 'Base')}def f(:\n") == {
        "single": "Causal_Attention",
        "multi": "mha",
    }


def test_classes_in_comments_of_a_broken_file_do_not_count():
    assert targets("# class SelfAttention:\nclassSelfAttention: pass\nx = class SelfAttention\ndef f(:\n") == {}


def test_other_files_are_matched_beside_a_broken_one():
    assert found(a=module("SelfAttention"), b="def f(:\n")["single"].file == "a.py"


def test_an_undecodable_file_is_still_matched():
    source = SourceFile(path="main.py", content=b"# caf\xe9\nclass SelfAttention: ...\n")
    submission = Submission(student="ada", origin=Path("ada"), files=(source,), digest="")

    assert match(submission, BOTH, explicit=False).matched[0][1].target == "SelfAttention"


def test_a_file_far_too_large_to_be_parsed_is_matched_with_a_warning():
    text = module("SelfAttention") + "x = [" + "1," * 200_000 + "]\n"

    assert found(text)["single"].warnings == ("main.py is too large to be searched for forbidden functions",)


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 1_000_000 + "class",
        " " * 1_000_000 + "class",
        "class " * 200_000,
        "class A(" + "A " * 200_000,
        "class A" + "a" * 1_000_000 + ": ...\n",
        "".join(f"class SelfAttentio{n}: ...\n" for n in range(20_000)),
        "".join(f"class Attention{n}x(nn.Module): ...\n" for n in range(12_000)),
        "".join(f"class A{n}(A{n + 1}): ...\n" for n in range(12_000)),
        module("MHA") + "".join(f"class Attention{n}x(nn.Module):\n    x = MHA\n" for n in range(5000)),
        "".join(f"class SelfAttention_v{n}:\n    x = SelfAttention_v{n + 1}\n" for n in range(8000)),
        "".join(f"class Attentio{'n' * n}(Module): ...\n" for n in range(1000)),
    ],
)
def test_code_written_to_be_matched_for_ever_is_not(text):
    assert len(matching(text, explicit=True).matched) <= 2
