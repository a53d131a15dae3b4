"""Reads off an output what dropout removed, and from where.

With dropout on the attention weights, each query receives

    output = b_O + sum over heads h and keys k of m[h, k] * c[h, k]

where c[h, k] is what that key adds through that head (`reference.contributions`) and m is 0 or 1/(1 - p). The sum is
linear in m, so m is the solution of a small linear system, as long as heads * seq does not exceed the width.

Dropout at another place takes other parts from another sum: features of the output, of what the queries receive, of the
values. At each place the m can be solved for, but only where dropout really acts are they of two kinds: 0, and the one
number by which survivors are multiplied. Dropped scores are parts of no sum. Still the weights that they lead to can be
solved for, and a row of a few scores has only few ways to be dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import torch
from torch import Tensor

from grader.attention.comparison import relative_error
from grader.attention.reference import (
    Weights,
    attention_weights,
    contributions,
    output_matrix,
    project,
    scores,
    self_attention,
)

WEIGHTS: Final = "the attention weights"
SCORES: Final = "the scores"
OUTPUT: Final = "the output"
RECEIVED: Final = "what the queries receive"
VALUES: Final = "the values"

SAME: Final = 1e-4
"""The relative error of an output that is explained, even in float32; hundreds of factors have to agree."""


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
    return _weight_factors(output, x, weights, scale) > 0.5


def with_kept(kept: Tensor, x: Tensor, weights: Weights, *, rate: float, scale: float | None = None) -> Tensor:
    """The output when dropout of this rate kept exactly these attention weights: `(batch, seq, embed)`."""
    factors = kept.to(x.dtype)[..., None] / (1 - rate)
    summed = (factors * contributions(x, weights, scale=scale)).sum(dim=(2, 3))
    return summed if weights.output_bias is None else summed + weights.output_bias


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """What dropout did.

    Attributes:
        place: what it acted on.
        factor: what survivors are multiplied by; None where that is not known.
        share: how much was dropped; None where that is not known.
    """

    place: str
    factor: float | None = None
    share: float | None = None


def explain(output: Tensor, x: Tensor, weights: Weights, *, rate: float, scale: float | None = None) -> Dropped | None:
    """The place where dropout made exactly this output; None where it is none of those that are known.

    Args:
        output: `(batch, seq, embed)`, made in train mode.
        x: `(batch, seq, embed)`, with heads * seq at most embed.
        weights: the projections.
        rate: the probability that was asked for.
        scale: what the scores are multiplied by; 1/sqrt(d_k) unless told.
    """
    if relative_error(self_attention(x, weights, scale=scale), output) <= SAME:
        return None
    for place, parts, rest in _sums(output, x, weights, scale):
        if (found := two_kinds(_solve(parts, rest), parts.norm(dim=-1))) is None:
            continue
        factor, kept = found
        if relative_error(((factor * kept)[..., None] * parts).sum(-2), rest) <= SAME:
            return Dropped(place=place, factor=factor, share=1 - float(kept.mean()))
    return _dropped_scores(output, x, weights, rate, scale)


def two_kinds(factors: Tensor, sizes: Tensor) -> tuple[float, Tensor] | None:
    """Factors as 0 and one other number, as near as that comes; None if there is nothing but zeros.

    Args:
        factors: of any shape.
        sizes: how large the parts are that they belong to: the small ones are not asked.

    Returns:
        the number, and 1 where a factor is nearer to it than to 0, else 0.
    """
    heard = factors[(sizes >= sizes.median()) & (factors.abs() > 0.01)]
    if not len(heard):
        return None
    factor = float(heard.median())
    return factor, ((factors / factor) > 0.5).to(factors.dtype)


# -- sums of which parts may be missing --------------------------------------------------------------------------------


def _sums(output: Tensor, x: Tensor, weights: Weights, scale: float | None) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Places, the parts of the sum there `(..., parts, numbers)`, and what they add up to `(..., numbers)`."""
    rest = _without_bias(output, weights)
    yield WEIGHTS, contributions(x, weights, scale=scale).flatten(2, 3), rest
    yield OUTPUT, torch.diag_embed(self_attention(x, weights, scale=scale)), output
    attention = attention_weights(x, weights, scale=scale)  # (batch, heads, seq_query, seq_key)
    value = project(x, weights.value, weights.value_bias)  # (batch, heads, seq_key, d_v)
    matrix = output_matrix(weights)  # (heads, embed, d_v)
    yield RECEIVED, torch.einsum("bhqf,hef->bqhfe", attention @ value, matrix).flatten(2, 3), rest
    through = torch.einsum("bhqk,bhkf,hef->bkhfqe", attention, value, matrix)
    yield VALUES, through.flatten(4).flatten(1, 3), rest.flatten(1)


def _without_bias(output: Tensor, weights: Weights) -> Tensor:
    return output if weights.output_bias is None else output - weights.output_bias


def _weight_factors(output: Tensor, x: Tensor, weights: Weights, scale: float | None) -> Tensor:
    """By what each attention weight was multiplied: `(batch, seq_query, heads, seq_key)`."""
    parts = contributions(x, weights, scale=scale)  # (batch, query, heads, key, embed)
    return _solve(parts.flatten(2, 3), _without_bias(output, weights)).view(parts.shape[:-1])


def _solve(parts: Tensor, rest: Tensor) -> Tensor:
    """The factors of the parts that come nearest to a sum: `(..., parts)`."""
    factors: Tensor = torch.linalg.lstsq(parts.mT, rest[..., None]).solution
    return factors[..., 0]


def _dropped_scores(output: Tensor, x: Tensor, weights: Weights, rate: float, scale: float | None) -> Dropped | None:
    """Whether every row of effective attention weights is the softmax of scores of which some are 0."""
    attention = attention_weights(x, weights, scale=scale)  # (batch, heads, seq_query, seq_key)
    effective = _weight_factors(output, x, weights, scale).transpose(1, 2) * attention
    scaled = scores(x, weights) * (weights.d_k**-0.5 if scale is None else scale)
    ways = torch.tensor(list(product((0.0, 1.0), repeat=x.shape[1])), dtype=x.dtype)  # (ways, seq_key)
    for factor in (1 / (1 - rate), 1 / rate, 1.0):
        possible = (factor * scaled[..., None, :] * ways).softmax(-1)  # (batch, heads, seq_query, ways, seq_key)
        distance, nearest = (possible - effective[..., None, :]).abs().amax(-1).min(-1)
        if bool((distance <= SAME).all()):
            return Dropped(place=SCORES, factor=factor, share=1 - float(ways[nearest].mean()))
    return None
