"""Whether an input can tell right from wrong.

With small tokens, equal keys or saturated scores, a wrong scale or an ignored mask hardly changes the output, and a
wrong submission passes. An input is fit to be graded on when the reference is far from every mistake in a small
table.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from grader.attention.comparison import TOLERANCE, relative_error
from grader.attention.reference import Weights, attend, attention_weights, per_head, project, scores, self_attention

MARGIN = 100.0
"""How many tolerances a mistake must be away: then a match is a proof, and the next best is none."""


def has_power(
    x: Tensor, weights: Weights, mask: Tensor | None = None, *, tolerance: float = TOLERANCE[torch.float64]
) -> bool:
    """Whether every mistake of the table moves the output by more than a hundred tolerances on this input.

    Args:
        x: `(batch, seq, embed)`.
        weights: the projections.
        mask: broadcastable to `(batch, seq, seq)`; nonzero means may attend. One that hides nothing has no power.
        tolerance: the relative error that is still right.
    """
    return min(distances(x, weights, mask).values()) > MARGIN * tolerance


def distances(x: Tensor, weights: Weights, mask: Tensor | None = None) -> dict[str, float]:
    """How far each mistake of the table is from the reference on this input: relative errors, inf where not finite."""
    expected = self_attention(x, weights, mask)
    wrong = _wrong_attention(x, weights, mask)
    outputs = dict(zip(wrong, attend(torch.stack(list(wrong.values())), x, weights), strict=True))
    outputs |= _wrong_output(x, weights, mask)
    return {name: relative_error(output, expected) for name, output in outputs.items()}


def _wrong_attention(x: Tensor, weights: Weights, mask: Tensor | None) -> dict[str, Tensor]:
    """Attention weights as mistakes make them: `(batch, heads, seq, seq)` each."""
    raw = scores(x, weights)
    heads, d_k, embed = weights.query.shape
    scaled = raw * d_k**-0.5
    hidden = torch.zeros(1, dtype=torch.bool) if mask is None else per_head(mask, x) == 0
    right = scaled.masked_fill(hidden, -math.inf).softmax(-1)
    wrong = {
        f"scores times {name}": (raw * scale).masked_fill(hidden, -math.inf).softmax(-1)
        for name, scale in {"1": 1.0, "1/sqrt(embed_dim)": embed**-0.5, "1/d_k": 1 / d_k, "sqrt(d_k)": d_k**0.5}.items()
        if scale != d_k**-0.5
    }
    wrong["softmax over queries"] = scaled.masked_fill(hidden, -math.inf).softmax(-2)
    wrong["no softmax"] = scaled.masked_fill(hidden, 0.0)
    wrong["attention transposed"] = right.mT
    wrong["keys made by the query projection"] = attention_weights(
        x, replace(weights, key=weights.query, key_bias=weights.query_bias), mask
    )
    if mask is not None:
        wrong["mask ignored"] = scaled.softmax(-1)
        wrong["mask inverted"] = scaled.masked_fill(~hidden, -math.inf).softmax(-1)
        wrong["mask after softmax"] = scaled.softmax(-1).masked_fill(hidden, 0.0)
    if heads > 1:
        together = raw.sum(1, keepdim=True) * (heads * d_k) ** -0.5
        wrong["heads not split"] = together.masked_fill(hidden, -math.inf).softmax(-1).expand_as(raw)
        wrong["softmax over heads"] = scaled.softmax(1).masked_fill(hidden, 0.0)
    return wrong


def _wrong_output(x: Tensor, weights: Weights, mask: Tensor | None) -> dict[str, Tensor]:
    """Outputs of mistakes that leave the attention weights alone: `(batch, seq, embed)` each."""
    attention = attention_weights(x, weights, mask)
    heads, d_v, _ = weights.value.shape
    wrong = {}
    if weights.value.shape == weights.key.shape:
        same = replace(weights, value=weights.key, value_bias=weights.key_bias)
        wrong["values made by the key projection"] = attend(attention, x, same)
    if weights.output is not None and heads * d_v == x.shape[-1]:
        wrong["no output projection"] = attend(attention, x, replace(weights, output=None, output_bias=None))
    if heads > 1:
        value = project(x, weights.value, weights.value_bias)
        mixed = (attention @ value).reshape(*x.shape[:2], -1)  # (batch, seq, heads * d_v), heads and tokens mixed up
        projected = mixed if weights.output is None else mixed @ weights.output.transpose(0, 1).flatten(1).T
        bias = weights.output_bias
        wrong["heads merged without transposing"] = projected if bias is None else projected + bias
    return wrong
