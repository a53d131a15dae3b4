from __future__ import annotations

import ast
import json
from pathlib import Path
from textwrap import dedent

import pytest

from grader.model import Flag, Match, Place, Policy, PolicyHit, SourceFile, Submission
from grader.notebooks import read
from grader.policy import Found, Program, forbidden_uses, search

MULTIHEAD = "torch.nn.MultiheadAttention"
PRODUCT = "torch.nn.functional.scaled_dot_product_attention"
FORWARD = "torch.nn.functional.multi_head_attention_forward"
POLICY = Policy(forbid=(MULTIHEAD, PRODUCT, FORWARD))


def submission(**files: str) -> Submission:
    sources = tuple(
        SourceFile(path=f"{name.replace('__', '/', 1)}.py", content=dedent(text).encode())
        for name, text in files.items()
    )
    return Submission(student="ada", origin=Path("ada"), files=sources, digest="")


def hits(text: str = "", *, policy: Policy = POLICY, target: str = "A", **files: str) -> tuple[PolicyHit, ...]:
    handed_in = submission(**({"main": text} | files))
    return forbidden_uses(handed_in, Match(file="main.py", target=target), policy)


def names(text: str = "", **files: str) -> list[str]:
    return [hit.name for hit in hits(text, **files)]


# -- ways to write it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("imports", "expression", "name"),
    [
        ("import torch", "torch.nn.functional.scaled_dot_product_attention", PRODUCT),
        ("import torch as t", "t.nn.functional.scaled_dot_product_attention", PRODUCT),
        ("import torch.nn.functional", "torch.nn.functional.scaled_dot_product_attention", PRODUCT),
        ("import torch.nn.functional as F", "F.scaled_dot_product_attention", PRODUCT),
        ("from torch import nn", "nn.functional.scaled_dot_product_attention", PRODUCT),
        ("from torch.nn import functional as F", "F.scaled_dot_product_attention", PRODUCT),
        ("from torch.nn.functional import scaled_dot_product_attention as sdpa", "sdpa", PRODUCT),
        ("from torch.nn.functional import *", "scaled_dot_product_attention", PRODUCT),
        ("from torch import *", "nn.functional.scaled_dot_product_attention", PRODUCT),
        ("import torch.nn as nn", "nn.MultiheadAttention", MULTIHEAD),
        ("from torch.nn import MultiheadAttention", "MultiheadAttention", MULTIHEAD),
        ("from torch.nn.modules.activation import MultiheadAttention as M", "M", MULTIHEAD),
        ("import torch.nn.modules as m", "m.MultiheadAttention", MULTIHEAD),
        ("import torch.nn.functional as F", "F.multi_head_attention_forward", FORWARD),
        ("import torch.nn.functional as F", "getattr(F, 'scaled_dot_product_attention')", PRODUCT),
        ("import torch", "getattr(torch.nn, 'functional').scaled_dot_product_attention", PRODUCT),
        ("import torch.nn.functional as F\nattn = F.scaled_dot_product_attention", "attn", PRODUCT),
        ("import torch.nn as nn\nG = nn.functional\nH = G", "H.scaled_dot_product_attention", PRODUCT),
        ("import torch", "torch._C._nn.scaled_dot_product_attention", PRODUCT),
        ("from torch._C import _nn", "_nn.scaled_dot_product_attention", PRODUCT),
        ("import torch", "torch.ops.aten.scaled_dot_product_attention", PRODUCT),
        ("import torch", "torch.ops.aten.scaled_dot_product_attention.default", PRODUCT),
        ("import torch", "torch.ops.aten._scaled_dot_product_attention_math", PRODUCT),
        ("import torch", "torch.ops.aten._scaled_dot_product_flash_attention_for_cpu", PRODUCT),
        (
            "try:\n    import torch.nn.functional as F\nexcept ImportError:\n    F = None",
            "F.scaled_dot_product_attention",
            PRODUCT,
        ),
        ("import torch.nn.functional as F", "(lambda q: F.scaled_dot_product_attention(q, q, q))", PRODUCT),
        ("import torch.nn.functional as F", "[F.scaled_dot_product_attention for _ in (1,)][0]", PRODUCT),
    ],
)
def test_a_forbidden_function_is_found_however_it_is_imported(imports, expression, name):
    text = f"{imports}\nclass A:\n    def forward(self, x):\n        return {expression}(x, x, x)\n"

    assert set(names(text)) == {name}


