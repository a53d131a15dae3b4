"""Reads off an output which attention weights dropout removed.

With dropout on the attention weights, each query receives

    output = b_O + sum over heads h and keys k of m[h, k] * c[h, k]

where c[h, k] is what that key adds through that head (`reference.contributions`) and m is 0 or 1/(1 - p). The sum is
linear in m, so m is the solution of a small linear system, as long as heads * seq does not exceed the width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grader.attention.reference import Weights, contributions


def kept_weights(output: Tensor, x: Tensor, weights: Weights, *, scale: float | None = None) -> Tensor:
    """Which attention weights went into an output.

    Args:
        output: `(batch, seq, embed)`, made in train mode.
        x: `(batch, seq, embed)`, with heads * seq at most embed.
        weights: the projections.
        scale: what the scores are multiplied by; 1/sqrt(d_k) unless told.

    Returns:
        bool `(batch, seq_query, heads, seq_key)`: true where a weight was kept, if dropout on the weights is what
        happened.
    """
    added = contributions(x, weights, scale=scale)  # (batch, query, heads, key, embed)
    columns = added.flatten(2, 3).mT  # (batch, query, embed, heads * key)
    rest = output if weights.output_bias is None else output - weights.output_bias
    factors: Tensor = torch.linalg.lstsq(columns, rest[..., None]).solution
    return factors.view(added.shape[:-1]) > 0.5


def with_kept(kept: Tensor, x: Tensor, weights: Weights, *, rate: float, scale: float | None = None) -> Tensor:
    """The output when dropout of this rate kept exactly these attention weights: `(batch, seq, embed)`."""
    factors = kept.to(x.dtype)[..., None] / (1 - rate)
    summed = (factors * contributions(x, weights, scale=scale)).sum(dim=(2, 3))
    return summed if weights.output_bias is None else summed + weights.output_bias
