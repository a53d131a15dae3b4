"""The shapes that do not fit, as a report can draw them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .raising import changed, noted

SCORES = "q @ k.transpose(-2, -1)"
MERGED = "self.output(merged)"

MET = {
    "a layer for other features": (
        changed("separate", ("nn.Linear(embed_dim, self.head_dim)", "nn.Linear(embed_dim, embed_dim)")),
        {
            "left shape": "10 (batch * seq) × 96 (num_heads * embed_dim)",
            "right shape": "24 (embed_dim) × 24 (embed_dim)",
        },
    ),
    "stacks of matrices": (
        changed("alone", (SCORES, "q @ k")),
        {
            "left shape": "2 (batch) × ? × 24 (embed_dim)",
            "right shape": "2 (batch) × 5 (seq) × ?",
        },
    ),
    "axis by axis": (
        changed("alone", ("return weights @ v", "return weights + v")),
        {"one shape": "? × ? × 5 (seq) × …", "other shape": "? × ? × 24 (embed_dim) × …"},
    ),
    "reshaped": (
        changed("fused", (MERGED, "self.output(merged.view(batch, seq, 7))")),
        {"numbers": "240 (batch * seq * embed_dim)", "new shape": "2 (batch) × 5 (seq) × 7"},
    ),
    "made for other features": (
        changed("alone", ("return weights @ v", "return nn.functional.layer_norm(weights @ v, (10,))")),
        {"one shape": "… × 24 (embed_dim)", "other shape": "… × 10"},
    ),
    "returned": (
        changed("alone", ("return weights @ v", "return (weights @ v).mT")),
        {
            "returned shape": "3 (batch) × 24 (embed_dim) × 5 (seq)",
            "expected shape": "3 (batch) × 5 (seq) × 24 (embed_dim)",
        },
    ),
}


@pytest.mark.parametrize("case", MET)
def test_the_shapes_that_meet_are_told_axis_by_axis(case: str, tmp_path: Path) -> None:
    source, shapes = MET[case]

    (found,) = noted(tmp_path, source).findings

    assert {name: said for name, said in found.evidence.items() if name != "relative error"} == shapes


@pytest.mark.parametrize(
    "source", [changed("alone", ("math.sqrt", "maths.sqrt")), changed("alone", ("return weights @ v", "weights @ v"))]
)
def test_what_is_not_about_shapes_has_none(source: str, tmp_path: Path) -> None:
    (found,) = noted(tmp_path, source).findings

    assert found.evidence == {}


def test_what_is_right_has_none(tmp_path: Path) -> None:
    assert noted(tmp_path, changed("alone")).findings == ()
