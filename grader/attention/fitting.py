"""The number for which an error is least, when no number with a name fits: first coarsely, then ever closer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

SCALE_GRID: Final = torch.logspace(-4, 3, 101, dtype=torch.float64)
FILL_GRID: Final = torch.linspace(-60, 20, 161, dtype=torch.float64)
_POINTS: Final = 41
"""Points of one zoom: it narrows the interval twentyfold."""
_ZOOMS: Final = 10
"""Twenty to the tenth leaves nothing of a float64's 53 bits to find."""
_PROGRESS: Final = 0.5
"""What may be left of the error after a zoom if there is to be another: near a match, a twentieth of the width has a
twentieth of the error, unless the last one was near by luck; near other minima nothing gets much better."""
_STALLS: Final = 2
_STARTS: Final = 2
"""Local minima worth a zoom: the error may have more than one."""

Errors = Callable[[Tensor], Tensor | None]


def fit(errors: Errors, grid: Tensor, *, tolerance: float, promising: float = 0.5) -> tuple[float, float] | None:
    """The number with an error within the tolerance, and that error.

    Args:
        errors: the error for each of some numbers; None where there is no such thing.
        grid: where to look first, ascending.
        tolerance: the error of a match.
        promising: the error above which a minimum on the grid is not worth a closer look.
    """
    coarse = errors(grid)
    if coarse is None:
        return None
    for start in _minima(coarse)[:_STARTS]:
        if float(coarse[start]) > promising:
            break
        number, error = _zoom(errors, float(grid[max(start - 1, 0)]), float(grid[min(start + 1, len(grid) - 1)]))
        if error <= tolerance:
            return number, error
    return None


def _minima(errors: Tensor) -> list[int]:
    """The places where the error is lower than on either side, the lowest first."""
    padded = torch.nn.functional.pad(errors, (1, 1), value=float("inf"))
    low = (errors <= padded[:-2]) & (errors <= padded[2:]) & errors.isfinite()
    places: list[int] = low.nonzero().flatten().tolist()
    return sorted(places, key=lambda place: float(errors[place]))


def _zoom(errors: Errors, low: float, high: float) -> tuple[float, float]:
    best = least = float("inf")
    stalled = 0
    for _ in range(_ZOOMS):
        points = torch.linspace(low, high, _POINTS, dtype=torch.float64)
        found = errors(points)
        if found is None:
            break
        place, before = int(found.argmin()), least
        best, least = float(points[place]), float(found[place])
        stalled = stalled + 1 if least > _PROGRESS * before else 0
        if stalled == _STALLS:
            break
        low, high = float(points[max(place - 1, 0)]), float(points[min(place + 1, _POINTS - 1)])
    return best, least
