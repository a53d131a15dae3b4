"""By what constant the scores were multiplied, and what students call that constant.

Every quantity a student may divide by has a name. Where none of them reproduces the output, the constant is searched
for: coarsely over seven decades, then ever closer around the best places.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grader.attention.comparison import TOLERANCE
from grader.attention.reference import Weights, attend, per_head, scores

_GRID = torch.logspace(-4, 3, 71, dtype=torch.float64)
_POINTS = 41
"""Points of one zoom: it narrows the interval twentyfold."""
_ZOOMS = 10
"""Twenty to the tenth leaves nothing of a float64's 53 bits to find."""
_STARTS = 3
"""Local minima worth a zoom: the error as a function of the scale may have more than one."""


def named_scales(*, d_k: int, embed: int, heads: int, seq: int, batch: int) -> dict[str, float]:
    """What students multiply scores by, right or wrong, the right one first.

    Args:
        d_k: features of a query in one head.
        embed: the width of a token.
        heads: how many heads.
        seq: tokens in a sample.
        batch: samples.
    """
    return {
        "1/sqrt(d_k)": d_k**-0.5,
        "1 (no scaling)": 1.0,
        "1/sqrt(embed_dim)": embed**-0.5,
        "1/d_k": 1 / d_k,
        "1/embed_dim": 1 / embed,
        "sqrt(d_k)": d_k**0.5,
        "sqrt(embed_dim)": embed**0.5,
        "d_k": float(d_k),
        "embed_dim": float(embed),
        "1/d_k**0.25": d_k**-0.25,
        "1/d_k**2": d_k**-2.0,
        "1/sqrt(seq_len)": seq**-0.5,
        "1/seq_len": 1 / seq,
        "1/sqrt(batch)": batch**-0.5,
        "1/batch": 1 / batch,
        "1/sqrt(num_heads)": heads**-0.5,
        "1/num_heads": 1 / heads,
    }


def fit_scale(
    output: Tensor,
    x: Tensor,
    weights: Weights,
    mask: Tensor | None = None,
    *,
    tolerance: float = TOLERANCE[torch.float64],
) -> float | None:
    """The constant with which the reference gives this output; None when there is none.

    Args:
        output: `(batch, seq, embed)`, what a student's module returned.
        x: `(batch, seq, embed)`.
        weights: the projections.
        mask: broadcastable to `(batch, seq, seq)`; nonzero means may attend.
        tolerance: relative error below which the output is reproduced, as in `comparison.relative_error`.

    Returns:
        A positive number: exactly the named one where a name fits, 1/sqrt(d_k) before all others.
    """
    if output.shape != x.shape or not bool(output.isfinite().all()):
        return None
    batch, seq, embed = x.shape
    heads, d_k, _ = weights.query.shape
    named = torch.tensor(
        list(named_scales(d_k=d_k, embed=embed, heads=heads, seq=seq, batch=batch).values()), dtype=torch.float64
    )
    fitting = (_errors(named, output, x, weights, mask) <= tolerance).nonzero().flatten()
    if len(fitting):
        return float(named[fitting[0]])
    coarse = _errors(_GRID, output, x, weights, mask)
    for start in _minima(coarse)[:_STARTS]:
        scale, error = _zoom(start, output, x, weights, mask)
        if error <= tolerance:
            return scale
    return None


def name_scale(
    value: float, *, d_k: int, embed: int, heads: int, seq: int, batch: int, tolerance: float = TOLERANCE[torch.float64]
) -> str:
    """A scale in words, such as "1/sqrt(embed_dim)" or "1 (no scaling)"; the number itself where no name fits.

    Args:
        value: what the scores are multiplied by.
        d_k: features of a query in one head.
        embed: the width of a token.
        heads: how many heads.
        seq: tokens in a sample.
        batch: samples.
        tolerance: relative difference below which a name fits.
    """
    for name, named in named_scales(d_k=d_k, embed=embed, heads=heads, seq=seq, batch=batch).items():
        if abs(value - named) <= tolerance * named:
            return name
    return f"{value:.6g}"


def _errors(scales: Tensor, output: Tensor, x: Tensor, weights: Weights, mask: Tensor | None) -> Tensor:
    """The relative error of the output against the reference with each scale: `(scales,)`, inf where it is not
    finite."""
    scaled = scales.view(-1, 1, 1, 1, 1) * scores(x, weights)  # (scales, batch, heads, seq, seq)
    if mask is not None:
        scaled = scaled.masked_fill(per_head(mask, x) == 0, -math.inf)
    expected = attend(scaled.softmax(-1), x, weights)  # (scales, batch, seq, embed)
    if expected.shape[1:] != output.shape:
        return torch.full_like(scales, math.inf)
    error = (output - expected).abs().amax((1, 2, 3)) / expected.abs().amax((1, 2, 3))
    return error.nan_to_num(nan=math.inf)


def _minima(errors: Tensor) -> list[int]:
    """The places in the grid where the error is lower than on either side, the lowest first."""
    padded = torch.nn.functional.pad(errors, (1, 1), value=math.inf)
    low = (errors <= padded[:-2]) & (errors <= padded[2:]) & errors.isfinite()
    places: list[int] = low.nonzero().flatten().tolist()
    return sorted(places, key=lambda place: float(errors[place]))


def _zoom(start: int, output: Tensor, x: Tensor, weights: Weights, mask: Tensor | None) -> tuple[float, float]:
    """The best scale near a place in the grid, and its error."""
    low, high = float(_GRID[max(start - 1, 0)]), float(_GRID[min(start + 1, len(_GRID) - 1)])
    best = least = math.inf
    for _ in range(_ZOOMS):
        points = torch.linspace(low, high, _POINTS, dtype=torch.float64)
        errors = _errors(points, output, x, weights, mask)
        place = int(errors.argmin())
        best, least = float(points[place]), float(errors[place])
        low, high = float(points[max(place - 1, 0)]), float(points[min(place + 1, _POINTS - 1)])
    return best, least
