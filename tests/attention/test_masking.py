"""The right ways to treat a mask give the reference's output; each wrong one is what its name says."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from grader.attention.drawing import causal_mask, draw_mask, padding_mask
from grader.attention.masking import (
    FREE_ADDITION,
    FREE_FILL,
    NO_MASK,
    OVER_HEADS,
    RIGHT,
    RIGHT_IN_OTHER_WORDS,
    RIGHT_WITHOUT_SOFTMAX,
    TOO_SMALL,
    WAYS,
    WRONG,
    Scored,
    free_addition,
    free_fill,
)
from grader.catalogue import CATALOGUE

BATCH, HEADS, SEQ = 3, 4, 5
SCALE = 0.4


def scored(raw: Tensor, scale: float = SCALE) -> Scored:
    """Raw scores `(batch, heads, seq, seq)` on their way to weights."""
    scales = torch.full((1, 1, 1, 1, 1), scale, dtype=torch.float64)
    return Scored(raw[None] * scales, scales, lambda scores: scores.softmax(-1))


def drawn(batch: int = BATCH, heads: int = HEADS) -> Scored:
    return scored(3 * torch.randn(batch, heads, SEQ, SEQ, dtype=torch.float64, generator=seeded()))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def mask(batch: int = BATCH) -> Tensor:
    return draw_mask(batch, SEQ, seeded())[:, None]


def right(each: Scored, visible: Tensor) -> Tensor:
    return each.scaled.masked_fill(~visible, -math.inf).softmax(-1)


def apart(name: str, each: Scored, visible: Tensor) -> float:
    """How far the weights of a way are from the right ones; inf where they are no numbers."""
    weights = WAYS[name](each, visible)
    return float((weights - right(each, visible)).abs().nan_to_num(nan=math.inf, posinf=math.inf).max())


@pytest.mark.parametrize("name", [*RIGHT, *RIGHT_IN_OTHER_WORDS])
def test_a_right_way_gives_the_right_weights(name: str) -> None:
    assert apart(name, drawn(), mask()) < 1e-15


@pytest.mark.parametrize("name", [name for name in WRONG if name not in TOO_SMALL or TOO_SMALL[name][1] >= -10])
def test_a_wrong_way_gives_others(name: str) -> None:
    assert apart(name, drawn(), mask()) > 1e-4


@pytest.mark.parametrize("name", RIGHT_WITHOUT_SOFTMAX)
def test_nothing_hides_a_token_only_where_there_is_no_softmax(name: str) -> None:
    each, visible = drawn(), mask()
    linear = Scored(each.scaled, each.scales, lambda scores: scores)

    assert torch.equal(WAYS[name](linear, visible), each.scaled.masked_fill(~visible, 0.0))
    assert apart(name, each, visible) > 1e-2


def test_names_are_in_the_catalogue_and_told_apart() -> None:
    assert {id_ for _, ids in WRONG.values() for id_ in ids} <= set(CATALOGUE)
    assert len(WAYS) == len(RIGHT) + len(RIGHT_IN_OTHER_WORDS) + len(RIGHT_WITHOUT_SOFTMAX) + len(WRONG)
    assert not {FREE_FILL, FREE_ADDITION} & set(WAYS)
    assert WRONG[NO_MASK][1] == ("mask-ignored",)


HARMLESS: dict[str, Callable[[], Tensor]] = {
    "ignored": lambda: torch.ones(BATCH, 1, SEQ, SEQ, dtype=torch.bool),
    "on queries": lambda: mask() & mask().mT,
    "on queries, -1e9": lambda: mask() & mask().mT,
    "of the first sample": lambda: mask()[:1].expand(BATCH, -1, -1, -1),
    "in the order of heads": lambda: mask()[:1].expand(BATCH, -1, -1, -1),
    "in the order of samples": lambda: mask()[:1].expand(BATCH, -1, -1, -1),
    "and causal": lambda: causal_mask(SEQ).expand(BATCH, 1, -1, -1),
    "own, causal": lambda: causal_mask(SEQ).expand(BATCH, 1, -1, -1),
    "and the next": lambda: torch.ones(SEQ, SEQ, dtype=torch.bool).tril(1).expand(BATCH, 1, -1, -1),
    "own, one token too far": lambda: torch.ones(SEQ, SEQ, dtype=torch.bool).tril(1).expand(BATCH, 1, -1, -1),
    "one token too far": lambda: torch.ones(BATCH, 1, SEQ, SEQ, dtype=torch.bool),
    "without itself": lambda: (~torch.eye(SEQ, dtype=torch.bool)).expand(BATCH, 1, -1, -1),
    "without itself, -1e9": lambda: (~torch.eye(SEQ, dtype=torch.bool)).expand(BATCH, 1, -1, -1),
}
"""Masks under which a wrong way is right."""


@pytest.mark.parametrize("name", HARMLESS)
def test_a_wrong_way_is_right_under_a_mask_that_hides_the_mistake(name: str) -> None:
    assert apart(name, drawn(), HARMLESS[name]()) < 1e-15
    assert apart(name, drawn(), mask()) > 1e-2


@pytest.mark.parametrize("name", sorted(OVER_HEADS))
def test_heads_and_samples_in_another_order_need_several_heads(name: str) -> None:
    assert apart(name, drawn(heads=1), mask()) < 1e-15


ROWS = torch.tensor([[1.0, 2.0, 4.0]], dtype=torch.float64)
"""One query's scores; the last token is hidden."""
SEEN = torch.tensor([[True, True, False]])
BY_HAND = {
    "after softmax": lambda s: [math.exp(s[0]) / total(s), math.exp(s[1]) / total(s), 0.0],
    "filled with 0": lambda s: softmax([s[0], s[1], 0.0]),
    "filled with 1": lambda s: softmax([s[0], s[1], 1.0]),
    "filled with -10": lambda s: softmax([s[0], s[1], -10.0]),
    "filled with -10 before the scale": lambda s: softmax([s[0], s[1], -10.0 * SCALE]),
    "plus -10": lambda s: softmax([s[0], s[1], s[2] - 10.0]),
    "plus -10 before the scale": lambda s: softmax([s[0], s[1], s[2] - 10.0 * SCALE]),
    "added": lambda s: softmax([s[0] + 1, s[1] + 1, s[2]]),
    "added before the scale": lambda s: softmax([s[0] + SCALE, s[1] + SCALE, s[2]]),
    "added, inverted": lambda s: softmax([s[0], s[1], s[2] + 1]),
    "subtracted": lambda s: softmax([s[0], s[1], s[2] - 1]),
    "inverted": lambda s: [0.0, 0.0, 1.0],
    "inverted, -1e9": lambda s: [0.0, 0.0, 1.0],
    "visible ones pushed away": lambda s: [0.0, 0.0, 1.0],
    "filled with +1e9": lambda s: [0.0, 0.0, 1.0],
    "ignored": lambda s: softmax(s),
}