@pytest.mark.parametrize(
    "body",
    [
        "import torch.nn.functional as F\n        return F.scaled_dot_product_attention(x, x, x)",
        "from torch.nn.functional import scaled_dot_product_attention as f\n        return f(x, x, x)",
        "G = torch.nn.functional\n        return G.scaled_dot_product_attention(x, x, x)",
    ],
)
def test_names_bound_inside_a_method_are_followed(body):
    assert names(f"import torch\nclass A:\n    def forward(self, x):\n        {body}\n") == [PRODUCT]


def test_a_base_class_is_a_use():
    found = hits("import torch.nn as nn\nclass A(nn.MultiheadAttention): ...\n")

    assert [(hit.name, hit.where.line) for hit in found] == [(MULTIHEAD, 2)]


@pytest.mark.parametrize(
    "line",
    [
        "return F.softmax(x)",
        "return self.scaled_dot_product_attention(x)",
        "return scaled_dot_product_attention(x)",
        "# F.scaled_dot_product_attention(x)",
        "'F.scaled_dot_product_attention(x)'",
        "scaled_dot_product_attention = 1",
        "return x.nn.MultiheadAttention",
        "return torch.ops.aten._softmax(x)",
        "return getattr(F, name)(x)",
        "y: nn.MultiheadAttention = None",
        "return MultiheadAttention()",
    ],
)
def test_what_only_looks_like_it_is_no_use(line):
    text = f"""
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        from own_library import MultiheadAttention
        def scaled_dot_product_attention(x): return x
        class A(nn.Module):
            def forward(self, x: nn.MultiheadAttention, name="") -> nn.MultiheadAttention:
                {line}
                return x
    """

    assert names(text) == []


def test_public_functions_of_the_same_last_name_are_not_confused():
    text = "import torch\nclass A:\n    def f(self, x):\n        return torch.softmax(torch.log_softmax(x, -1), -1)\n"

    assert hits(text, policy=Policy(forbid=("torch.nn.functional.softmax",))) == ()


def test_an_internal_function_of_another_name_is_not_confused():
    text = "import torch\nclass A:\n    def f(self, x):\n        return torch.ops.aten._log_softmax(x, -1, False)\n"

    assert hits(text, policy=Policy(forbid=("torch.nn.functional.softmax",))) == ()


# -- what the class reaches --------------------------------------------------------------------------------------------


def test_a_demonstration_costs_nothing():
    text = """
        import torch
        import torch.nn.functional as F
        class A:
            def forward(self, q):
                expected = q
                return expected
        q = torch.rand(2, 3)
        expected = F.scaled_dot_product_attention(q, q, q)
        def test(q=q):
            assert A()(q) == F.scaled_dot_product_attention(q, q, q)
        if __name__ == "__main__":
            print(F.scaled_dot_product_attention(q, q, q))
    """

    assert names(text) == []


@pytest.mark.parametrize(
    "local",
    [
        "out = 1",
        "for out in x: pass",
        "with x as out: pass",
        "import out",
        "def out(): pass",
        "[out := 1]",
    ],
)
def test_a_local_variable_is_not_the_demonstrations_variable_of_that_name(local):
    text = f"""
        import torch.nn.functional as F
        class A:
            def forward(self, x):
                {local}
                other = out
                return other, (lambda: out)
        out = F.scaled_dot_product_attention(1, 2, 3)
    """

    assert names(text) == []


def test_a_global_statement_makes_it_the_modules_variable():
    text = """
        import torch.nn.functional as F
        out = F.scaled_dot_product_attention
        class A:
            def forward(self, x):
                global out
                out = out
    """

    assert PRODUCT in names(text)


