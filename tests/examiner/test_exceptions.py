"""Exceptions that small modules really raise, in this version of torch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from grader.checks.faults import Raised
from grader.examiner.explaining import Notebook
from grader.examiner.student import Student

from .raising import RIGHT, SINGLE, changed, noted, opened

SCORES = "q @ k.transpose(-2, -1)"
SPLIT = ".view(batch, seq, self.num_heads, self.head_dim).transpose(1, 2)"
FILL = "scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)"

NAMED = [
    # -- layers and features
    (
        "heads-full-width",
        ["Each head returns 24 features, so 4 heads concatenate to 96", "the last layer expects 24", "= 6"],
        changed("separate", ("nn.Linear(embed_dim, self.head_dim)", "nn.Linear(embed_dim, embed_dim)")),
    ),
    (
        "heads-full-width",
        ["so 4 heads concatenate to 96", "the next layer expects 24"],
        changed(
            "separate",
            ("nn.Linear(embed_dim, self.head_dim)", "nn.Linear(embed_dim, embed_dim)"),
            ("self.output = nn.Linear(embed_dim, embed_dim)", "self.output = nn.Linear(embed_dim, self.head_dim)"),
        ),
    ),
    (
        "heads-full-width",
        ["4 heads hold 960 numbers together, 24 features for each head and token", "= 6"],
        changed(
            "fused",
            (
                "= nn.Linear(embed_dim, embed_dim)\n        self",
                "= nn.Linear(embed_dim, num_heads * embed_dim)\n        self",
            ),
            ("self.head_dim = embed_dim // num_heads", "self.head_dim = embed_dim"),
        ),
    ),
    (
        "head-linear-fed-full-width",
        ["A layer for 6 features", "is given all 24 (embed_dim)"],
        changed("separate", ("nn.Linear(embed_dim, self.head_dim)", "nn.Linear(self.head_dim, self.head_dim)")),
    ),
    (
        "full-linear-fed-head",
        ["A layer for all 24 features (embed_dim) is given 6"],
        changed(
            "separate",
            ("nn.Linear(embed_dim, self.head_dim)", "nn.Linear(embed_dim, embed_dim)"),
            ("query(x), key(x), value(x)", "(layer(x[..., :self.head_dim]) for layer in (query, key, value))"),
        ),
    ),
    (
        "full-linear-fed-head",
        ["A layer for all 24 features", "40 rows (batch * num_heads * seq): every head by itself"],
        changed(
            "fused",
            (
                "self.query(x).view(batch, seq, self.num_heads, self.head_dim)",
                "self.query(x.view(batch, seq, self.num_heads, self.head_dim))",
            ),
        ),
    ),
    (
        "loop-overwrites-input",
        ["x, which came in with 24 features (embed_dim), has 6 here"],
        changed("separate", ("head = torch", "x = torch"), ("heads.append(head)", "heads.append(x)")),
    ),
    (
        "loop-overwrites-input",
        ["x, which came in with 24 features (embed_dim), has 6 here"],
        changed("nested", ("outputs.append(head(x, mask))", "x = head(x, mask)\n            outputs.append(x)")),
    ),
    (
        "output-projection-wrong-size",
        ["4 heads of 6 features concatenate to 24 (embed_dim), but the last layer takes only 6"],
        changed(
            "fused",
            ("self.output = nn.Linear(embed_dim, embed_dim)", "self.output = nn.Linear(self.head_dim, embed_dim)"),
        ),
    ),
    (
        "hard-coded-size",
        ["A layer takes 512 features, with embed_dim = 24 and with embed_dim = 35 alike"],
        changed("alone", ("super().__init__()", "super().__init__()\n        embed_dim = 512")),
    ),
    (
        "hard-coded-size",
        ["[2 (batch), 10, 4 (num_heads), 6 (embed_dim // num_heads)]", "10 stands there whatever the input is"],
        changed("fused", (SPLIT, ".view(batch, 10, self.num_heads, self.head_dim).transpose(1, 2)")),
    ),
    (
        "hard-coded-size",
        ["8 stands there whatever the input is"],
        changed("fused", ("reshape(batch, seq, embed)", "reshape(8, seq, embed)")),
    ),
    (
        "hard-coded-size",
        ["8 and 16 stand there whatever the input is"],
        changed("fused", ("reshape(batch, seq, embed)", "reshape(8, 16, embed)")),
    ),
    (
        "hard-coded-size",
        ["3 stands there whatever the input is, where 2 (batch) belongs"],
        changed("fused", ("reshape(batch, seq, embed)", "reshape(3, seq, embed)")),
    ),
    (
        "hard-coded-size",
        ["8 stands there whatever the input is, where 4 (num_heads) belongs"],
        changed("fused", (SPLIT, ".view(batch, seq, 8, self.head_dim).transpose(1, 2)")),
    ),
    # -- heads
    (
        "heads-concatenated-wrong-dim",
        ["40 rows of 6 features", "4 * 6 = 24 features"],
        changed("separate", ("torch.cat(heads, dim=-1)", "torch.cat(heads, dim=0)")),
    ),
    (
        "heads-concatenated-wrong-dim",
        ["40 rows of 6 features", "A single sample without the batch axis works"],
        changed("separate", ("torch.cat(heads, dim=-1)", "torch.cat(heads, dim=1)")),
    ),
    (
        "heads-concatenated-wrong-dim",
        ["4 numbers, one for each head", "4 * 6 = 24 features"],
        changed("nested", ("torch.cat(outputs, dim=-1)", "torch.stack(outputs, dim=-1)")),
    ),
    (
        "float-head-dim",
        ["embed_dim / num_heads is the float 6.0, embed_dim // num_heads is 6"],
        changed("fused", ("embed_dim // num_heads", "embed_dim / num_heads")),
    ),
    (
        "float-head-dim",
        ["the float 6.0"],
        changed("separate", ("embed_dim // num_heads", "embed_dim / num_heads")),
    ),
    (
        "view-noncontiguous",
        ["cannot join axes"],
        changed("fused", ("reshape(batch, seq, embed)", "view(batch, seq, embed)")),
    ),
    # -- scores
    ("keys-not-transposed", ["24 (embed_dim) features", "5 (seq) rows"], changed("alone", (SCORES, "q @ k"))),
    (
        "keys-not-transposed",
        ["6 (embed_dim // num_heads) features", "5 (seq) rows"],
        changed("fused", (SCORES, "q @ k")),
    ),
    (
        "keys-not-transposed",
        ["6 (embed_dim // num_heads) features", "5 (seq) rows"],
        changed("fused", (SCORES, "torch.matmul(q, k)")),
    ),
    ("keys-not-transposed", ["24 (embed_dim) features", "5 (seq) rows"], changed("alone", (SCORES, "torch.bmm(q, k)"))),
    (
        "keys-not-transposed",
        ["6 (embed_dim // num_heads) features", "4 (num_heads) rows", "heads meet within each token"],
        changed("fused", (SPLIT, ".view(batch, seq, self.num_heads, self.head_dim)"), (SCORES, "q @ k")),
    ),
    (
        "keys-not-transposed",
        ["24 (embed_dim) features", "5 (seq) rows"],
        changed("alone", (SCORES, "torch.einsum('bqd,bdk->bqk', q, k)")),
    ),
    (
        "transpose-T-on-3d",
        ["along axis 0", "24 (embed_dim)", "2 (batch)"],
        changed("alone", (SCORES, "torch.bmm(q, k.T)")),
    ),
    (
        "transpose-T-on-3d",
        ["along axis 0", "6 (embed_dim // num_heads)", "8 (batch * num_heads)"],
        changed("fused", (SPLIT, SPLIT + ".flatten(0, 1)"), (SCORES, "q @ k.T")),
    ),
    (
        "transpose-wrong-axes",
        ["Axes 0 and 1 change places", "5 (seq)", "8 (batch * num_heads)"],
        changed("fused", (SPLIT, SPLIT + ".flatten(0, 1)"), (SCORES, "torch.bmm(q, k.transpose(0, 1))")),
    ),
    ("transpose-T-on-3d", ["along axis 0", "24 (embed_dim)", "2 (batch)"], changed("alone", (SCORES, "q @ k.T"))),
    ("transpose-T-on-3d", ["along axis 1", "5 (seq)", "4 (num_heads)"], changed("fused", (SCORES, "q @ k.T"))),
    ("transpose-T-on-3d", ["a tensor with 3 axes", "A single sample"], changed("alone", (SCORES, "q @ k.t()"))),
    (
        "transpose-wrong-axes",
        ["Axes 0 and 1 change places", "5 (seq)", "2 (batch)", "A single sample"],
        changed("alone", (SCORES, "q @ k.transpose(0, 1)")),
    ),
    (
        "transpose-wrong-axes",
        ["Axes 1 and 2 change places", "5 (seq)", "4 (num_heads)"],
        changed("fused", (SCORES, "q @ k.transpose(2, 1)")),
    ),
    (
        "transpose-wrong-axes",
        ["Axes -3 and -1 change places", "6 (embed_dim // num_heads)", "4 (num_heads)"],
        changed("fused", (SCORES, "torch.matmul(q, k.swapaxes(-1, -3))")),
    ),
    ("sqrt-of-int", ["a plain int"], changed("fused", ("math.sqrt(", "torch.sqrt("))),
    # -- the file and the class
    ("super-init-missing", ["before nn.Module"], changed("alone", ("        super().__init__()\n", ""))),
    ("super-init-missing", ["without its parentheses"], changed("alone", ("super().", "super."))),
    ("not-implemented", ["NotImplementedError"], changed("alone", ("return weights @ v", "raise NotImplementedError"))),
    ("import-missing", ["os is used, but no import"], changed("alone", ("math.sqrt", "os.sqrt"))),
    ("name-undefined", ["Nothing has been assigned to weight "], changed("alone", ("return weights", "return weight"))),
    (
        "name-undefined",
        ["scores has no value yet"],
        changed("alone", ("        scores = q", "        if mask is not None:\n            scores = q")),
    ),
    ("syntax-error", ["cannot read"], changed("alone", ("mask=None):", "mask=None)"))),
    # -- gradients, dtype, device
    (
        "numpy-in-forward",
        ["numpy"],
        changed("alone", ("weights = torch.softmax(scores, dim=-1)", "weights = scores.numpy()")),
    ),
    ("numpy-in-forward", ["numpy"], changed("alone", (SCORES, "np.ones((5, 24)) @ k.transpose(-2, -1)"))),
    (
        "hard-coded-dtype",
        ["float", "double", "fixed precision"],
        changed("alone", (SCORES, "q.float() @ k.double().transpose(-2, -1)")),
    ),
    (
        "hard-coded-dtype",
        ["half precision"],
        changed("alone", ("weights = ", "scores = scores.half().masked_fill(scores > 9, -1e9)\n        weights = ")),
    ),
    ("hard-coded-device", ["GPU"], changed("alone", ("q, k, v =", "x = x.to('cuda')\n        q, k, v ="))),
    (
        "shadowed-builtin",
        ["sum is not Python's own sum here, but a value of type int"],
        "sum = 0\n" + changed("alone", ("return weights @ v", "total = sum([weights])\n        return total @ v")),
    ),
]


def numbered(cases: list[tuple[str, list[str], str]]) -> list[str]:
    return [f"{id_}-{index}" for index, (id_, *_) in enumerate(cases)]


@pytest.mark.parametrize(("id_", "phrases", "source"), NAMED, ids=numbered(NAMED))
def test_an_exception_is_named_and_explained_with_its_own_numbers(id_, phrases, source, tmp_path: Path) -> None:
    found = noted(tmp_path, source)

    assert found.ids == [id_], found.error
    (finding,) = found.findings
    assert [phrase for phrase in phrases if phrase not in finding.explanation] == [], finding.explanation
    assert finding.where is not None
    assert finding.where.source
    assert finding.informative is False


@pytest.mark.parametrize("style", RIGHT)
@pytest.mark.parametrize("masked", [False, True])
def test_nothing_is_noted_of_a_module_that_is_right(style: str, masked: bool, tmp_path: Path) -> None:
    found = noted(tmp_path, changed(style), (3, 5), (2, 9), (1, 5), (3, 1), masked=masked, slopes=True)

    assert (found.error, found.findings, found.remark) == (None, (), "")


def test_a_class_without_a_method_forward_is_told_so(tmp_path: Path) -> None:
    found = noted(tmp_path, changed("alone", ("def forward", "def Forward")))

    assert found.ids == ["not-implemented"]
    assert "M has no method called forward" in found.findings[0].explanation


# -- what has no name, and is explained all the same -------------------------------------------------------------------

REMARKS = [
    ("'scale' needs a default value", changed("alone", ("dropout=0.0", "*, scale"))),
    (
        "mask is None then",
        changed("alone", ("if mask is not None:\n            scores", "scores"), ("(mask == 0", "(mask.logical_not()")),
    ),
    ("mask is None then", changed("alone", ("if mask is not None:\n            scores", "scores"))),
    (
        "Something on this line is None",
        changed("alone", ("k.transpose(-2, -1)", "heads.append(k)"), ("q, k, v =", "heads = []\n        q, k, v =")),
    ),
    ("neither true nor false", changed("alone", ("if mask is not None", "if x"))),
    (
        "A tuple is used like a tensor",
        changed(
            "nested", ("return torch.softmax(scores, dim=-1) @ v", "return torch.softmax(scores, dim=-1) @ v, scores")
        ),
    ),
    ("A tuple is used like a tensor", changed("alone", ("return weights @ v", "return weights @ (v, k)"))),
    ("A list is used like a tensor", changed("separate", ("self.output(joined)", "self.output(heads)"))),
    ("A list is used like a tensor", changed("separate", ("self.output(joined)", "heads.transpose(1, 2)"))),
    ("perhaps an operator is missing", changed("alone", ("weights @ v", "weights(v)"))),
    ("shape is no method", changed("alone", ("k.shape[-1]", "k.shape(-1)"))),
    ("A ModuleList is called like a layer", changed("separate", ("self.output(joined)", "self.query(joined)"))),
    ("M has nothing called out", changed("fused", ("self.output(merged)", "self.out(merged)"))),
    (
        "A value of type Tensor has nothing called softmx",
        changed("alone", ("torch.softmax(scores, dim=-1)", "scores.softmx(-1)")),
    ),
    ("nothing called sofmax in torch", changed("alone", ("torch.softmax", "torch.sofmax"))),
    ("itself without end", changed("alone", ("return weights @ v", "return self(x)"))),
    ("list of tensors to be joined is empty", changed("separate", ("heads.append(head)", "pass"))),
    (
        "forward is called without 'mask'",
        changed("nested", ("mask=None):\n        q", "mask):\n        q"), ("head(x, mask)", "head(x)")),
    ),
    (
        "forward takes 2 arguments and is given 3",
        changed("nested", ("tokens, mask=None", "tokens"), ("if mask is not None", "if False")),
    ),
    (
        "forward has no argument called mask",
        changed(
            "nested",
            ("tokens, mask=None", "tokens"),
            ("if mask is not None", "if False"),
            ("head(x, mask)", "head(x, mask=mask)"),
        ),
    ),
    ("softmax is called without", changed("alone", (", dim=-1", ""), ("torch.softmax(scores)", "scores.softmax()"))),
    (
        "floating-point numbers is given numbers of type Long",
        changed("alone", ("torch.softmax(scores", "torch.softmax(scores.long()")),
    ),
    (
        "Numbers of type float meet numbers of type long",
        changed("alone", (SCORES, "q.float() @ k.long().transpose(-2, -1)")),
    ),
    ("A function for plain numbers", changed("alone", ("math.sqrt(k.shape[-1])", "math.sqrt(k)"))),
    (
        "exp takes tensors, and is given a plain int",
        changed("alone", ("math.sqrt(k.shape[-1])", "torch.exp(k.shape[-1])")),
    ),
    ("einops is not installed", changed("alone", ("q, k, v =", "from einops import rearrange\n        q, k, v ="))),
    (
        "masked_fill takes booleans only",
        changed("alone", ("return weights", "scores.masked_fill(torch.ones(5, 5), 0)\n        return weights")),
    ),
]


@pytest.mark.parametrize(("phrase", "source"), REMARKS)
def test_what_has_no_name_is_explained_beside_the_message(phrase: str, source: str, tmp_path: Path) -> None:
    found = noted(tmp_path, source)

    assert found.ids == [], found.error
    assert phrase in found.remark, (found.error, found.remark)


GRADIENTS = [
    ("inplace-after-softmax", "", changed("alone", ("return weights", "weights[:, 0] = 0\n        return weights"))),
    (
        "inplace-after-softmax",
        "",
        changed("alone", ("return weights", "weights.masked_fill_(scores > 9, 0)\n        return weights")),
    ),
    (
        None,
        "overwritten in place after it was computed",
        changed(
            "alone",
            (
                "weights = torch.softmax(scores, dim=-1)",
                "weights = scores.exp()\n        weights /= weights.sum(dim=-1, keepdim=True)",
            ),
        ),
    ),
    (
        None,
        "A parameter is overwritten in place",
        changed("alone", ("q, k, v =", "self.query.weight *= 1\n        q, k, v =")),
    ),
    (
        None,
        "after it was split",
        changed(
            "alone",
            (
                "q, k, v = self.query(x), self.key(x), self.value(x)",
                "q, k = torch.stack([self.query(x), self.key(x)]).unbind()\n        v = self.value(x)\n        q += 1",
            ),
        ),
    ),
    (
        "gradients-detached",
        "no gradient reaches any",
        changed("alone", ("return weights @ v", "return (weights @ v).detach()")),
    ),
]


@pytest.mark.parametrize(("id_", "phrase", "source"), GRADIENTS)
def test_what_only_the_backward_pass_raises_is_explained(id_, phrase: str, source: str, tmp_path: Path) -> None:
    found = noted(tmp_path, source, slopes=True)

    assert found.ids == ([] if id_ is None else [id_]), found.error
    assert phrase in (found.remark or found.findings[0].explanation)


@pytest.mark.parametrize(
    ("expression", "phrase"),
    [
        ("scores.masked_fill(mask, 0)", "a mask of type double"),
        ("scores.masked_fill(~mask, 0)", "~ turns booleans"),
        ("torch.where(mask, scores, 0)", "only booleans are taken"),
    ],
)
def test_masks_of_one_dtype_only_are_told_with_what_refuses_the_others(
    expression: str, phrase: str, tmp_path: Path
) -> None:
    source = changed("alone", ("scores.masked_fill(mask == 0, -math.inf)", expression))
    session = opened(tmp_path, source)
    notebook = Notebook()
    session.begin_check()
    attention = Student(session, SINGLE, torch.Generator().manual_seed(0))(embed_dim=24)
    with pytest.raises(Raised) as caught:
        attention.with_raw_mask(torch.zeros(3, 5, 24), torch.ones(3, 5, 5, dtype=attention.dtype))
    notebook.note("test_it.py::test_it", caught.value, session, SINGLE)

    assert [finding.id for finding in notebook.findings()] == ["mask-dtype-rejected"]
    assert phrase in notebook.findings()[0].explanation