def total(numbers: list[float]) -> float:
    return sum(map(math.exp, numbers))


def softmax(numbers: list[float]) -> list[float]:
    return [math.exp(each) / total(numbers) for each in numbers]


@pytest.mark.parametrize("name", BY_HAND)
def test_the_weights_of_one_query_are_those_worked_out_by_hand(name: str) -> None:
    raw = ROWS[None, None].clone()

    weights = WAYS[name](scored(raw), SEEN[None, None])

    expected = BY_HAND[name]([SCALE * each for each in ROWS[0].tolist()])
    assert weights.flatten().tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "finite"),
    [
        ("filled with +inf", [False, False, False]),
        ("zero times inf", [False, False, False]),
        ("after softmax, -inf", [True, True, False]),
    ],
)
def test_some_ways_give_no_numbers(name: str, finite: list[bool]) -> None:
    weights = WAYS[name](scored(ROWS[None, None].clone()), SEEN[None, None])

    assert weights.isfinite().flatten().tolist() == finite


def test_where_nothing_is_hidden_there_is_nan_only_by_zero_times_inf_and_by_hiding_everything() -> None:
    visible = padding_mask(torch.full((BATCH,), SEQ), SEQ, expand=True)[:, None]

    spoiled = {name for name, way in WAYS.items() if bool(way(drawn(), visible).isnan().any())}

    assert spoiled == {"zero times inf", "inverted", "own, without itself", "and before itself"}


def test_masks_in_the_order_of_heads_or_of_samples_are_those_of_folded_heads() -> None:
    """`mask.repeat(heads, 1, 1)` for heads that lie side by side in the batch, and the other way round."""
    each, visible = drawn(), mask()
    folded = each.scaled[0].flatten(0, 1)  # (batch * heads, seq, seq), the heads of a sample side by side
    repeated = visible[:, 0].repeat(HEADS, 1, 1)
    by_sample = folded.masked_fill(~repeated, -math.inf).softmax(-1)
    by_heads = each.scaled[0].transpose(0, 1).flatten(0, 1)  # one head of all samples, then the next
    interleaved = visible[:, 0].repeat_interleave(HEADS, 0)
    by_head = by_heads.masked_fill(~interleaved, -math.inf).softmax(-1)

    assert torch.equal(WAYS["in the order of heads"](each, visible)[0].flatten(0, 1), by_sample)
    assert torch.equal(WAYS["in the order of samples"](each, visible)[0].transpose(0, 1).flatten(0, 1), by_head)


def test_any_number_may_be_filled_in_or_added_many_at_once() -> None:
    each, visible = drawn(), mask()
    numbers = torch.tensor([-10.0, -2.0], dtype=torch.float64)
    wide = Scored(each.scaled.expand(2, -1, -1, -1, -1), each.scales, each.softmax)

    filled, added = free_fill(numbers)(wide, visible), free_addition(numbers)(wide, visible)

    for place, number in enumerate(("-10", "-2")):
        assert torch.equal(filled[place], WAYS[f"filled with {number}"](each, visible)[0])
        assert torch.equal(added[place], WAYS[f"plus {number}"](each, visible)[0])
