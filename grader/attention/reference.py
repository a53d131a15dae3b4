"""Self-attention as the textbook has it: the function every submission is compared with.

Vaswani et al., "Attention Is All You Need" (2017), equation 1 and section 3.2.2:

    head_h = softmax(Q_h K_h^T / sqrt(d_k)) V_h
    output = concat(head_1 ... head_H) W_O + b_O
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """What self-attention learns, one slice per head, each row the vector one feature is projected on.

    Attributes:
        query: `(heads, d_k, embed)`.
        key: `(heads, d_k, embed)`.
        value: `(heads, d_v, embed)`.
        output: `(heads, embed, d_v)`; None where there is no output projection: the heads' outputs are concatenated.
        query_bias: `(heads, d_k)` or None.
        key_bias: `(heads, d_k)` or None. Softmax over keys cancels it: it never changes the output.
        value_bias: `(heads, d_v)` or None.
        output_bias: `(embed,)` or None.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    output: Tensor | None = None
    query_bias: Tensor | None = None
    key_bias: Tensor | None = None
    value_bias: Tensor | None = None
    output_bias: Tensor | None = None

    @property
    def d_k(self) -> int:
        """How many features a query and a key have in one head."""
        return self.query.shape[1]


def project(x: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
    """Every token seen by every head.

    Args:
        x: `(batch, seq, embed)`.
        matrix: `(heads, features, embed)`.
        bias: `(heads, features)` or None.

    Returns:
        `(batch, heads, seq, features)`.
    """
    projected = x[:, None] @ matrix.mT  # (batch, heads, seq, features)
    return projected if bias is None else projected + bias[:, None]


def scores(x: Tensor, weights: Weights) -> Tensor:
    """How well each query meets each key, before any scale: `(batch, heads, seq_query, seq_key)`."""
    query = project(x, weights.query, weights.query_bias)  # (batch, heads, seq, d_k)
    key = project(x, weights.key, weights.key_bias)  # (batch, heads, seq, d_k)
    return query @ key.mT


def attention_weights(x: Tensor, weights: Weights, mask: Tensor | None = None, *, scale: float | None = None) -> Tensor:
    """How much each query takes from each key: rows are queries, and every row sums to one.

    Args:
        x: `(batch, seq, embed)`.
        weights: the projections.
        mask: broadcastable to `(batch, seq, seq)`; nonzero means may attend. A row that may attend to nothing is nan.
        scale: what the scores are multiplied by; 1/sqrt(d_k) unless told.

    Returns:
        `(batch, heads, seq_query, seq_key)`.
    """
    scaled = scores(x, weights) * (weights.d_k**-0.5 if scale is None else scale)
    if mask is not None:
        scaled = scaled.masked_fill(per_head(mask, x) == 0, -math.inf)
    return torch.softmax(scaled, dim=-1)


def per_head(mask: Tensor, x: Tensor) -> Tensor:
    """The mask of a batch, with an axis on which all heads agree: `(batch, 1, seq, seq)`."""
    batch, seq, _ = x.shape
    return mask.expand(batch, seq, seq)[:, None]


def attend(attention: Tensor, x: Tensor, weights: Weights) -> Tensor:
    """What the queries receive, given how much they take from each key.

    Args:
        attention: `(..., batch, heads, seq_query, seq_key)`.
        x: `(batch, seq, embed)`.
        weights: the projections.

    Returns:
        `(..., batch, seq, embed)`; the last axis is heads * d_v where there is no output projection.
    """
    value = project(x, weights.value, weights.value_bias)  # (batch, heads, seq, d_v)
    heads = attention @ value  # (..., batch, heads, seq, d_v)
    concatenated = heads.transpose(-3, -2).flatten(-2)  # (..., batch, seq, heads * d_v)
    output = weights.output
    projected = concatenated if output is None else concatenated @ output.transpose(0, 1).flatten(1).T
    return projected if weights.output_bias is None else projected + weights.output_bias


def self_attention(x: Tensor, weights: Weights, mask: Tensor | None = None, *, scale: float | None = None) -> Tensor:
    """Multi-head scaled dot-product self-attention; one head is a special case.

    Args:
        x: `(batch, seq, embed)`.
        weights: the projections.
        mask: broadcastable to `(batch, seq, seq)`; nonzero means may attend.
        scale: what the scores are multiplied by; 1/sqrt(d_k) unless told.

    Returns:
        `(batch, seq, embed)`.
    """
    return attend(attention_weights(x, weights, mask, scale=scale), x, weights)


def contributions(x: Tensor, weights: Weights, mask: Tensor | None = None, *, scale: float | None = None) -> Tensor:
    """What each key adds to each query's output through each head.

    The sum over heads and keys is the output without `weights.output_bias`:

        contributions(x, w).sum(dim=(2, 3)) + w.output_bias == self_attention(x, w)

    so an output in which dropout removed some attention weights is a sum over those that were kept.

    Args:
        x: `(batch, seq, embed)`.
        weights: the projections.
        mask: broadcastable to `(batch, seq, seq)`; nonzero means may attend.
        scale: what the scores are multiplied by; 1/sqrt(d_k) unless told.

    Returns:
        `(batch, seq_query, heads, seq_key, embed)`.
    """
    attention = attention_weights(x, weights, mask, scale=scale)  # (batch, heads, seq_query, seq_key)
    value = project(x, weights.value, weights.value_bias)  # (batch, heads, seq_key, d_v)
    return torch.einsum("bhqk,bhkv,hev->bqhke", attention, value, output_matrix(weights))


def output_matrix(weights: Weights) -> Tensor:
    """The output projection per head, `(heads, embed, d_v)`; for concatenated heads, the identity cut into heads."""
    if weights.output is not None:
        return weights.output
    heads, d_v, _ = weights.value.shape
    identity = torch.eye(heads * d_v, dtype=weights.value.dtype, device=weights.value.device)
    return identity.view(heads * d_v, heads, d_v).transpose(0, 1)
