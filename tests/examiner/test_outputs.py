from __future__ import annotations

from pathlib import Path

import pytest

from grader.model import Certainty

from .raising import changed, noted

NO_LAST_LAYER = ("return self.output(joined)", "return joined")
UNMERGED = ("return self.output(merged)", "return heads")

NAMED = [
    (
        "heads-full-width",
        ["(2 (batch), 5 (seq), 96 (num_heads * embed_dim))", "= 6"],
        changed("separate", NO_LAST_LAYER, ("nn.Linear(embed_dim, self.head_dim)", "nn.Linear(embed_dim, embed_dim)")),
    ),
    (
        "heads-concatenated-wrong-dim",
        ["(8 (batch * num_heads), 5 (seq), 6", "along the samples", "4 * 6 = 24"],
        changed("separate", NO_LAST_LAYER, ("dim=-1)\n        return", "dim=0)\n        return")),
    ),
    (
        "heads-concatenated-wrong-dim",
        ["(2 (batch), 20 (seq * num_heads), 6", "along the tokens", "A single sample"],
        changed("separate", NO_LAST_LAYER, ("dim=-1)\n        return", "dim=1)\n        return")),
    ),
    (
        "heads-concatenated-wrong-dim",
        ["(2 (batch), 20 (seq * num_heads), 6"],
        changed("fused", ("return self.output(merged)", "return heads.flatten(1, 2)")),
    ),
    (
        "heads-concatenated-wrong-dim",
        ["(2 (batch), 5 (seq), 6 (embed_dim // num_heads), 4 (num_heads))", "the last"],
        changed("separate", NO_LAST_LAYER, ("torch.cat", "torch.stack")),
    ),
    (
        "heads-concatenated-wrong-dim",
        ["(4 (num_heads), 2 (batch), 5 (seq), 6", "the first"],
        changed("separate", NO_LAST_LAYER, ("torch.cat(heads, dim=-1)", "torch.stack(heads)")),
    ),
    (
        "heads-concatenated-wrong-dim",
        ["(2 (batch), 4 (num_heads), 5 (seq), 6"],
        changed("separate", NO_LAST_LAYER, ("torch.cat(heads, dim=-1)", "torch.stack(heads, dim=1)")),
    ),
    (
        "hard-coded-size",
        ["10 features, whatever embed_dim is; here that is 24"],
        changed("alone", ("self.value = nn.Linear(embed_dim, embed_dim)", "self.value = nn.Linear(embed_dim, 10)")),
    ),
]

PLAIN = [
    (["(2 (batch), 4 (num_heads), 5 (seq), 6 (embed_dim // num_heads))", "are not merged"], changed("fused", UNMERGED)),
    (
        ["(2 (batch), 5 (seq), 4 (num_heads), 6 (embed_dim // num_heads))", "are not merged"],
        changed("fused", ("return self.output(merged)", "return heads.transpose(1, 2)")),
    ),
    (
        ["(8 (batch * num_heads), 5 (seq), 6 (embed_dim // num_heads))", "are not merged"],
        changed("fused", ("return self.output(merged)", "return heads.flatten(0, 1)")),
    ),
    (
        ["(5 (seq), 2 (batch), 24 (embed_dim))", "samples and tokens have changed places"],
        changed("alone", ("return weights @ v", "return (weights @ v).transpose(0, 1)")),
    ),
    (
        ["(2 (batch), 24 (embed_dim), 5 (seq))", "tokens and features have changed places"],
        changed("alone", ("return weights @ v", "return (weights @ v).mT")),
    ),
    (
        ["(2 (batch), 4 (num_heads), 5 (seq), 5 (seq))", "attention weights"],
        changed("fused", ("return self.output(merged)", "return weights")),
    ),
    (
        ["(2 (batch), 5 (seq), 5 (seq))", "attention weights"],
        changed("alone", ("return weights @ v", "return weights")),
    ),
    (
        ["(10 (batch * seq), 24 (embed_dim))", "share one axis"],
        changed("alone", ("return weights @ v", "return (weights @ v).flatten(0, 1)")),
    ),
    (
        ["(2 (batch), 24 (embed_dim))", "the axis of the tokens is lost"],
        changed("alone", ("return weights @ v", "return (weights @ v).mean(dim=1)")),
    ),
    (
        ["(2 (batch), 5 (seq), 72 (3 * embed_dim))", "queries, keys and values"],
        changed("alone", ("return weights @ v", "return torch.cat([q, k, v], dim=-1)")),
    ),
    (
        ["(2 (batch), 5 (seq), 23)", "It should have the shape of x"],
        changed("alone", ("return weights @ v", "return (weights @ v)[..., 1:]")),
    ),
]


