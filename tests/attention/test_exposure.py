"""Attention weights read off an output are the true ones."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from textbook import Textbook
from torch import Tensor, nn

from grader.attention.bench import FIRST_SIZE
from grader.attention.exposure import (
    TOKENS,
    can_be_read,
    cut,
    example,
    example_mask,
    expected_weights,
    exposed_weights,
    layout_weights,
)
from grader.attention.layouts import layouts
from grader.attention.projections import Layout, elements
from grader.attention.questions import questions
from grader.attention.subject import LocalSubject, NoAnswer
from grader.attention.trial import Trial
from grader.attention.variants import CHANGES, Variant

SEQ = len(TOKENS)
SEEN: dict[str, Tensor] = {}
"""What the modules below noted of their last call."""


class Noting(Textbook):
    """Notes its attention weights."""

    def dropped(self, weights: Tensor) -> Tensor:
        SEEN["weights"] = weights[0].detach()
        return weights


class Wrong(Noting):
    """Weights that are far from right: not scaled, and over the queries."""

    def scale(self, query: Tensor) -> float:
        return 1.0

    def weighed(self, scores: Tensor) -> Tensor:
        return scores.softmax(-2)


class Unprojected(Wrong):
    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, num_heads, dropout)
        self.unused, self.out = self.out, nn.Identity()  # type: ignore[assignment]


class Listed(nn.Module):
    """Each head has layers of its own."""

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        width = embed_dim // num_heads
        self.heads = nn.ModuleList(
            [nn.ModuleList([nn.Linear(embed_dim, width) for _ in range(3)]) for _ in range(num_heads)]
        )
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        done, noted = [], []
        for head in self.heads:
            query, key, value = (layer(x) for layer in head)
            scores = query @ key.mT  # not scaled
            if mask is not None:
                scores = scores.masked_fill(mask == 0, -math.inf)
            noted.append(scores.softmax(-1))
            done.append(noted[-1] @ value)
        SEEN["weights"] = torch.stack(noted, 1)[0].detach()
        return self.out(torch.cat(done, -1))  # type: ignore[no-any-return]


def built(made: type[nn.Module], *, heads: int = 4, embed: int = 24) -> tuple[LocalSubject, Layout]:
    """A module, and its parameters in the order of definition."""
    generator = torch.Generator().manual_seed(3)
    subject = LocalSubject(made(embed, heads), embed_dim=embed, num_heads=heads, generator=generator)
    found = layouts(subject.values, None, embed_dim=embed, num_heads=heads)
    if made is Unprojected:
        (layout,) = [each for each in found if each.output is not None and each.output.paths == ("unused.weight",)][:1]
        assert layout.output is not None
        return subject, replace(layout, output=replace(layout.output, idle=True))
    per_head = [each for each in found if len(each.blocks) == 3 and each.output is not None]
    return subject, next(each for each in per_head if ("per head" in each.name) == (made is Listed))


MASKS = [pytest.param(None, id="no mask"), pytest.param(example_mask(), id="causal")]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("made", [Noting, Wrong, Unprojected, Listed])
def test_the_weights_that_are_read_off_are_the_true_ones(made: type[nn.Module], mask: Tensor | None) -> None:
    subject, layout = built(made)
    subject(example(24), mask)
    true = SEEN["weights"]

    read = exposed_weights(subject, layout, 2, mask)

    assert read is not None
    assert read.shape == (4, SEQ, SEQ)
    torch.testing.assert_close(read, true, rtol=0, atol=1e-9)


def test_with_one_head_too() -> None:
    subject, layout = built(Wrong, heads=1)
    subject(example(24))
    true = SEEN["weights"]

    read = exposed_weights(subject, layout, 2, None)

    assert read is not None
    torch.testing.assert_close(read, true, rtol=0, atol=1e-9)


@pytest.mark.parametrize("mask", MASKS)
def test_of_right_code_they_are_the_expected_ones(mask: Tensor | None) -> None:
    subject, layout = built(Noting)

    read = exposed_weights(subject, layout, 2, mask)
    expected = expected_weights(layout_weights(layout, (0, 1, 2), subject.values, 4), 24, mask)

    assert read is not None
    torch.testing.assert_close(read, expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(read.sum(-1), torch.ones(4, SEQ, dtype=torch.float64))
    if mask is not None:
        assert float(read.triu(1).abs().max()) < 1e-9


def test_a_row_that_is_nan_stays_nan_and_no_other_becomes_so() -> None:
    subject, layout = built(Noting)
    mask = example_mask().clone()
    mask[0, 2] = False

    read = exposed_weights(subject, layout, 2, mask)

    assert read is not None
    assert read.isnan().all(-1).tolist() == [[row == 2 for row in range(SEQ)]] * 4
    assert not bool(read[:, [0, 1, 3, 4, 5]].isnan().any())


def test_the_values_of_the_module_are_as_before() -> None:
    subject, layout = built(Wrong)
    before = {path: value.clone() for path, value in subject.values.items()}
    output = subject(example(24))

    exposed_weights(subject, layout, 2, None)

    assert all(torch.equal(subject.values[path], value) for path, value in before.items())
    assert torch.equal(subject(example(24)), output)


class Raising(Textbook):
    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        raise RuntimeError("no")


def test_they_are_as_before_even_if_it_raises() -> None:
    subject, layout = built(Raising)
    before = {path: value.clone() for path, value in subject.values.items()}

    with pytest.raises(NoAnswer):
        exposed_weights(subject, layout, 2, None)

    assert all(torch.equal(subject.values[path], value) for path, value in before.items())


@pytest.mark.parametrize(("embed", "heads"), [(20, 4), (24, 6), (20, 5)])
def test_more_heads_and_tokens_than_features_cannot_be_told_apart(embed: int, heads: int) -> None:
    subject, layout = built(Wrong, heads=heads, embed=embed)

    assert exposed_weights(subject, layout, 2, None) is None


def test_heads_that_share_a_small_layer_have_no_values_of_their_own() -> None:
    class Small(Textbook):
        def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
            super().__init__(embed_dim, num_heads, dropout)
            width = embed_dim // num_heads
            self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

        def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return self.query(self.split(x)), self.key(self.split(x)), self.value(self.split(x))

    generator = torch.Generator().manual_seed(3)
    subject = LocalSubject(Small(24, 4), embed_dim=24, num_heads=4, generator=generator)
    found = layouts(subject.values, None, embed_dim=24, num_heads=4)
    shared = [layout for layout in found if layout.finding == "heads-share-weights" and len(layout.blocks) == 3]

    assert shared
    assert [exposed_weights(subject, layout, 2, None) for layout in shared] == [None] * len(shared)


def test_the_example_is_public_and_always_the_same() -> None:
    assert torch.equal(example(24), example(24))
    assert example(24).shape == (1, SEQ, 24)
    assert example_mask().tolist() == [[[key <= query for key in range(SEQ)] for query in range(SEQ)]]
    asked = questions(embed_dim=24, num_heads=4, batch=3, seq=5, seed=0)
    assert not bool(torch.isin(example(24), torch.cat((asked.tokens, asked.loud_tokens))).any())
    assert FIRST_SIZE.embed_dim // FIRST_SIZE.num_heads >= SEQ


def test_elements_are_cut_into_the_leaves_they_came_from() -> None:
    leaves = {"a": torch.randn(2, 3).double(), "b": torch.randn(4).double(), "c": torch.randn(1, 2, 2).double()}

    again = cut(elements(leaves), leaves)

    assert list(again) == ["a", "b", "c"]
    assert all(torch.equal(again[path], leaf) for path, leaf in leaves.items())


READABLE = {
    **{("softmax", value): True for value in CHANGES["softmax"]},
    **{("causal", value): True for value in CHANGES["causal"]},
    **{("split", value): value not in ("raw", "raw v") for value in CHANGES["split"]},
    **{("merge", value): value in ("raw", "heads first", "tokens first") for value in CHANGES["merge"]},
    **{("after", value): False for value in CHANGES["after"]},
    **{("normed", value): False for value in CHANGES["normed"]},
    **{("activation", (kind, where)): "v" not in where for kind, where in CHANGES["activation"]},  # type: ignore[misc]
    ("transposed", True): True,
    ("sequence_first", True): True,
}


@pytest.mark.parametrize("change", READABLE, ids=str)
def test_weights_can_be_read_where_the_values_go_straight_to_the_output(change: tuple[str, object]) -> None:
    step, value = change
    variant = Variant(**{step: value})  # type: ignore[arg-type]

    assert can_be_read(variant) == READABLE[change]


def test_every_change_is_judged() -> None:
    assert set(READABLE) == {(step, value) for step, values in CHANGES.items() for value in values}


@pytest.mark.parametrize(
    "change",
    [change for change in READABLE if change[0] not in ("merge", "sequence_first") and change[1] != "tokens"],
    ids=str,
)
def test_what_is_read_off_explains_the_output_exactly_where_it_can_be_read(change: tuple[str, object]) -> None:
    """The weights times the true values, put together and projected, are what the module returns."""
    step, value = change
    variant = Variant(**{step: value})  # type: ignore[arg-type]
    _, layout = built(Noting)
    layout = replace(layout, affine=(layout.blocks[0].rows[0], layout.blocks[0].rows[1]))  # some norm or other

    class Stand(LocalSubject):
        """Answers as the variant would."""

        def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            trial = Trial(x, None, x, heads=4, elements=elements(self.values))
            made = trial.outputs(layout, variant)
            assert made is not None
            return made[0]

    stand = Stand(Noting(24, 4), embed_dim=24, num_heads=4, generator=torch.Generator().manual_seed(3))
    read = exposed_weights(stand, layout, 2, None)

    assert read is not None
    weights = layout_weights(layout, (0, 1, 2), stand.values, 4)
    assert weights.value_bias is not None
    assert weights.output is not None
    assert weights.output_bias is not None
    values = example(24)[0] @ weights.value.mT + weights.value_bias[:, None]  # (heads, seq, d)
    output = torch.einsum("hqk,hkv,hev->qe", read, values, weights.output) + weights.output_bias
    assert torch.allclose(output, stand(example(24))[0], rtol=1e-6, atol=1e-6, equal_nan=True) == READABLE[change]
