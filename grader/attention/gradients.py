"""Which learnable tensors an output does not depend on, and which it depends on without their getting a gradient."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor

from grader.attention.drawing import draw_tokens, draw_values
from grader.attention.experiment import choose_sizes
from grader.attention.facts import same
from grader.attention.subject import NoAnswer, Subject

SILENT: Final = 1e-9
"""The share of the greatest gradient below which one is rounding: a key's bias has 1e-17 instead of zero."""

STEP: Final = 1e-3
"""A relative change too small to wake what a ReLU has put to sleep, and large enough to be seen in float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """Learnable tensors, by path, that training would not change.

    Attributes:
        unused: matrices that do not matter. (A bias may not matter in correct code: that of a key.)
        detached: tensors that matter, whole or in part, where no gradient arrives.
    """

    unused: tuple[str, ...]
    detached: tuple[str, ...]


def idle(subject: Subject, generator: Generator) -> Idle:
    """Change what gets no gradient, and see whether the output changes. Raises `NoAnswer`.

    The values are as before when it returns. A module that is not repeatable cannot be asked.
    """
    batch, seq = choose_sizes(subject.embed_dim, subject.num_heads)
    x = draw_tokens(batch, seq, subject.embed_dim, generator)
    kept = dict(subject.values)
    silent = _silent(subject, x, generator)
    resting = subject(x)

    def changes(values: Mapping[str, Tensor]) -> bool:
        subject.load(values)
        return not same(subject(x), resting)

    def deciding(values: Mapping[str, Tensor]) -> Iterable[str]:
        """The tensors of which each one alone changes the output."""
        if not values or not changes({**kept, **values}):
            return ()
        return tuple(path for path, value in values.items() if changes({**kept, path: value}))

    try:
        nudged = {path: kept[path] + _nudge(kept[path], generator) * where for path, where in silent.items()}
        detached = tuple(deciding(nudged))
        asleep = [path for path, where in silent.items() if bool(where.all()) and path not in detached]
        shapes = {path: tuple(kept[path].shape) for path in asleep if kept[path].dim() > 1}
        redrawn = draw_values(shapes, embed_dim=subject.embed_dim, gain=1.2, generator=generator)
        mattering = set(deciding(redrawn))
    finally:
        subject.load(kept)
    return Idle(unused=tuple(path for path in redrawn if path not in mattering), detached=detached)


def _silent(subject: Subject, x: Tensor, generator: Generator) -> dict[str, Tensor]:
    """Where no gradient arrives, for every tensor that has such a place."""
    cotangents = torch.randn(2, *x.shape, dtype=torch.float64, generator=generator)
    try:
        _, gradients = subject.probe(x, cotangents)
    except NoAnswer:  # nothing that the output depends on has a gradient
        return {path: torch.ones_like(value, dtype=torch.bool) for path, value in subject.values.items()}
    sizes = {path: gradient.abs().amax(0) for path, gradient in gradients.items()}
    loudest = max((float(size.max()) for size in sizes.values() if size.numel()), default=0.0)
    found = {path: size <= SILENT * loudest for path, size in sizes.items()}
    return {path: where for path, where in found.items() if bool(where.any())}


def _nudge(value: Tensor, generator: Generator) -> Tensor:
    noise = torch.randn(value.shape, dtype=torch.float64, generator=generator)
    return STEP * noise * value.abs().mean()


def unregistered_id(hidden: Sequence[str], num_heads: int) -> str:
    """What it is called that these learnable tensors are not registered: heads in a plain list are a case of its own.

    Args:
        hidden: their paths, in which a number is a place in a list: `heads.0.query.weight`.
        num_heads: how many heads the module has.
    """
    places: dict[str, set[int]] = {}
    for path in hidden:
        steps = path.split(".")
        for number, step in enumerate(steps):
            if step.isdecimal():
                places.setdefault(".".join(steps[:number]), set()).add(int(step))
    in_lists = any(found == set(range(num_heads)) for found in places.values())
    return "heads-python-list" if num_heads > 1 and in_lists else "parameters-unregistered"