@pytest.mark.parametrize(
    "around",
    [
        "def helper(x): return F.scaled_dot_product_attention(x, x, x)",
        "def helper(x): return deeper(x)\ndef deeper(x): return F.scaled_dot_product_attention(x, x, x)",
        "class helper:\n    def f(self): return F.scaled_dot_product_attention",
        "helper = nn.MultiheadAttention(4, 1)",
        "helper = lambda x: F.scaled_dot_product_attention(x, x, x)",
        "class Base:\n    f = F.scaled_dot_product_attention\nclass helper(Base): ...",
        "if True:\n    def helper(x): return F.scaled_dot_product_attention(x, x, x)",
        "def helper(x): return helper(F.scaled_dot_product_attention(x, x, x))",
    ],
)
def test_what_the_class_refers_to_is_searched_too(around):
    text = "import torch.nn as nn\nimport torch.nn.functional as F\n"
    text += f"{around}\nclass A:\n    def forward(self, x):\n        return helper(x)\n"

    assert len(names(text)) == 1


@pytest.mark.parametrize(
    "attached",
    [
        "def f(self, x): return F.scaled_dot_product_attention(x, x, x)\nA.forward = f",
        "A.forward = F.scaled_dot_product_attention",
        "@add_to(A)\ndef forward(self, x): return F.scaled_dot_product_attention(x, x, x)",
        "class A(A):\n    def forward(self, x): return F.scaled_dot_product_attention(x, x, x)",
    ],
)
def test_what_is_added_to_the_class_later_is_a_part_of_it(attached):
    assert names(f"import torch.nn.functional as F\nclass A: ...\n{attached}\n") == [PRODUCT]


def test_of_several_definitions_only_the_last_counts():
    text = """
        import torch.nn.functional as F
        class A:
            def forward(self, x): return F.scaled_dot_product_attention(x, x, x)
        class A:
            def __init__(self): super(A, self).__init__()
    """

    assert names(text) == []


def test_a_definition_that_builds_on_the_one_before_keeps_it():
    text = """
        import torch.nn.functional as F
        class A:
            def forward(self, x): return F.scaled_dot_product_attention(x, x, x)
        class A(A): ...
    """

    assert names(text) == [PRODUCT]


def test_a_function_can_be_graded_as_well():
    text = "import torch.nn.functional as F\ndef A(x):\n    return F.scaled_dot_product_attention(x, x, x)\n"

    assert names(text) == [PRODUCT]


# -- several files -----------------------------------------------------------------------------------------------------

HELPER = "import torch.nn.functional as F\ndef attend(x):\n    return F.scaled_dot_product_attention(x, x, x)\n"


@pytest.mark.parametrize(
    ("imports", "call", "helper"),
    [
        ("from parts import attend", "attend", "parts"),
        ("from parts import attend as a", "a", "parts"),
        ("import parts", "parts.attend", "parts"),
        ("import parts as p", "p.attend", "parts"),
        ("from parts import *", "attend", "parts"),
        ("from . import parts", "parts.attend", "parts"),
        ("from .parts import attend", "attend", "parts"),
        ("from parts.inner import attend", "attend", "parts__inner"),
        ("import parts.inner", "parts.inner.attend", "parts__inner"),
        ("from parts import inner", "inner.attend", "parts__inner"),
        ("from parts import F", "F.scaled_dot_product_attention", "parts"),
    ],
)
def test_the_students_own_files_are_followed(imports, call, helper):
    text = f"{imports}\nclass A:\n    def forward(self, x):\n        return {call}(x, x, x)\n"

    found = hits(text, **{helper: HELPER})

    assert [hit.name for hit in found] == [PRODUCT]


def test_packages_and_relative_imports_are_followed():
    found = hits(
        "from parts import attend\nclass A:\n    def f(self, x): return attend(x)\n",
        parts____init__="from .deep import attend\n",
        parts__deep=HELPER,
    )

    assert [(hit.name, hit.where.file, hit.where.line) for hit in found] == [(PRODUCT, "parts/deep.py", 3)]


def test_the_demonstration_of_another_file_costs_nothing():
    text = "from parts import attend\nclass A:\n    def f(self, x): return attend(x)\n"
    parts = "import torch.nn.functional as F\ndef attend(x): return x\nprint(F.scaled_dot_product_attention)\n"

    assert names(text, parts=parts) == []


def test_a_folder_named_like_a_library_hides_nothing():
    text = "from torch.nn import MultiheadAttention as M\nclass A:\n    def f(self): return M()\n"

    assert names(text, torch__data="x = 1\n") == [MULTIHEAD]


