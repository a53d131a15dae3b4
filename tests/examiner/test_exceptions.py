from __future__ import annotations

from pathlib import Path

import pytest

from .raising import RIGHT, changed, noted

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


# -- sizes that do not fit, and may mean several things ----------------------------------------------------------------

GENERAL = [
    (
        [
            "takes 24 (embed_dim) features is given 6 (embed_dim // num_heads)",
            "only one of them is passed on",
            "batch = 2",
        ],
        changed("separate", ("self.output(joined)", "self.output(heads[0])")),
    ),
    (
        ["takes 24 (embed_dim) features is given 6 (embed_dim // num_heads)", "the heads are added up"],
        changed("separate", ("torch.cat(heads, dim=-1)", "sum(heads)")),
    ),
    (
        ["is given 6 (embed_dim // num_heads)", "x was split too early"],
        changed(
            "nested",
            (
                "outputs.append(head(x, mask))",
                "part = x[..., : x.shape[-1] // len(self.heads)]\n            outputs.append(head(part, mask))",
            ),
        ),
    ),
    (
        ["is given 72 (3 * embed_dim)"],
        changed("fused", ("self.output(merged)", "self.output(torch.cat([merged] * 3, dim=-1))")),
    ),
    (
        ["takes 24 (embed_dim) features is given 5 (seq)"],
        changed("alone", ("q, k, v =", "x = x.transpose(1, 2)\n        q, k, v =")),
    ),
    (
        ["those on the left have 5 (seq) columns", "right 24 (embed_dim) rows"],
        changed("alone", ("return weights @ v", "return weights @ v.transpose(1, 2)")),
    ),
    (
        ["On the left of a product there are 2 (batch) matrices, on the right 5 (seq)"],
        changed(
            "fused",
            (
                "reshape(batch, seq, embed)",
                "reshape(batch, seq, embed)\n        torch.bmm(merged, merged.permute(1, 2, 0))",
            ),
        ),
    ),
    (
        ["the stacks differ along axis 1", "5 (seq)", "4 (num_heads)"],
        changed("fused", ("q = self.query(x)" + SPLIT, "q = self.query(x)" + SPLIT.replace(".transpose(1, 2)", ""))),
    ),
    (
        ["Two tensors that meet differ along axis 2: one has 24 (embed_dim), the other 6 (embed_dim // num_heads)"],
        changed("fused", ("self.output(merged)", "self.output(merged) + torch.zeros(self.head_dim)")),
    ),
    (
        ["[2 (batch), 5 (seq), 24 (embed_dim), 6 (embed_dim // num_heads)]", "240"],
        changed("fused", ("view(batch, seq, self.num_heads, self.head_dim)", "view(batch, seq, embed, self.head_dim)")),
    ),
    (
        ["joined along axis 1", "24 (embed_dim)", "6 (embed_dim // num_heads)"],
        changed("fused", ("self.output(merged)", "torch.cat([merged, heads[:, 0]], dim=1)")),
    ),
    (
        ["made for 6 (embed_dim // num_heads) numbers is given 24 (embed_dim)"],
        changed("fused", ("self.output(merged)", "F.layer_norm(merged, (self.head_dim,))")),
    ),
    (
        ["the letter d stands for 24 (embed_dim)", "5 (seq)"],
        changed("alone", (SCORES, "torch.einsum('bqd,bdk->bqk', q, k)")),
    ),
    (
        ["A tensor with 3 axes is treated as if it had 4"],
        changed("alone", (SCORES, "torch.einsum('bhqd,bhkd->bhqk', q, k)")),
    ),
    (
        ["A tensor with 3 axes is treated as if it had 4"],
        changed("alone", ("return weights", "return x.permute(0, 2, 1, 3), weights")),
    ),
    (
        ["A tensor with 3 axes is treated as if it had 4"],
        changed("alone", ("q, k, v =", "batch, heads, seq, width = x.shape\n        q, k, v =")),
    ),
    (["Axis 3 is asked of a tensor that has 3 axes, counted from 0 to 2"], changed("alone", ("dim=-1", "dim=3"))),
    (
        ["of shape [2 (batch), 5 (seq), 6 (embed_dim // num_heads)] meets one", "[2 (batch), 5 (seq), 24 (embed_dim)]"],
        changed("fused", ("return self", "merged[..., : self.head_dim] = x\n        return self")),
    ),
    (
        ["made for 18 (3 * (embed_dim // num_heads)) numbers is given 24 (embed_dim)"],
        changed("fused", ("return self", "merged.split([self.head_dim] * 3, dim=-1)\n        return self")),
    ),
    (
        ["made for 24 (embed_dim) numbers is given 6 (embed_dim // num_heads)"],
        changed("fused", ("return self", "torch.dot(x[0, 0], heads[0, 0, 0])\n        return self")),
    ),
]


