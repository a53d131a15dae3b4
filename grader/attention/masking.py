"""What students do with a mask: the ways that are right, and those that have a name.

Each way is a function of the scaled scores, the scores before any scale, the mask and what the scores become by
softmax; masks are bool `(batch, 1, seq, seq)`, true where a query may attend.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

Softmax = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores on their way to attention weights.

    Attributes:
        scaled: `(scales, batch, heads, seq of queries, seq of keys)`.
        scales: `(scales, 1, 1, 1, 1)`.
        softmax: what makes weights of them.
    """

    scaled: Tensor
    scales: Tensor
    softmax: Softmax

    def filled(self, hidden: Tensor, number: float) -> Tensor:
        """The weights when hidden scores are set to a number."""
        return self.softmax(self.scaled.masked_fill(hidden, number))


Way = Callable[[Scored, Tensor], Tensor]


def _fill(number: float) -> Way:
    return lambda scored, mask: scored.filled(~mask, number)


def _fill_unscaled(number: float) -> Way:
    return lambda scored, mask: scored.softmax(torch.where(mask, scored.scaled, number * scored.scales))


def _plus(number: float) -> Way:
    return lambda scored, mask: scored.softmax(scored.scaled + ~mask * number)


def _renormalised(scored: Scored, mask: Tensor) -> Tensor:
    weights = scored.softmax(scored.scaled) * mask
    return weights / weights.sum(-1, keepdim=True)


def _mask(change: Callable[[Tensor], Tensor], number: float = -math.inf) -> Way:
    return lambda scored, mask: scored.filled(~change(mask), number)


def _after(number: float) -> Way:
    return lambda scored, mask: scored.softmax(scored.scaled).masked_fill(~mask, number)


def _tril(diagonal: int) -> Callable[[Tensor], Tensor]:
    return lambda mask: mask.tril(diagonal)


def _own(diagonal: int) -> Callable[[Tensor], Tensor]:
    return lambda mask: torch.ones_like(mask).tril(diagonal)


def _repeated(scored: Scored, mask: Tensor) -> Tensor:
    """Heads and samples exchanged: the mask is repeated whole where each sample's should be, `heads` times."""
    batch, heads = scored.scaled.shape[1], scored.scaled.shape[2]
    order = torch.arange(batch * heads).view(batch, heads) % batch
    return scored.filled(~mask[order, 0], -math.inf)


def _interleaved(scored: Scored, mask: Tensor) -> Tensor:
    """Heads and samples exchanged: one head of all samples follows another, each mask is repeated for neighbours."""
    batch, heads = scored.scaled.shape[1], scored.scaled.shape[2]
    order = (torch.arange(batch)[:, None] + batch * torch.arange(heads)) // heads
    return scored.filled(~mask[order, 0], -math.inf)


def _plus_before_scale(number: float) -> Way:
    return lambda scored, mask: scored.softmax(scored.scaled + ~mask * number * scored.scales)


def _shifted(mask: Tensor) -> Tensor:
    """What is visible, and the token after each visible one."""
    shifted = mask.clone()
    shifted[..., 1:] |= mask[..., :-1]
    return shifted


def _not_self(mask: Tensor) -> Tensor:
    return mask & ~torch.eye(mask.shape[-1], dtype=torch.bool)


SMALL: Final = (-1.0, -2.0, -3.0, -5.0, -8.0, -10.0, -12.0, -15.0, -20.0, -30.0, -50.0, -64.0, -99.0, -100.0)
"""Fills that leave a hidden token more weight than nothing."""

LARGE: Final = (-1e4, -1e5, -1e6, -1e8, -1e10, -9e15, -1e20, -1e30, -3.4028234663852886e38, -1.7976931348623157e308)
"""Fills other than -1e9 that are as good as -inf for a softmax over the keys; for anything else they all differ."""

TOO_SMALL: Final[Mapping[str, tuple[Way, float]]] = MappingProxyType(
    {
        **{f"filled with {number:g}": (_fill(number), number) for number in SMALL},
        **{f"filled with {number:g} before the scale": (_fill_unscaled(number), number) for number in SMALL},
        **{f"plus {number:g}": (_plus(number), number) for number in SMALL[1:]},
        **{f"plus {number:g} before the scale": (_plus_before_scale(number), number) for number in SMALL[1:]},
    }
)
"""Ways to fill with one of these numbers, and the number. How much too small it is depends on the scores."""

RIGHT: Final[Mapping[str, Way]] = MappingProxyType(
    {"-inf": _fill(-math.inf), "-1e9": _fill(-1e9), "renormalised": _renormalised}
)
"""Ways that give the reference's output, as long as a softmax over the keys follows."""

RIGHT_IN_OTHER_WORDS: Final[Mapping[str, Way]] = MappingProxyType(
    {
        **{f"{number:g}": _fill(number) for number in LARGE},
        **{f"{number:g} before the scale": _fill_unscaled(number) for number in (-1e9, *LARGE)},
        **{f"plus {number:g}": _plus(number) for number in (-1e9, -1e4, -1e10)},
    }
)
"""Further ways that are right before a softmax over the keys, and differ from each other before anything else."""