def test_names_that_stand_for_each_other_in_a_circle_end():
    text = "from parts import a\nb = a\nclass A:\n    def f(self): return b, a.x, parts\n"

    assert names(text, parts="from main import b\na = b\nimport parts\n") == []


# -- where -------------------------------------------------------------------------------------------------------------


def test_a_use_is_reported_with_file_line_function_and_source():
    text = """\
        import torch.nn.functional as F
        class A:
            def forward(self, x):
                return F.scaled_dot_product_attention(x, x, x)  # \u202e
    """

    (hit,) = hits(text)

    assert hit.name == PRODUCT
    assert (hit.where.file, hit.where.line, hit.where.function) == ("main.py", 4, "forward")
    assert hit.where.source == r"return F.scaled_dot_product_attention(x, x, x)  # \u202e"


def test_lines_are_counted_as_python_counts_them():
    text = "import torch.nn as nn\r\n'\x0c\u2028'\r\nclass A:\r\n    x = nn.MultiheadAttention\r\n"

    (hit,) = hits(text)

    assert (hit.where.line, hit.where.source) == (4, "x = nn.MultiheadAttention")


def test_a_line_that_only_an_encoding_makes_has_no_source():
    text = "# coding: utf-7\nimport torch.nn as nn+AAo-+AAo-class A(nn.MultiheadAttention): pass\n"

    assert [(hit.name, hit.where.source) for hit in hits(text)] in ([], [(MULTIHEAD, "")])


def test_uses_are_listed_once_for_a_line_and_in_order():
    text = """
        import torch.nn.functional as F
        class A:
            def g(self, x): return F.scaled_dot_product_attention(x), F.scaled_dot_product_attention(x)
            def f(self, x): return F.multi_head_attention_forward(x), F.scaled_dot_product_attention(x)
    """

    assert [(hit.where.line, hit.name) for hit in hits(text)] == [(4, PRODUCT), (5, FORWARD), (5, PRODUCT)]


# -- notebooks ---------------------------------------------------------------------------------------------------------


def in_cells(*sources: str) -> list[tuple[str, int | None, int, str]]:
    cells = [{"cell_type": "code", "metadata": {}, "source": dedent(source)} for source in sources]
    notebook = read(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}).encode())
    file = SourceFile(path="main.ipynb", content=notebook.content, cells=notebook.cells)
    handed_in = Submission(student="ada", origin=Path("ada"), files=(file,), digest="")
    found = forbidden_uses(handed_in, Match(file="main.ipynb", target="A"), POLICY)
    return [(hit.name, hit.where.cell, hit.where.line, hit.where.source) for hit in found]


def test_a_use_in_a_notebook_is_reported_with_its_cell_and_the_line_in_it():
    found = in_cells(
        "!pip install x",
        "",
        "%%time\nimport torch.nn.functional as F\n%matplotlib inline",
        "%%bash\nls",
        "def f(:\n",
        "# first\nclass A:\n    def forward(self, x):\n        return F.scaled_dot_product_attention(x, x, x)\n",
    )

    assert found == [(PRODUCT, 6, 4, "return F.scaled_dot_product_attention(x, x, x)")]


def test_uses_in_several_cells_are_listed_in_the_order_of_the_notebook():
    found = in_cells(
        "import torch.nn as nn",
        "# first\n# second\ndef helper(x):\n    return nn.functional.scaled_dot_product_attention(x, x, x)",
        "class A(nn.MultiheadAttention):\n    def f(self, x): return helper(x)",
    )

    assert [use[:3] for use in found] == [(PRODUCT, 2, 4), (MULTIHEAD, 3, 1)]


def test_a_demonstration_in_another_cell_costs_nothing():
    assert in_cells("import torch.nn as nn", "class A: ...", "print(nn.MultiheadAttention(4, 1))") == []


def test_a_module_has_no_cells():
    (hit,) = hits("import torch.nn as nn\nclass A(nn.MultiheadAttention): ...\n")

    assert hit.where.cell is None


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "class A(:",
        "class A: x = '\0'",
        "(" * 500,
        "x = " + "-" * 50_000 + "1",
        "x" + ".a" * 40_000,
        "x" + "[0]" * 20_000,
        "# -*- coding: nonsense -*-\nclass A: ...",
        "\xff" * 3,
        "",
    ],
)
def test_a_file_that_cannot_be_parsed_has_no_uses(text):
    assert hits(text) == ()


