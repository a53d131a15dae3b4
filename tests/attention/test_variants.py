"""The unchanged variant is the textbook's attention; each change is what its name says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from grader.attention.bench import FIRST_SIZE
from grader.attention.drawing import causal_mask, draw_mask, draw_tokens, padding_mask
from grader.attention.masking import WAYS
from grader.attention.questions import Textbook, textbook
from grader.attention.reference import self_attention
from grader.attention.trial import Trial
from grader.attention.variants import (
    ACTIVATIONS,
    CERTAIN,
    CHANGES,
    LINEAR,
    OVER_HEADS,
    Variant,
    finish,
    hidden_always,
    merge,
    names,
    split,
    steps_from_reference,
    weigh,
)
from grader.catalogue import CATALOGUE

MASKS: dict[str, Callable[[int, int], Tensor | None]] = {
    "none": lambda batch, seq: None,
    "causal": lambda batch, seq: causal_mask(seq).expand(batch, seq, seq),
    "padding": lambda batch, seq: padding_mask(torch.arange(batch) + 1, seq, expand=True),
    "drawn": lambda batch, seq: draw_mask(batch, seq, torch.Generator().manual_seed(4)),
    "nothing visible": lambda batch, seq: (
        torch.arange(seq).expand(batch, seq, seq) > 2 * torch.arange(seq)[:, None] - 2
    ),
}


def asked(right: Textbook, x: Tensor, mask: Tensor | None, heads: int) -> Trial:
    output = self_attention(x, right.weights, mask)
    return Trial(x, mask, output, heads=heads, elements=right.elements)


@pytest.mark.parametrize("mask_of", MASKS.values(), ids=MASKS.keys())
@pytest.mark.parametrize("way", ["-inf", "renormalised"])
@pytest.mark.parametrize(
    ("embed", "heads", "batch", "seq"),
    [(24, 4, 3, 5), (35, 5, 2, 6), (24, 1, 3, 5), (8, 8, 1, 4), (6, 2, 4, 9), (3, 1, 2, 3)],
)
def test_the_unchanged_variant_is_the_reference(
    embed: int, heads: int, batch: int, seq: int, way: str, mask_of: Callable[[int, int], Tensor | None]
) -> None:
    generator = torch.Generator().manual_seed(embed + seq)
    right = textbook(embed, heads, generator)
    mask = mask_of(batch, seq)
    trial = asked(right, draw_tokens(batch, seq, embed, generator), mask, heads)

    errors = trial.errors(right.layout, Variant(), None if mask is None else WAYS[way])

    assert errors is not None
    assert float(errors[0]) < 1e-13


def test_a_row_of_a_mask_with_nothing_visible_is_nan_and_counts_as_equal() -> None:
    generator = torch.Generator().manual_seed(0)
    right = textbook(24, 4, generator)
    mask = MASKS["nothing visible"](3, 5)
    trial = asked(right, draw_tokens(3, 5, 24, generator), mask, 4)

    assert bool(trial.output.isnan().any())
    errors = trial.errors(right.layout, Variant(), WAYS["-1e9"])
    assert errors is not None
    assert float(errors[0]) == math.inf


def test_without_an_output_projection_the_heads_are_concatenated() -> None:
    generator = torch.Generator().manual_seed(0)
    right = textbook(24, 4, generator)
    x = draw_tokens(3, 5, 24, generator)
    concatenated = self_attention(x, replace(right.weights, output=None, output_bias=None))
    trial = Trial(x, None, concatenated, heads=4, elements=right.elements)

    without = trial.errors(right.layout, Variant(projected=False))
    no_layer = trial.errors(replace(right.layout, name="no layer", output=None), Variant())

    assert without is not None
    assert no_layer is not None
    assert float(without[0]) < 1e-13
    assert float(no_layer[0]) < 1e-13


def test_every_change_is_called_by_names_that_the_catalogue_explains() -> None:
    for step, value in steps_from_reference(4):
        ids = CHANGES[step][value]
        changed = Variant(**{step: value})  # type: ignore[arg-type]

        assert set(ids) <= set(CATALOGUE)
        assert names(changed) == (ids,)


def test_the_reference_has_no_name_and_several_changes_have_several() -> None:
    several = Variant(softmax="queries", transposed=True, after=("residual", "layer norm"))

    assert names(Variant()) == ()
    assert [ids[0] for ids in names(several)] == [
        "softmax-dim-query",
        "attention-transposed",
        "residual-inside",
        "normalisation-inside",
    ]


def test_one_head_leaves_out_what_needs_several() -> None:
    steps = set(steps_from_reference(4)) - set(steps_from_reference(1))

    assert {step for step, _ in steps} == {"split", "merge", "softmax"}
    assert {value for step, value in steps if step == "softmax"} == OVER_HEADS


def scores(*shape: int) -> Tensor:
    return torch.randn(1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


WAYS_TO_WEIGH = ("keys", *(str(value) for value in CHANGES["softmax"]))


@pytest.mark.parametrize("how", WAYS_TO_WEIGH)
def test_one_token_gets_weight_one_exactly_where_that_is_certain(how: str) -> None:
    weights = weigh(scores(3, 4, 1, 1).abs(), how)

    expected = how in CERTAIN and how != "batch"
    assert bool((weights == 1).all()) == (expected or how in ("l1", "l2"))  # of a positive score


@pytest.mark.parametrize("how", sorted(CERTAIN))
def test_one_token_in_one_sample_gets_weight_one_whatever_its_score(how: str) -> None:
    weights = weigh(scores(1, 4, 1, 1), how)

    assert set(weights.flatten().tolist()) <= ({0.0, 1.0} if how == "relu sum" else {1.0})


@pytest.mark.parametrize("how", WAYS_TO_WEIGH)
def test_a_score_of_nothing_is_a_weight_of_nothing_exactly_where_it_is_linear(how: str) -> None:
    given = scores(2, 3, 4, 4)
    given[..., 1] = 0.0

    assert bool((weigh(given, how)[..., 1] == 0).all()) == (how in LINEAR)


@pytest.mark.parametrize(
    ("how", "axes"),
    [("keys", (-1,)), ("queries", (-2,)), ("heads", (-3,)), ("batch", (-4,)), ("global", (-2, -1))],
)
def test_a_softmax_sums_to_one_along_its_own_axes_and_no_other(how: str, axes: tuple[int, ...]) -> None:
    weights = weigh(scores(2, 3, 5, 5), how)

    for other in ((-1,), (-2,), (-3,), (-4,), (-2, -1)):
        sums = weights.sum(other)
        assert torch.allclose(sums, torch.ones_like(sums)) == (other == axes)


def numbered(*shape: int) -> Tensor:
    """Every element is another number, so that it is known where it came from."""
    return torch.arange(math.prod(shape), dtype=torch.float64).view(shape)


def test_split_and_merge_are_each_other_undone() -> None:
    projected = numbered(2, 5, 12)

    assert torch.equal(merge(split(projected, 4, "heads", "q")[None], "concatenated")[0], projected)
    assert torch.equal(merge(split(projected, 4, "raw", "q")[None], "raw")[0], projected)
    assert not torch.equal(merge(split(projected, 4, "raw", "q")[None], "concatenated")[0], projected)


@pytest.mark.parametrize(
    ("how", "wrong"), [("raw", "qkv"), ("raw q", "q"), ("raw k", "k"), ("raw qk", "qk"), ("raw v", "v")]
)
def test_a_split_without_a_transpose_is_of_the_projections_it_names(how: str, wrong: str) -> None:
    projected = numbered(2, 5, 12)

    for role in "qkv":
        right = torch.equal(split(projected, 4, how, role), split(projected, 4, "heads", role))
        assert right == (role not in wrong)


def per_head(heads: Tensor) -> Iterable[Tensor]:
    return heads[0].unbind(1)


MERGES: dict[str, Callable[[Tensor], Tensor]] = {
    "concatenated": lambda heads: torch.cat(list(per_head(heads)), dim=-1),
    "raw": lambda heads: heads[0].reshape(2, 5, 12),
    "heads first": lambda heads: torch.stack(list(per_head(heads))).reshape(2, 5, 12),
    "tokens first": lambda heads: heads[0].permute(2, 0, 1, 3).reshape(2, 5, 12),
    "sum": lambda heads: sum(per_head(heads), torch.zeros(())),
    "mean": lambda heads: torch.stack(list(per_head(heads))).mean(0),
    "last": lambda heads: list(per_head(heads))[-1],
    "first": lambda heads: next(iter(per_head(heads))),
    "along tokens": lambda heads: torch.cat(list(per_head(heads)), dim=1),
    "along samples": lambda heads: torch.cat([heads[0, :, number] for number in range(4)], dim=0),
}


@pytest.mark.parametrize("how", [how for how in MERGES if how != "along samples"])
def test_a_merge_is_what_students_write(how: str) -> None:
    heads = numbered(1, 2, 4, 5, 3)

    assert torch.equal(merge(heads, how)[0], MERGES[how](heads))


def test_heads_along_samples_are_as_many_samples() -> None:
    merged = merge(numbered(1, 2, 4, 5, 3), "along samples")[0]

    assert merged.shape == (8, 5, 3)
    assert torch.equal(merged, MERGES["along samples"](numbered(1, 2, 4, 5, 3)))


def test_every_merge_of_the_table_is_tested() -> None:
    assert {*CHANGES["merge"], "concatenated"} == {*MERGES, "values"}


@pytest.mark.parametrize(
    ("causal", "visible"),
    [("present", "j <= i"), ("next", "j <= i + 1"), ("past", "j < i"), ("others", "j != i"), ("", "True")],
)
def test_what_is_hidden_always_is_hidden(causal: str, visible: str) -> None:
    for moment in ("", ", before the mask"):
        hidden = hidden_always(4, causal + moment if causal else "")
        shown = torch.ones(4, 4, dtype=torch.bool) if hidden is None else ~hidden

        expected = [[eval(visible, {"i": i, "j": j}) for j in range(4)] for i in range(4)]
        assert shown.tolist() == expected


def test_what_is_done_at_last_is_done_in_its_order() -> None:
    output, x = scores(2, 5, 8), scores(2, 5, 8) + 1
    affine = (torch.full((8,), 3.0, dtype=torch.float64), torch.full((8,), 0.5, dtype=torch.float64))

    def norm(each: Tensor) -> Tensor:
        return torch.nn.functional.layer_norm(each, (8,))

    both = finish(output, x, ("residual", "layer norm"), None)
    assert both is not None
    assert torch.equal(both, norm(output + x))
    other = finish(output, x, ("layer norm", "residual"), None)
    assert other is not None
    assert torch.equal(other, norm(output) + x)
    learned = finish(output, x, ("affine layer norm",), affine)
    assert learned is not None
    assert torch.allclose(learned, 3 * norm(output) + 0.5)
    assert finish(output, x, ("affine layer norm",), None) is None
    assert finish(output[..., :4], x, ("residual",), None) is None
    rounded = finish(output, x, ("rounded 2",), None)
    assert rounded is not None
    assert torch.equal(rounded, output.round(decimals=2))
    for kind, function in ACTIVATIONS.items():
        active = finish(output, x, (kind,), None)
        assert active is not None
        assert torch.equal(active, function(output))


def test_sizes_of_the_diagnosis_are_divisible() -> None:
    assert FIRST_SIZE.embed_dim % FIRST_SIZE.num_heads == 0
