"""Colours for numbers that colour-blind readers can tell apart, in print too: viridis, and blue over white to brown."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

WEIGHTS: Final = (
    *("#440154", "#48186a", "#472d7b", "#424086", "#3b528b", "#33638d", "#2c728e", "#26828e", "#21918c"),
    *("#1fa088", "#28ae80", "#3fbc73", "#5ec962", "#84d44b", "#addc30", "#d8e219", "#fde725"),
)
DIFFERENCES: Final = (
    *("#08306b", "#1c5f9c", "#3f86bf", "#7fb0d8", "#bcd3ea"),
    "#f2f2f0",
    *("#f7cfa6", "#eda25c", "#d5762a", "#ad5410", "#6b2f04"),
)
"""From the smallest to the largest, in equal steps."""


@dataclass(frozen=True)
class Scale:
    """Colours for numbers from `least` to `most`; what is beyond has the colour of the end."""

    kind: str
    stops: tuple[str, ...]
    least: float
    most: float

    def colour(self, value: float) -> tuple[str, bool]:
        """The colour of a number, and whether it is a dark one."""
        share = min(1.0, max(0.0, (value - self.least) / (self.most - self.least)))
        return _colour(self.stops, round(_STEPS * share))


_STEPS: Final = 200


@functools.cache
def _colour(stops: tuple[str, ...], step: int) -> tuple[str, bool]:
    place = step / _STEPS * (len(stops) - 1)
    index = min(int(place), len(stops) - 2)
    pairs = zip(_channels(stops[index]), _channels(stops[index + 1]), strict=True)
    red, green, blue = (round(low + (high - low) * (place - index)) for low, high in pairs)
    return f"#{red:02x}{green:02x}{blue:02x}", _luminance(red, green, blue) < _MIDDLE


def _luminance(*channels: int) -> float:
    """The relative luminance of a colour, as the Web Content Accessibility Guidelines define it."""
    linear = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in (c / 255 for c in channels)
    )
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


_MIDDLE: Final = 0.179
"""Black has as much contrast with a colour of this luminance as white; on each colour, one of them has 4.5 : 1."""


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