def test_a_broken_file_does_not_hide_what_another_one_does():
    assert names("import torch.nn as nn\nclass A(nn.MultiheadAttention): ...\n", broken="def f(:") == [MULTIHEAD]


def test_an_unknown_target_has_no_uses():
    assert hits("class B: ...") == ()


def test_nothing_is_forbidden_by_an_empty_policy():
    assert hits("import torch.nn as nn\nclass A(nn.MultiheadAttention): ...\n", policy=Policy()) == ()


def test_a_file_far_too_large_is_not_parsed():
    assert hits("x = [" + "1," * 500_000 + "]\n") == ()


def lines(line: str, count: int) -> str:
    return "".join(line.format(n=n, m=n + 1) for n in range(count))


@pytest.mark.parametrize(
    "text",
    [
        lines("a{n} = a{m}\n", 5000) + "class A:\n    x = a0\n",
        "import main\n" + lines("a{n} = main.a{m}\n", 5000) + "class A:\n    x = a0\n",
        "import torch\nclass A:\n    def f(self):\n        x = torch\n" + "        x = x.a\n" * 5000,
        "import torch\nclass A:\n    def f(self):\n" + lines("        x = torch.a{n}, x, x\n", 5000),
        lines("a{n} = ", 3000) + "[" + "1," * 20_000 + "]\nclass A:\n    x = [" + lines("a{n}, ", 3000) + "]\n",
        "class A: ...\n" + "A.x = A\n" * 10_000,
        "class A: ...\n@add(" + "A," * 5000 + ")\ndef f():\n    return [" + "g," * 10_000 + "]\n",
        "if x:\n" + "    a = b\n" * 20_000 + "class A:\n    x = [" + "a," * 20_000 + "]\n",
        "class A:\n    def f(self): return x" + ".a" * 900 + "\n",
        lines("from m{n} import *\n", 3000) + "class A:\n    x = [" + lines("y{n}, ", 5000) + "]\n",
    ],
)
def test_code_written_to_be_searched_for_ever_is_not(text):
    assert hits(text) == ()


# -- names that are texts ----------------------------------------------------------------------------------------------

HIDING = "import base64, builtins, codecs, functools, importlib, inspect, operator, sys, torch\n"
HIDING += "import torch.nn as nn\nimport torch.nn.functional as F\n"


