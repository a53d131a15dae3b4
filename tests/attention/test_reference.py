import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from grader.attention.comparison import relative_error
from grader.attention.drawing import causal_mask, draw_mask, draw_tokens, draw_values, padding_mask
from grader.attention.reference import Weights, attend, attention_weights, contributions, project, self_attention


def drawn(embed: int = 24, heads: int = 4, *, output: bool = True, bias: bool = True, seed: int = 0) -> Weights:
    d = embed // heads
    shapes = {"q": (heads, d, embed), "k": (heads, d, embed), "v": (heads, d, embed), "o": (heads, embed, d)}
    shapes |= {"bq": (heads * d,), "bk": (heads * d,), "bv": (heads * d,), "bo": (embed,)}
    values = draw_values(shapes, embed_dim=embed, gain=1.3, generator=torch.Generator().manual_seed(seed))
    return Weights(
        query=values["q"],
        key=values["k"],
        value=values["v"],
        output=values["o"] if output else None,
        query_bias=values["bq"].view(heads, d) if bias else None,
        key_bias=values["bk"].view(heads, d) if bias else None,
        value_bias=values["bv"].view(heads, d) if bias else None,
        output_bias=values["bo"] if bias else None,
    )


def tokens(batch: int = 3, seq: int = 5, embed: int = 24) -> Tensor:
    return draw_tokens(batch, seq, embed, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("output", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_it_agrees_with_the_library(output: bool, bias: bool) -> None:
    weights, x = drawn(output=output, bias=bias), tokens()
    mask = draw_mask(3, 5, torch.Generator().manual_seed(2))
    query = project(x, weights.query, weights.query_bias)
    key = project(x, weights.key, weights.key_bias)
    value = project(x, weights.value, weights.value_bias)
    heads = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None])
    merged = heads.transpose(1, 2).flatten(2)
    if weights.output is not None:
        merged = merged @ torch.cat(list(weights.output), dim=1).T
    expected = merged if weights.output_bias is None else merged + weights.output_bias

    assert relative_error(self_attention(x, weights, mask), expected) < 1e-14


def test_attention_weights_are_zero_where_hidden_and_sum_to_one_over_keys() -> None:
    weights, x = drawn(), tokens()

    attention = attention_weights(x, weights, causal_mask(5))

    assert attention.shape == (3, 4, 5, 5)
    assert torch.equal(attention.triu(1), torch.zeros_like(attention))
    torch.testing.assert_close(attention.sum(-1), torch.ones(3, 4, 5, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(5, 5), (1, 5), (3, 1, 5), (3, 5, 5)])
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float64])
def test_any_mask_that_broadcasts_to_the_batch_is_taken(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    weights, x = drawn(), tokens()
    mask = (torch.arange(math.prod(shape)) % 5 != 3).view(shape).to(dtype)

    actual = self_attention(x, weights, mask)

    assert relative_error(actual, self_attention(x, weights, mask.expand(3, 5, 5).bool())) == 0


def test_a_padding_mask_hides_the_tokens_past_the_length() -> None:
    weights, x = drawn(), tokens()
    mask = padding_mask(torch.tensor([2, 5, 4]), 5)
    changed = x.clone()
    changed[0, 2:] += 1
    changed[2, 4:] -= 1

    before, after = self_attention(x, weights, mask), self_attention(changed, weights, mask)

    assert torch.equal(before[0, :2], after[0, :2])
    assert torch.equal(before[2, :4], after[2, :4])


def test_the_scale_is_one_over_the_root_of_d_k_unless_told() -> None:
    weights, x = drawn(), tokens()

    assert relative_error(self_attention(x, weights, scale=6**-0.5), self_attention(x, weights)) < 1e-15
    assert relative_error(self_attention(x, weights, scale=1.0), self_attention(x, weights)) > 0.1


@pytest.mark.parametrize("output", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_contributions_sum_to_the_output_without_its_bias(output: bool, bias: bool) -> None:
    weights, x = drawn(output=output, bias=bias), tokens()
    mask = draw_mask(3, 5, torch.Generator().manual_seed(2))

    added = contributions(x, weights, mask)

    assert added.shape == (3, 5, 4, 5, 24)
    total = added.sum((2, 3)) if weights.output_bias is None else added.sum((2, 3)) + weights.output_bias
    assert relative_error(total, self_attention(x, weights, mask)) < 1e-14


def test_a_key_bias_changes_nothing() -> None:
    weights, x = drawn(), tokens()
    biased = project(x, weights.key, weights.key_bias)

    assert relative_error(biased, project(x, weights.key, None)) > 0.01
    unbiased = Weights(
        query=weights.query,
        key=weights.key,
        value=weights.value,
        output=weights.output,
        query_bias=weights.query_bias,
        value_bias=weights.value_bias,
        output_bias=weights.output_bias,
    )
    assert relative_error(self_attention(x, weights), self_attention(x, unbiased)) < 1e-14


def test_attend_takes_any_leading_axes() -> None:
    weights, x = drawn(), tokens()
    attention = attention_weights(x, weights)

    stacked = attend(torch.stack((attention, attention.mT)), x, weights)

    assert relative_error(stacked[0], attend(attention, x, weights)) < 1e-14
    assert relative_error(stacked[1], attend(attention.mT, x, weights)) < 1e-14
