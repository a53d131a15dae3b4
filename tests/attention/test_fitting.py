"""A number without a name is found exactly, and none is found where there is none."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from grader.attention.fitting import FILL_GRID, SCALE_GRID, Errors, fit
from grader.attention.masking import WAYS, free_addition, free_fill
from grader.attention.questions import Questions, questions, textbook
from grader.attention.reference import self_attention
from grader.attention.trial import Trial
from grader.attention.variants import Variant

RIGHT = textbook(24, 4, torch.Generator().manual_seed(0))
ASKED: Questions = questions(embed_dim=24, num_heads=4, batch=3, seq=5, seed=0)


def trial(output: Tensor, mask: Tensor | None = None, x: Tensor = ASKED.tokens) -> Trial:
    return Trial(x, mask, output, heads=4, elements=RIGHT.elements)


def by_scale(output: Tensor) -> Errors:
    asked = trial(output)
    return lambda scales: asked.errors(RIGHT.layout, Variant(), scales=scales)


@pytest.mark.parametrize("scale", [0.001, 0.05, 0.1, 0.125, 0.5, 1.7, math.pi, 7.0, 20.0])
def test_a_scale_is_found_to_nine_places(scale: float) -> None:
    output = self_attention(ASKED.tokens, RIGHT.weights, scale=scale)

    found = fit(by_scale(output), SCALE_GRID, tolerance=1e-6)

    assert found is not None
    assert found[0] == pytest.approx(scale, rel=1e-9)
    assert found[1] < 1e-9


@pytest.mark.parametrize("scale", [-0.5, -1.0])
def test_a_negative_scale_is_none_of_ours(scale: float) -> None:
    output = self_attention(ASKED.tokens, RIGHT.weights, scale=scale)

    assert fit(by_scale(output), SCALE_GRID, tolerance=1e-6) is None


def test_no_scale_is_found_where_another_thing_is_wrong() -> None:
    right = self_attention(ASKED.tokens, RIGHT.weights)
    per_head = torch.tensor([0.3, 0.4, 0.5, 0.6], dtype=torch.float64)[:, None, None]
    weights = replace(RIGHT.weights, query=RIGHT.weights.query * per_head)
    temperatures = self_attention(ASKED.tokens, weights)

    for output in (right + ASKED.tokens, right.flip(1), 1.01 * right, temperatures):
        assert fit(by_scale(output), SCALE_GRID, tolerance=1e-6) is None


@pytest.mark.parametrize("fill", [-25.0, -13.7, -9.0, -4.25, -0.3, 2.5])
@pytest.mark.parametrize(("kind", "way"), [("filled with", free_fill), ("plus", free_addition)])
def test_what_hidden_scores_are_set_to_or_have_added_is_found(kind, way, fill: float) -> None:
    number = torch.tensor([fill], dtype=torch.float64)
    blank = trial(ASKED.loud_tokens, ASKED.loud_mask, ASKED.loud_tokens)
    made = blank.outputs(RIGHT.layout, Variant(), way(number), scales=torch.tensor([6**-0.5], dtype=torch.float64))
    assert made is not None
    asked = trial(made[0], ASKED.loud_mask, ASKED.loud_tokens)

    def errors(fills: Tensor) -> Tensor | None:
        scale = torch.tensor([6**-0.5], dtype=torch.float64).expand(len(fills))
        return asked.errors(RIGHT.layout, Variant(), way(fills), scales=scale)

    found = fit(errors, FILL_GRID, tolerance=1e-6)

    assert found is not None
    assert found[1] < 1e-6
    assert found[0] == pytest.approx(fill, abs=1e-6)


def test_no_fill_is_found_where_the_mask_is_ignored() -> None:
    x, mask = ASKED.loud_tokens, ASKED.loud_mask
    asked = trial(self_attention(x, RIGHT.weights), mask, x)

    def errors(fills: Tensor) -> Tensor | None:
        scale = torch.tensor([6**-0.5], dtype=torch.float64).expand(len(fills))
        return asked.errors(RIGHT.layout, Variant(), free_fill(fills), scales=scale)

    assert fit(errors, FILL_GRID, tolerance=1e-6) is None
    ignored = asked.errors(RIGHT.layout, Variant(), WAYS["ignored"])
    assert ignored is not None
    assert float(ignored[0]) < 1e-13


def test_the_lower_of_two_minima_is_found_wherever_it_is() -> None:
    grid = torch.linspace(0, 10, 21, dtype=torch.float64)

    def errors(numbers: Tensor) -> Tensor:
        return torch.minimum((numbers - 2.2).abs() + 0.3, (numbers - 7.7).abs())

    found = fit(errors, grid, tolerance=1e-6)

    assert found is not None
    assert found[0] == pytest.approx(7.7, abs=1e-9)


def test_a_minimum_at_the_edge_of_the_grid_is_found() -> None:
    grid = torch.linspace(0, 10, 21, dtype=torch.float64)

    found = fit(lambda numbers: numbers.abs(), grid, tolerance=1e-6)

    assert found == (0.0, 0.0)


def test_what_is_not_promising_is_not_looked_at_closely() -> None:
    asked: list[int] = []

    def errors(numbers: Tensor) -> Tensor:
        asked.append(len(numbers))
        return (numbers - 5).abs() + 0.6

    assert fit(errors, torch.linspace(0, 10, 21, dtype=torch.float64), tolerance=1e-6) is None
    assert asked == [21]


def test_where_there_is_no_such_thing_no_number_is_found() -> None:
    assert fit(lambda numbers: None, SCALE_GRID, tolerance=1e-6) is None
    assert fit(lambda numbers: torch.full_like(numbers, math.inf), SCALE_GRID, tolerance=1e-6) is None