@pytest.mark.parametrize(
    "expression",
    [
        "getattr(F, 'scaled_dot_product' + '_attention')",
        "getattr(F, f'scaled_dot_product_{\"attention\"}')",
        "getattr(F, ''.join(['scaled_dot', '_product', '_attention']))",
        "getattr(F, '_'.join(('scaled', 'dot', 'product', 'attention')))",
        "getattr(F, 'noitnetta_tcudorp_tod_delacs'[::-1])",
        "getattr(F, 'SCALED_DOT_PRODUCT_ATTENTION'.lower())",
        "getattr(F, 'scaled_cross_product_attention'.replace('cross', 'dot'))",
        "getattr(F, 'scaled_dot_%s_attention' % 'product')",
        "getattr(F, 'scaled_dot_{}_attention'.format('product'))",
        "getattr(F, ''.join(reversed('noitnetta_tcudorp_tod_delacs')))",
        "getattr(F, ''.join(chr(c) for c in b'scaled_dot_product_attention'))",
        "getattr(F, ''.join(map(chr, [115, 99, 97, 108, 101, 100])) + '_dot_product_attention')",
        "getattr(F, bytes.fromhex('7363616c6564').decode() + '_dot_product_attention')",
        "getattr(F, NAME)",
        "getattr(F, self.NAME)",
        "getattr(F, 'nope', F.scaled_dot_product_attention)",
        "getattr(getattr(torch, 'nn'), 'functional').scaled_dot_product_attention",
        "builtins.getattr(F, NAME)",
        "take(F, NAME)",
        "inspect.getattr_static(F, NAME)",
        "functools.reduce(getattr, ['nn', 'functional', NAME], torch)",
        "functools.reduce(getattr, f'nn.functional.{NAME}'.split('.'), torch)",
        "operator.attrgetter('nn.functional.scaled_dot_product_attention')(torch)",
        "operator.methodcaller(NAME, x, x, x)(F)",
        "functools.partial(F.scaled_dot_product_attention, is_causal=True)",
        "functools.partial(F.__getattribute__, NAME)() or F.__getattribute__(NAME)",
        "object.__getattribute__(F, NAME)",
        "vars(F)[NAME]",
        "vars(F).get(NAME)",
        "F.__dict__[NAME]",
        "F.__dict__.get('scaled_dot_product_attention')",
        "globals()['F'].scaled_dot_product_attention",
        "globals().get('F').scaled_dot_product_attention",
        "importlib.import_module('torch.nn.functional').scaled_dot_product_attention",
        "importlib.import_module('torch.nn.' + 'functional').scaled_dot_product_attention",
        "getattr(importlib.import_module('torch.nn.functional'), NAME)",
        "__import__('torch').nn.functional.scaled_dot_product_attention",
        "__import__('torch.nn.functional', fromlist=['x']).scaled_dot_product_attention",
        "sys.modules['torch.nn.functional'].scaled_dot_product_attention",
        "getattr(torch.ops.aten, NAME)",
        "torch._scaled_dot_product_attention_math",
        "torch._C._VariableFunctions._scaled_dot_product_attention_math",
        "torch.ops.aten._safe_softmax",
        "(F if x else nn).scaled_dot_product_attention",
        "(lib := F).scaled_dot_product_attention",
        "[F, nn][0].scaled_dot_product_attention",
        "{'f': F}['f'].scaled_dot_product_attention",
        "LIBRARIES['f'].scaled_dot_product_attention",
        "self.lib.scaled_dot_product_attention",
        "self.base.scaled_dot_product_attention",
        "self.kept.scaled_dot_product_attention",
        "default.scaled_dot_product_attention",
        "[lib.scaled_dot_product_attention for lib in (F,)][0]",
        "eval('F.scaled_dot_product_attention')",
        "exec('y = F.scaled_dot_product_attention(x, x, x)')",
    ],
)
def test_a_name_that_is_a_text_is_followed_when_the_text_is_made_of_constants(expression):
    text = f"""{HIDING}
NAME = "scaled_dot_" + "product_attention"
LIBRARIES = {{"f": F}}
take = getattr
class Base:
    base = F
class A(Base):
    NAME = NAME
    lib = F
    def __init__(self):
        self.kept = F
    def forward(self, x, default=F):
        return {expression}(x, x, x)
"""

    assert set(names(text)) == {PRODUCT}


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        ("nn.TransformerEncoderLayer(8, 2)", f"{MULTIHEAD} (inside torch.nn.TransformerEncoderLayer)"),
        ("nn.modules.transformer.Transformer()", f"{MULTIHEAD} (inside torch.nn.Transformer)"),
        ("torch._native_multi_head_attention", MULTIHEAD),
        ("torch.ops.aten._transformer_encoder_layer_fwd", MULTIHEAD),
    ],
)
def test_what_is_made_of_a_forbidden_class_is_one(expression, name):
    text = f"{HIDING}\nclass A:\n    def __init__(self):\n        self.layer = {expression}\n"

    assert names(text) == [name]


def test_a_subclass_of_what_is_made_of_a_forbidden_class_is_one():
    assert names(f"{HIDING}\nclass A(nn.TransformerDecoderLayer): ...\n") == [
        f"{MULTIHEAD} (inside torch.nn.TransformerDecoderLayer)"
    ]


def test_what_is_set_with_setattr_is_a_part_of_the_class():
    text = f"{HIDING}\nclass A: ...\nsetattr(A, 'forward', F.scaled_dot_product_attention)\n"

    assert names(text) == [PRODUCT]