@pytest.mark.parametrize(("id_", "phrases", "source"), NAMED, ids=[f"{case[0]}-{i}" for i, case in enumerate(NAMED)])
def test_a_shape_that_can_mean_one_thing_only_is_named(id_, phrases, source, tmp_path: Path) -> None:
    found = noted(tmp_path, source, (2, 5))

    assert found.ids == [id_], found.error
    assert [phrase for phrase in phrases if phrase not in found.findings[0].explanation] == [], found.findings[0]


@pytest.mark.parametrize(("phrases", "source"), PLAIN, ids=[str(index) for index in range(len(PLAIN))])
def test_another_shape_is_told_as_what_it_is_seen_to_be(phrases, source, tmp_path: Path) -> None:
    found = noted(tmp_path, source, (2, 5))

    assert found.ids == ["shape-error"], found.error
    assert [phrase for phrase in phrases if phrase not in found.findings[0].explanation] == [], found.findings[0]


def test_a_shape_kept_from_an_earlier_call_is_told_as_that(tmp_path: Path) -> None:
    kept = ("return weights @ v", "self.kept = getattr(self, 'kept', weights @ v)\n        return self.kept")
    found = noted(tmp_path, changed("alone", kept), (3, 5), (3, 7))

    assert found.ids == ["shape-error"]
    assert "(3 (batch), 5, 24 (embed_dim))" in found.findings[0].explanation
    assert "kept from an earlier call" in found.findings[0].explanation


def test_an_output_beside_others_is_no_wrong_shape(tmp_path: Path) -> None:
    assert noted(tmp_path, changed("alone", ("return weights @ v", "return weights, weights @ v"))).findings == ()


@pytest.mark.parametrize("returned", ["None", "'text'", "[]", "{'a': 3}", "x.long()"])
def test_what_is_no_tensor_of_numbers_has_no_shape_to_explain(returned: str, tmp_path: Path) -> None:
    found = noted(tmp_path, changed("alone", ("return weights @ v", f"return {returned}")))

    assert found.error is not None
    assert found.ids == (["returns-none"] if returned == "None" else [])


# -- as wide as one head -----------------------------------------------------------------------------------------------

ONE_HEAD = {
    "loop-returns-early": changed("separate", ("heads.append(head)", "return head")),
    "loop-keeps-last-head": changed("separate", ("return self.output(joined)", "return head")),
    "heads-summed": changed("separate", ("return self.output(joined)", "return sum(heads)")),
    "heads-averaged": changed("nested", ("return self.output(", "return torch.stack(outputs).mean(0)\n        (")),
}


@pytest.mark.parametrize("id_", ONE_HEAD)
def test_which_heads_are_in_an_output_as_wide_as_one_is_proven(id_: str, tmp_path: Path) -> None:
    found = noted(tmp_path, ONE_HEAD[id_], (2, 5))

    assert found.ids == [id_]
    assert found.findings[0].certainty is Certainty.PROVEN
    assert float(found.findings[0].evidence["relative error"]) < 1e-9
    assert "4 heads" in found.findings[0].explanation


@pytest.mark.parametrize(
    ("returned", "id_", "phrase"),
    [
        ("heads.sum(dim=1)", "heads-summed", "added up"),
        ("heads.mean(dim=1)", "heads-averaged", "averaged"),
        ("heads[:, 2]", "shape-error", "only one is returned"),
        ("heads[:, 0] - heads[:, 1]", "shape-error", "For example"),
        ("heads[:, 0] + heads[:, 1]", "shape-error", "For example"),
        ("0.5 * heads[:, 0]", "shape-error", "For example"),
        ("torch.relu(heads[:, 0])", "shape-error", "For example"),
    ],
)
def test_heads_out_of_one_layer_are_recognised_too_and_nothing_else_is(
    returned: str, id_: str, phrase: str, tmp_path: Path
) -> None:
    found = noted(tmp_path, changed("fused", ("return self.output(merged)", f"return {returned}")), (2, 5))

    assert found.ids == [id_]
    assert phrase in found.findings[0].explanation


def test_another_head_than_the_first_or_last_has_no_name(tmp_path: Path) -> None:
    found = noted(tmp_path, changed("separate", ("return self.output(joined)", "return heads[1]")), (2, 5))

    assert found.ids == ["shape-error"]
    assert "only one is returned" in found.findings[0].explanation
