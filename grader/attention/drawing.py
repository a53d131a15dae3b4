"""Random weights, tokens and masks on which a mistake shows.

Everything is float64 and drawn from an explicit generator: the same seed gives the same numbers, and no global state is
touched.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor

BIAS_DEVIATION = 0.5
"""Standard deviation of biases: large enough that a forgotten one is seen, small enough not to saturate softmax."""


def draw_values(
    shapes: Mapping[str, tuple[int, ...]], *, embed_dim: int, gain: float, generator: Generator
) -> dict[str, Tensor]:
    """Values for every leaf of a module, whatever initialisation the student chose.

    Weights (two axes and more) are N(0, gain^2 / fan_in), biases (one axis and less) N(0, 0.5^2). Gain 1 to 1.6 keeps
    softmax between uniform and one-hot, where faults are farthest apart.

    Args:
        shapes: the shape of every leaf, by path.
        embed_dim: the module's width: the fan-in of a leaf that has an axis of this size; else its last axis is.
        gain: the standard deviation of a projection of a standard normal token.
        generator: where the numbers come from; leaves are drawn in the order of `shapes`.
    """
    values = {}
    for path, shape in shapes.items():
        noise = torch.randn(shape, dtype=torch.float64, generator=generator)
        values[path] = noise * _deviation(shape, embed_dim, gain)
    return values


def _deviation(shape: tuple[int, ...], embed_dim: int, gain: float) -> float:
    if len(shape) < 2:
        return BIAS_DEVIATION
    fan_in = embed_dim if embed_dim in shape else max(shape[-1], 1)
    return float(gain * fan_in**-0.5)


def draw_tokens(batch: int, seq: int, embed: int, generator: Generator) -> Tensor:
    """Standard normal tokens: `(batch, seq, embed)`."""
    return torch.randn(batch, seq, embed, dtype=torch.float64, generator=generator)


def causal_mask(seq: int) -> Tensor:
    """Every position may attend to itself and to what came before: `(seq, seq)`, bool."""
    return torch.ones(seq, seq, dtype=torch.bool).tril()


def padding_mask(lengths: Tensor, seq: int, *, expand: bool = False) -> Tensor:
    """Every position may attend to the first `lengths[b]` tokens of its sample.

    Args:
        lengths: `(batch,)` whole numbers.
        seq: the padded length.
        expand: repeat the row for every query, for code that broadcasts no mask.

    Returns:
        bool, `(batch, 1, seq)`, or `(batch, seq, seq)` when expanded.
    """
    mask = torch.arange(seq) < lengths[:, None, None]  # (batch, 1, seq)
    return mask.expand(-1, seq, -1).contiguous() if expand else mask


def draw_mask(batch: int, seq: int, generator: Generator) -> Tensor:
    """A mask without symmetry: every mask fault on record gives another output under it.

    Every sample has its own. Every position may attend to itself and at least one other, and there is at least one it
    may not.

    Returns:
        bool, `(batch, seq, seq)`.

    Raises:
        ValueError: `seq` is below 3, where no such mask exists, or 3 with too many samples to be all different.
    """
    if seq < 3 or (seq == 3 and batch > 6):
        raise ValueError(f"no {batch} different masks of {seq} tokens with a hole in every row; use seq of 4 or more")
    while True:
        mask = _draw_rows(batch, seq, generator)
        if len({tuple(sample) for sample in mask.flatten(1).tolist()}) == batch:
            return mask


def _draw_rows(batch: int, seq: int, generator: Generator) -> Tensor:
    noise = torch.rand(batch, seq, seq - 1, dtype=torch.float64, generator=generator)  # one row's other positions
    others = noise > 0.5
    others.scatter_(-1, noise.argmax(-1, keepdim=True), True)
    others.scatter_(-1, noise.argmin(-1, keepdim=True), False)
    mask = torch.ones(batch, seq, seq, dtype=torch.bool)
    mask[:, ~torch.eye(seq, dtype=torch.bool)] = others.flatten(1)
    return mask