@pytest.mark.parametrize(
    "definitions",
    [
        "n = n2\nn2 = n",
        "n = ''\n" + "".join(f"n{i + 1} = n{i} + n{i}\n" for i in range(60)) + "n = n60",
        "n = 'a' * 10 ** 10",
        "n = '%999999999d' % 1",
        "n = '{:>999999999}'.format(1)",
        "n = [[[['a' for d in b] for c in b] for b in a] for a in 'x' * 300]",
        "n = ['a'] * 300 * 300",
        "n = '%s' % [[[['a'] * 300] * 300] * 300]",
        "n = 'a'[5]",
        "n = chr(-1)",
        "n = bytes([300]).decode()",
        "n = ''.join(chr(c) for c in 7)",
    ],
)
def test_a_text_that_is_nothing_or_far_too_much_is_not_worked_out(definitions):
    assert names(f"{HIDING}\n{definitions}\nclass A:\n    x = getattr(F, n)\n") == []


# -- what only looks like hiding ---------------------------------------------------------------------------------------


def flags(text: str, **files: str) -> list[Flag]:
    return list(search(submission(main=text, **files), Match(file="main.py", target="A"), POLICY).flags)


def in_forward(line: str, before: str = "") -> str:
    return f"""{HIDING}
import ctypes, marshal, pickle
{before}
class A(nn.Module):
    def __init__(self, activation="relu", lib=None):
        self.activation = activation
        self.computed = "".join(sorted(activation))
    def forward(self, x, name, lib=None):
        {line}
        return x
"""


@pytest.mark.parametrize(
    ("line", "does"),
    [
        ("getattr(F, base64.b64decode('c2Nh').decode())", "takes something of torch.nn.functional by a computed name"),
        ("getattr(F, ''.join(sorted(name)))", "takes something of torch.nn.functional by a computed name"),
        ("getattr(F, self.computed)", "takes something of torch.nn.functional by a computed name"),
        ("getattr(torch.ops.aten, x.name())", "takes something of torch.ops.aten by a computed name"),
        ("F.__dict__[x.name()]", "takes something of torch.nn.functional by a computed name"),
        ("vars(torch)[x.name()]", "takes something of torch by a computed name"),
        ("operator.attrgetter(x.name())(torch)", "takes something of torch by a computed name"),
        ("functools.reduce(getattr, x.path(), torch)", "takes something of torch by a computed name"),
        ("list(map(getattr, [F], [x.name()]))", "hands getattr to another function, with a part of a library"),
        ("globals()[x.name()]", "takes a global variable by a computed name"),
        ("__import__(x.name())", "imports a module by a computed name"),
        ("importlib.import_module(x.name())", "imports a module by a computed name"),
        ("eval(name)", "uses eval"),
        ("exec(name)", "uses exec"),
        ("run = eval", "uses eval"),
        ("compile(name, '', 'eval')", "uses compile"),
        ("ctypes.CDLL(None)", "uses ctypes.CDLL"),
        ("pickle.loads(name)", "uses pickle.loads"),
        ("marshal.loads(name)", "uses marshal.loads"),
        ("torch.jit.CompilationUnit(name)", "uses torch.jit.CompilationUnit"),
        (
            "lib.scaled_dot_product_attention(x, x, x)",
            "takes scaled_dot_product_attention of something that is not known",
        ),
        (
            "getattr(lib, 'scaled_dot_product_attention')(x)",
            "takes scaled_dot_product_attention of something that is not known",
        ),
    ],
)
def test_what_hides_a_call_is_a_flag_and_no_hit(line, does):
    text = in_forward(line)
    found = flags(text)

    assert names(text) == []
    assert [flag.id for flag in found] == ["hidden-call"]
    assert found[0].message == f"It {does} (line 12), so its source does not show all that it calls."
    assert found[0].where == Place(file="main.py", line=12, source=line, function="forward")


def test_a_decoder_is_a_flag_beside_a_computed_name():
    line = "getattr(lib, x.name())(base64.b64decode(name))"

    assert [flag.message.split(" (")[0] for flag in flags(in_forward(line))] == [
        "It decodes a text with base64.b64decode and takes something by a computed name"
    ]
    assert flags(in_forward("base64.b64decode(name)")) == []