@pytest.mark.parametrize(("phrases", "source"), GENERAL)
def test_sizes_that_may_mean_several_things_are_told_by_their_names(phrases, source, tmp_path: Path) -> None:
    found = noted(tmp_path, source)

    assert found.ids == ["shape-error"], found.error
    assert [phrase for phrase in phrases if phrase not in found.findings[0].explanation] == [], found.findings[0]
    assert found.line


# -- masks -------------------------------------------------------------------------------------------------------------

OWN_MASK = "scores = scores.masked_fill(torch.tril(torch.ones({0}, {0})) == 0, -math.inf)"

MASKS = [
    (
        "mask-no-head-axis",
        ["the 4 heads", "(3, 5, 5)", "its 3 samples meet the 4 heads"],
        changed("fused", ("mask.unsqueeze(-3)", "mask")),
    ),
    (
        "mask-no-head-axis",
        ["its 3 samples meet the 4 heads"],
        changed("fused", (FILL, "scores.masked_fill_(mask == 0, -math.inf)")),
    ),
    (
        "mask-no-head-axis",
        ["its 3 samples meet the 4 heads"],
        changed("fused", (FILL, "torch.where(mask == 0, torch.tensor(-1e9, dtype=x.dtype), scores)")),
    ),
    (
        "mask-no-head-axis",
        ["its 3 samples meet the 4 heads"],
        changed("fused", (FILL, "scores + (mask.to(x.dtype) - 1) * 1e9")),
    ),
    (
        "mask-no-head-axis",
        ["its 3 samples meet the 4 heads"],
        changed("fused", (FILL, "mask.expand(batch, self.num_heads, seq, seq) * scores")),
    ),
    (
        "mask-no-head-axis",
        ["12 entries along their first axis (batch * num_heads)", "(3, 5, 5) only 3"],
        changed(
            "fused",
            (SPLIT, SPLIT + ".flatten(0, 1)"),
            ("mask.unsqueeze(-3)", "mask"),
            ("heads.transpose", "heads.view(batch, self.num_heads, seq, -1).transpose"),
        ),
    ),
    (
        "mask-wrong-length",
        ["64 positions", "5 (seq)"],
        changed("alone", ("return weights", OWN_MASK.format(64) + "\n        return weights")),
    ),
    (
        "mask-wrong-length",
        ["64 positions", "5 (seq)"],
        changed("fused", ("return self", OWN_MASK.format(64) + "\n        return self")),
    ),
]


@pytest.mark.parametrize(("id_", "phrases", "source"), MASKS, ids=numbered(MASKS))
def test_a_mask_that_does_not_fit_is_named(id_, phrases, source, tmp_path: Path) -> None:
    found = noted(tmp_path, source, masked=True)

    assert found.ids == [id_], (found.error, found.findings)
    assert [phrase for phrase in phrases if phrase not in found.findings[0].explanation] == [], found.findings[0]
    assert found.line


def test_a_mask_that_is_kept_from_an_earlier_call_is_named(tmp_path: Path) -> None:
    kept = (
        "if mask is not None:\n",
        "if mask is not None:\n            self.kept = mask = getattr(self, 'kept', mask)\n",
    )
    found = noted(tmp_path, changed("fused", kept), (3, 5), (2, 9), masked=True)

    assert found.ids == ["mask-stale-cache"], found.error
    assert "kept from an earlier call" in found.findings[0].explanation
    assert "which is none of this call's" in found.findings[0].explanation


def test_what_else_is_kept_from_an_earlier_call_is_no_mask(tmp_path: Path) -> None:
    kept = ("return weights @ v", "self.kept = getattr(self, 'kept', v)\n        return weights @ v + self.kept")
    found = noted(tmp_path, changed("alone", kept), (3, 5), (3, 7))

    assert found.ids == ["shape-error"], found.error
    assert "kept from an earlier call" in found.findings[0].explanation
