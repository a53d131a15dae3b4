"""When two outputs are the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

TOLERANCE: Mapping[torch.dtype, float] = MappingProxyType({torch.float64: 1e-6, torch.float32: 1e-4})
"""The greatest relative error of an output that is still right.

float64: correct code agrees to 1e-15, except that code which computes its scale in a float32 tensor
(`torch.sqrt(torch.tensor(d))`) lands at up to 7e-8; the nearest fault on record is at 1e-2, save a mask filled
with -10.
float32: rounding alone reaches 1e-5 at the sizes and gains used here.
"""

_TINY = 1e-300
"""Keeps the division defined where nothing is expected but zeros."""


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """The greatest difference, measured in the greatest expected number.

    One figure for the whole tensor: element by element, correct code is far off where the expected number is near zero.

    Returns:
        inf-norm(actual - expected) / inf-norm(expected); infinite where the shapes differ or a number is not finite.
    """
    if actual.shape != expected.shape:
        return math.inf
    if expected.numel() == 0:
        return 0.0
    largest = float(expected.abs().max())
    difference = float((actual - expected).abs().max())
    if not (math.isfinite(largest) and math.isfinite(difference)):
        return math.inf
    return difference / max(largest, _TINY)