@pytest.mark.parametrize(
    "line",
    [
        "getattr(self, f'head_{len(x)}')(x)",
        "getattr(self, name)",
        "getattr(x, name)",
        "getattr(lib, ''.join(sorted(name)))",
        "getattr(F, name)(x)",
        "getattr(F, name.lower())(x)",
        "getattr(nn, self.activation)()",
        "getattr(torch, 'softmax')(x, -1)",
        "getattr(F, 'relu' if x else 'gelu')(x)",
        "self.eval()",
        "nn.Linear(1, 2).eval()",
        "torch.compile(self)",
        "__import__('math').sqrt(2)",
        "importlib.import_module('math').sqrt(2)",
        "globals()['helper']",
        "{'softmax': F.softmax}[name](x)",
        "self.attend.scaled_dot_product_attention(x)",
        "pickle.dumps(x)",
        "sys.modules['torch'].softmax(x, -1)",
    ],
)
def test_what_honest_code_does_is_no_flag(line):
    helper = "class Helper:\n    def scaled_dot_product_attention(self, x): return x\n"

    assert flags(in_forward(line, helper)) == []


def test_a_name_that_is_handed_in_is_a_flag_where_a_text_names_what_is_forbidden():
    demonstration = "\nA('relu')(1, 'scaled_dot_product' + '_attention')\n"
    text = in_forward("getattr(F, name)(x, x, x)")

    assert flags(text) == []
    assert len(flags(text + demonstration)) == 1


def test_hiding_in_a_demonstration_costs_no_flag():
    text = f"{HIDING}\nclass A:\n    def f(self, x): return x\nexec('import os')\nf = getattr(F, input())\n"

    assert flags(text) == []


def test_a_line_with_a_hit_needs_no_flag():
    text = in_forward("eval('F.scaled_dot_product_attention')(x, x, x)")

    assert names(text) == [PRODUCT]
    assert flags(text) == []


def test_a_students_own_function_of_that_name_is_no_flag():
    assert flags(f"{HIDING}\ndef eval(x): return x\nclass A:\n    def f(self, x): return eval(x)\n") == []


def test_there_are_only_so_many_flags():
    text = f"{HIDING}\nclass A:\n    def f(self, x):\n" + lines("        eval(x + {n})\n", 50)

    assert len(flags(text)) == 10


def test_where_nothing_is_forbidden_nothing_is_hidden():
    found = search(submission(main=in_forward("eval(name)")), Match(file="main.py", target="A"), Policy())

    assert found.flags == ()


def test_a_flag_in_a_notebook_names_its_cell():
    cells = [{"cell_type": "code", "metadata": {}, "source": text} for text in ("", "class A:\n    x = eval(y)")]
    notebook = read(json.dumps({"nbformat": 4, "metadata": {}, "cells": cells}).encode())
    file = SourceFile(path="main.ipynb", content=notebook.content, cells=notebook.cells)
    handed_in = Submission(student="ada", origin=Path("ada"), files=(file,), digest="")
    (flag,) = search(handed_in, Match(file="main.ipynb", target="A"), POLICY).flags

    assert "(cell 2, line 2)" in flag.message
    assert (flag.where.cell, flag.where.line) == (2, 2)


ROOT = Path(__file__).parent.parent
HANDED_IN = [*ROOT.glob("solutions/*/accepted/*.py"), *ROOT.glob("solutions/*/reference.py")]
HANDED_IN += [*ROOT.glob("submissions/**/*.py"), *ROOT.glob("submissions/**/*.ipynb")]
WRONG = [*ROOT.glob("solutions/*/wrong/*.py")]


def searched(path: Path) -> Found:
    """What is found in all classes of a file together."""
    content, cells = path.read_bytes(), ()
    if path.suffix == ".ipynb":
        notebook = read(content)
        content, cells = notebook.content, notebook.cells
    file = SourceFile(path=path.name, content=content, cells=cells)
    handed_in = Submission(student="ada", origin=path, files=(file,), digest="")
    tree = Program(handed_in.files).trees.get(path.name)
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)] if tree else []
    found = [search(handed_in, Match(file=path.name, target=name), POLICY) for name in classes]
    return Found(tuple(hit for one in found for hit in one.hits), tuple(flag for one in found for flag in one.flags))


@pytest.mark.parametrize("path", [*HANDED_IN, *WRONG], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_solution_and_no_sample_is_a_flag_or_a_hit_unless_it_does_what_is_forbidden(path):
    found = searched(path)
    source = path.read_text(encoding="utf-8")

    assert found.flags == ()
    assert bool(found.hits) == (path.stem.startswith("forbidden_api") or "MultiheadAttention(" in source)
