"""Whether an input can tell right from wrong.

With small tokens, equal keys or saturated scores, a wrong scale or an ignored mask hardly changes the output, and a
wrong submission passes. An input is fit to be graded on when the reference is far from every mistake in a table.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grader.attention.comparison import TOLERANCE, relative_error
from grader.attention.counterfactuals import counterfactuals
from grader.attention.reference import Weights, self_attention

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
    outputs = counterfactuals(x, weights, mask) | _wrong_scales(x, weights, mask)
    return {name: relative_error(output, expected) for name, output in outputs.items()}


def _wrong_scales(x: Tensor, weights: Weights, mask: Tensor | None) -> dict[str, Tensor]:
    """Outputs with other constants in the place of 1/sqrt(d_k)."""
    _, d_k, embed = weights.query.shape
    scales = {"1": 1.0, "1/sqrt(embed_dim)": embed**-0.5, "1/d_k": 1 / d_k, "sqrt(d_k)": d_k**0.5}
    return {
        f"scores times {name}": self_attention(x, weights, mask, scale=scale)
        for name, scale in scales.items()
        if scale != d_k**-0.5
    }
