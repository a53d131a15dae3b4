import pytest
import torch
from torch import Tensor

from grader.attention.drawing import causal_mask, draw_mask, draw_tokens, draw_values
from grader.attention.power import distances, has_power
from grader.attention.reference import Weights


def case(embed: int, heads: int, batch: int, seq: int, gain: float = 1.3) -> tuple[Tensor, Weights, Tensor]:
    generator = torch.Generator().manual_seed(11)
    d = embed // heads
    shapes = {"q": (heads, d, embed), "k": (heads, d, embed), "v": (heads, d, embed), "o": (heads, embed, d)}
    values = draw_values(shapes, embed_dim=embed, gain=gain, generator=generator)
    weights = Weights(query=values["q"], key=values["k"], value=values["v"], output=values["o"])
    return draw_tokens(batch, seq, embed, generator), weights, draw_mask(batch, seq, generator)


@pytest.mark.parametrize(("embed", "heads", "batch", "seq"), [(24, 4, 3, 5), (15, 3, 2, 4), (24, 1, 3, 5)])
def test_ordinary_tokens_have_power(embed: int, heads: int, batch: int, seq: int) -> None:
    x, weights, mask = case(embed, heads, batch, seq)

    assert has_power(x, weights)
    assert has_power(x, weights, mask)
    assert has_power(x, weights, causal_mask(seq))
    assert min(distances(x, weights, mask).values()) > 0.01


def test_tiny_tokens_have_none() -> None:
    x, weights, mask = case(24, 4, 3, 5)

    assert not has_power(x * 1e-3, weights, mask)


def test_one_token_has_none() -> None:
    x, weights, _ = case(24, 4, 3, 5)

    assert not has_power(x[:, :1], weights)


def test_equal_tokens_have_none() -> None:
    x, weights, _ = case(24, 4, 3, 5)

    assert not has_power(x[:, :1].expand(-1, 5, -1), weights)


def test_saturated_scores_have_none() -> None:
    x, weights, mask = case(24, 4, 3, 5, gain=1000)

    assert not has_power(x, weights, mask)


def test_a_mask_that_hides_nothing_has_none() -> None:
    x, weights, _ = case(24, 4, 3, 5)

    assert not has_power(x, weights, torch.ones(5, 5))