RIGHT_WITHOUT_SOFTMAX: Final[Mapping[str, Way]] = MappingProxyType(
    {"a score of nothing": _fill(0.0), "a weight of nothing": _after(0.0)}
)
"""What hides a token where weights are not made by a softmax: a score, or a weight, of nothing."""

WRONG: Final[Mapping[str, tuple[Way, tuple[str, ...]]]] = MappingProxyType(
    {
        "ignored": (lambda scored, mask: scored.softmax(scored.scaled), ("mask-ignored",)),
        "inverted": (_mask(torch.logical_not), ("mask-inverted",)),
        "inverted, -1e9": (_mask(torch.logical_not, -1e9), ("mask-inverted",)),
        "after softmax": (_after(0.0), ("mask-after-softmax",)),
        "filled with 0": (_fill(0.0), ("mask-fill-zero",)),
        "filled with +inf": (_fill(math.inf), ("mask-fill-positive-inf",)),
        "filled with +1e9": (_fill(1e9), ("mask-fill-positive-inf",)),
        "after softmax, -inf": (_after(-math.inf), ("mask-after-softmax",)),
        "after softmax, -1e9": (_after(-1e9), ("mask-after-softmax",)),
        "filled with 1": (_fill(1.0), ("mask-fill-zero",)),
        "added": (lambda scored, mask: scored.softmax(scored.scaled + mask), ("mask-additive-01",)),
        "added before the scale": (
            lambda scored, mask: scored.softmax(scored.scaled + mask * scored.scales),
            ("mask-additive-01",),
        ),
        "added, inverted": (_plus(1.0), ("mask-additive-01",)),
        "subtracted": (_plus(-1.0), ("mask-additive-01",)),
        "visible ones pushed away": (
            lambda scored, mask: scored.softmax(scored.scaled + mask * -1e9),
            ("mask-inverted",),
        ),
        "zero times inf": (
            lambda scored, mask: scored.softmax(scored.scaled + (~mask).double() * -math.inf),
            ("mask-zero-times-inf",),
        ),
        "on queries": (_mask(lambda mask: mask.mT), ("mask-on-queries",)),
        "on queries, -1e9": (_mask(lambda mask: mask.mT, -1e9), ("mask-on-queries",)),
        "of the first sample": (_mask(lambda mask: mask[:1]), ("mask-first-sample-only",)),
        "in the order of heads": (_repeated, ("mask-head-batch-order",)),
        "in the order of samples": (_interleaved, ("mask-head-batch-order",)),
        "one token too far": (_mask(_shifted), ("mask-off-by-one-leak",)),
        "own, one token too far": (_mask(_own(1)), ("mask-off-by-one-leak",)),
        "own, without itself": (_mask(_own(-1)), ("mask-off-by-one-no-self",)),
        "own, without itself, -1e9": (_mask(_own(-1), -1e9), ("mask-off-by-one-no-self",)),
        "without itself": (_mask(_not_self), ("mask-off-by-one-no-self",)),
        "without itself, -1e9": (_mask(_not_self, -1e9), ("mask-off-by-one-no-self",)),
        "and before itself": (_mask(_tril(-1)), ("mask-off-by-one-no-self",)),
        "and before itself, -1e9": (_mask(_tril(-1), -1e9), ("mask-off-by-one-no-self",)),
        "and the next": (_mask(_tril(1)), ("mask-off-by-one-leak",)),
        "and causal": (_mask(_tril(0)), ("mask-always-causal",)),
        "own, causal": (_mask(_own(0)), ("mask-ignored",)),
        **{name: (way, ("mask-fill-too-small",)) for name, (way, _) in TOO_SMALL.items()},
    }
)
"""Ways that have a name: the function, and the ids, of which the first is its name."""

OVER_HEADS: Final = frozenset({"in the order of heads", "in the order of samples"})
"""Ways that need more than one head to be any different."""

WAYS: Final[Mapping[str, Way]] = MappingProxyType(
    {**RIGHT, **RIGHT_IN_OTHER_WORDS, **RIGHT_WITHOUT_SOFTMAX, **{name: way for name, (way, _) in WRONG.items()}}
)
"""All ways by their names."""

FREE_FILL: Final = "filled with a number"
FREE_ADDITION: Final = "a number is added"
"""The ways in which hidden scores are set to a number that has to be found, or have it added."""

NO_MASK: Final = "ignored"
"""The way in which a mask is not looked at."""


def free_fill(number: Tensor) -> Way:
    """Hidden scores set to a number, another one along the axis of scales: `(scales,)`."""
    wide = number.view(-1, 1, 1, 1, 1)
    return lambda scored, mask: scored.softmax(torch.where(mask, scored.scaled, wide))


def free_addition(number: Tensor) -> Way:
    """A number added to hidden scores, another one along the axis of scales: `(scales,)`."""
    wide = number.view(-1, 1, 1, 1, 1)
    return lambda scored, mask: scored.softmax(scored.scaled + ~mask * wide)
