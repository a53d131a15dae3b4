"""Self-attention with one mistake in it: each entry is the reference, changed in one place.

The table serves twice. An input is fit to be graded on when every entry is far from the reference on it (`power`), and
an output that equals exactly one entry names the mistake (`naming`). Entries are called by the ids of the findings.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from grader.attention.reference import Weights, attend, attention_weights, per_head, project, scores


def counterfactuals(
    x: Tensor, weights: Weights, mask: Tensor | None = None, *, scale: float | None = None
) -> dict[str, Tensor]:
    """What the output would be with each mistake of the table.

    Args:
        x: `(batch, seq, embed)`.
        weights: the projections.
        mask: broadcastable to `(batch, seq, seq)`; nonzero means may attend.
        scale: what the scores are multiplied by; 1/sqrt(d_k) unless told.

    Returns:
        `(batch, seq, embed)` each. Entries that cannot exist at these sizes are left out.
    """
    factor = weights.d_k**-0.5 if scale is None else scale
    wrong = _wrong_attention(x, weights, mask, factor)
    outputs = dict(zip(wrong, attend(torch.stack(list(wrong.values())), x, weights), strict=True))
    return outputs | _wrong_values(x, weights, mask, factor) | _wrong_heads(x, weights, mask, factor)


def _wrong_attention(x: Tensor, weights: Weights, mask: Tensor | None, factor: float) -> dict[str, Tensor]:
    """Attention weights as mistakes make them: `(batch, heads, seq, seq)` each."""
    raw = scores(x, weights)
    heads, d_k, _ = weights.query.shape
    scaled = raw * factor
    hidden = torch.zeros(1, dtype=torch.bool) if mask is None else per_head(mask, x) == 0
    masked = scaled.masked_fill(hidden, -math.inf)
    right = masked.softmax(-1)
    wrong = {
        "softmax-dim-query": masked.softmax(-2),
        "softmax-missing": scaled.masked_fill(hidden, 0.0),
        "softmax-twice": right.softmax(-1),
        "softmax-global": masked.flatten(-2).softmax(-1).view_as(masked),
        "softmax-dim-batch": masked.softmax(0),
        "attention-transposed": right.mT,
        "key-uses-query": attention_weights(
            x, replace(weights, key=weights.query, key_bias=weights.query_bias), mask, scale=factor
        ),
    }
    if len(x) == 1:
        del wrong["softmax-dim-batch"]
    if mask is not None:
        wrong["mask-ignored"] = scaled.softmax(-1)
        wrong["mask-inverted"] = scaled.masked_fill(~hidden, -math.inf).softmax(-1)
        wrong["mask-after-softmax"] = scaled.softmax(-1).masked_fill(hidden, 0.0)
        wrong["mask-fill-zero"] = scaled.masked_fill(hidden, 0.0).softmax(-1)
        wrong["mask-on-queries"] = scaled.masked_fill(hidden.mT, -math.inf).softmax(-1)
    if heads > 1:
        together = raw.sum(1, keepdim=True) * (heads * d_k) ** -0.5
        wrong["heads-not-split"] = together.masked_fill(hidden, -math.inf).softmax(-1).expand_as(raw)
        wrong["softmax-dim-head"] = masked.softmax(1) if mask is None else scaled.softmax(1).masked_fill(hidden, 0.0)
    return wrong


def _wrong_values(x: Tensor, weights: Weights, mask: Tensor | None, factor: float) -> dict[str, Tensor]:
    """Outputs in which a projection is missing or stands in for another."""
    attention = attention_weights(x, weights, mask, scale=factor)
    heads, d_v, embed = weights.value.shape
    wrong = {}
    if weights.value.shape == weights.key.shape:
        same = replace(weights, value=weights.key, value_bias=weights.key_bias)
        wrong["value-uses-key"] = attend(attention, x, same)
    if weights.output is not None and heads * d_v == embed:
        wrong["output-projection-missing"] = attend(attention, x, replace(weights, output=None, output_bias=None))
    wrong["residual-inside"] = x + attend(attention, x, weights)
    return wrong


def _wrong_heads(x: Tensor, weights: Weights, mask: Tensor | None, factor: float) -> dict[str, Tensor]:
    """Outputs in which the features of heads and tokens were mixed up by a reshape without a transpose."""
    heads, d_v, _ = weights.value.shape
    if heads == 1 or weights.value.shape != weights.key.shape:
        return {}
    batch, seq, _ = x.shape
    wrong = {}
    for split_wrong, merge_wrong, name in (
        (True, False, "heads-view-no-transpose"),
        (False, True, "merge-view-no-transpose"),
        (True, True, "heads-view-no-transpose + merge-view-no-transpose"),
    ):
        query, key, value = (
            _viewed(each) if split_wrong else each
            for each in (
                project(x, weights.query, weights.query_bias),
                project(x, weights.key, weights.key_bias),
                project(x, weights.value, weights.value_bias),
            )
        )
        scaled = query @ key.mT * factor
        if mask is not None:
            scaled = scaled.masked_fill(per_head(mask, x) == 0, -math.inf)
        attended = scaled.softmax(-1) @ value  # (batch, heads, seq, d_v)
        merged = attended if merge_wrong else attended.transpose(1, 2)
        wrong[name] = _projected(merged.reshape(batch, seq, heads * d_v), weights)
    return wrong


def _viewed(projected: Tensor) -> Tensor:
    """`(batch, heads, seq, d)` as `view(batch, heads, seq, d)` makes it of `(batch, seq, heads * d)`."""
    return projected.transpose(1, 2).reshape(projected.shape)


def _projected(concatenated: Tensor, weights: Weights) -> Tensor:
    output = weights.output
    projected = concatenated if output is None else concatenated @ output.transpose(0, 1).flatten(1).T
    return projected if weights.output_bias is None else projected + weights.output_bias
