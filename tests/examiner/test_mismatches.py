"""Sizes that do not fit, where the numbers alone do not say why; and masks."""

from __future__ import annotations

from pathlib import Path

import pytest

from .raising import changed, noted

SCORES = "q @ k.transpose(-2, -1)"
SPLIT = ".view(batch, seq, self.num_heads, self.head_dim).transpose(1, 2)"
FILL = "scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)"


def numbered(cases: list[tuple[str, list[str], str]]) -> list[str]:
    return [f"{id_}-{index}" for index, (id_, *_) in enumerate(cases)]


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
        ["the letter k stands for 5 (seq)", "24 (embed_dim)"],
        changed("alone", ("weights @ v", "torch.einsum('bqk,bdk->bqd', weights, v)")),
    ),
    (
        ["A tensor with 2 axes is indexed as if it had more"],
        changed("alone", ("q, k, v =", "x[0][:, None, :, 0]\n        q, k, v =")),
    ),
    (
        ["Position 4 is asked for along axis 2, which has 4 (num_heads)"],
        changed("fused", ("self.output(merged)", "q.transpose(1, 2)[:, :, 4]")),
    ),
    (
        ["taken apart into 2 sizes, but the tensor has more axes"],
        changed("alone", ("q, k, v =", "seq, embed = x[:, None].shape\n        q, k, v =")),
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
