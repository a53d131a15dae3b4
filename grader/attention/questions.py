"""What a module is asked, and whether its answers will tell right from wrong.

A mistake that changes nothing on an input cannot be found with it: two sizes may be the same number, a mask may have a
symmetry, a score may happen to be small. So inputs are tried before they are used, on attention with weights drawn like
a student's: every mistake of the family has to move the output by a hundred tolerances. If one does not, other inputs
are drawn. The inputs of one size are drawn and tried once, and then serve every module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Generator, Tensor

from grader.attention.comparison import TOLERANCE
from grader.attention.drawing import draw_mask, draw_tokens, draw_values
from grader.attention.experiment import lay_out
from grader.attention.masking import OVER_HEADS, TOO_SMALL, WAYS, WRONG
from grader.attention.power import MARGIN
from grader.attention.projections import Block, Layout, Output, elements
from grader.attention.reference import Weights, self_attention
from grader.attention.trial import SCALES, Trial
from grader.attention.variants import IDENTITY, Variant, steps_from_reference

GAIN: Final = 1.0
"""Standard deviation of a projection of a standard normal token: gentle enough for gradients to tell roles, strong
enough for every mistake to show."""

LOUD: Final = 5.0
"""How much larger tokens are where a hidden score must show through a fill that is too small."""

FAINTEST: Final = -15.0
"""The lowest fill that has to show."""

DRAWS: Final = 20
"""How often inputs are drawn before a size is given up; mostly the first ones will do."""

WRONG_ROLES: Final = (
    *((0, 0, 2), (0, 1, 0), (0, 1, 1), (0, 0, 0)),
    *((IDENTITY, 1, 2), (0, IDENTITY, 2), (0, 1, IDENTITY), (IDENTITY, IDENTITY, IDENTITY)),
)
"""Projections that serve twice, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Questions:
    """The inputs for modules of one size.

    Attributes:
        one_token: `(1, 1, embed)`.
        tokens: `(batch, seq, embed)`.
        mask: bool `(batch, seq, seq)`, without symmetry; one query may attend to everything.
        loud_tokens: `(batch, seq, embed)`, larger.
        loud_mask: for them.
    """

    one_token: Tensor
    tokens: Tensor
    mask: Tensor
    loud_tokens: Tensor
    loud_mask: Tensor


@cache
def questions(*, embed_dim: int, num_heads: int, batch: int, seq: int, seed: int, draws: int = DRAWS) -> Questions:
    """Inputs with which every mistake shows.

    Raises:
        ValueError: there are none of this size, because some mistake is none: one of the numbers stands for another.
    """
    generator = torch.Generator().manual_seed(seed)
    for _ in range(draws):
        drawn = draw(embed_dim, batch, seq, generator)
        hiding = dict(unseen(drawn, textbook(embed_dim, num_heads, generator), num_heads))
        if not hiding:
            return drawn
    least = min(hiding, key=lambda name: hiding[name])
    raise ValueError(f"({embed_dim}, {num_heads}, {batch}, {seq}): at these sizes {least!r} is no mistake")


def draw(embed_dim: int, batch: int, seq: int, generator: Generator) -> Questions:
    """Inputs that may or may not do."""
    mask = draw_mask(batch, seq, generator)
    mask[0, 0] = True  # where nothing is hidden, only a few mistakes give nan
    return Questions(
        one_token=draw_tokens(1, 1, embed_dim, generator),
        tokens=draw_tokens(batch, seq, embed_dim, generator),
        mask=mask,
        loud_tokens=LOUD * draw_tokens(batch, seq, embed_dim, generator),
        loud_mask=draw_mask(batch, seq, generator),
    )


# -- attention with weights like a student's --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Textbook:
    """Attention as it should be: its elements, how they are read, and the reference's weights."""

    elements: Tensor
    layout: Layout
    weights: Weights


def textbook(embed_dim: int, num_heads: int, generator: Generator) -> Textbook:
    """Four layers with a bias each, and those of a layer norm that is not used."""
    wide = {f"{name}.weight": (embed_dim, embed_dim) for name in ("query", "key", "value", "output")}
    narrow = {name.replace("weight", "bias"): (embed_dim,) for name in wide}
    shapes: dict[str, tuple[int, ...]] = {**wide, **narrow, "norm.weight": (embed_dim,), "norm.bias": (embed_dim,)}
    values = draw_values(shapes, embed_dim=embed_dim, gain=GAIN, generator=generator)
    places = {
        leaf.path: torch.arange(leaf.offset, leaf.offset + leaf.size).view(leaf.shape) for leaf in lay_out(shapes)
    }

    def matrix(name: str) -> Tensor:
        return values[f"{name}.weight"].view(num_heads, -1, embed_dim)

    def bias(name: str) -> Tensor:
        return values[f"{name}.bias"].view(num_heads, -1)

    return Textbook(
        elements=elements(values),
        layout=Layout(
            name="textbook",
            blocks=tuple(
                Block(rows=places[f"{name}.weight"], biases=places[f"{name}.bias"][:, None], paths=(name,), idle=False)
                for name in ("query", "key", "value")
            ),
            output=Output(
                columns=places["output.weight"].T,
                biases=places["output.bias"][:, None],
                paths=("output",),
                idle=False,
            ),
            affine=(places["norm.weight"], places["norm.bias"]),
            sure=True,
        ),
        weights=Weights(
            query=matrix("query"),
            key=matrix("key"),
            value=matrix("value"),
            output=values["output.weight"].view(embed_dim, num_heads, -1).transpose(0, 1),
            query_bias=bias("query"),
            key_bias=bias("key"),
            value_bias=bias("value"),
            output_bias=values["output.bias"],
        ),
    )


# -- power -------------------------------------------------------------------------------------------------------------


def unseen(asked: Questions, right: Textbook, num_heads: int) -> Iterator[tuple[str, float]]:
    """The mistakes that hardly change the output, and by how much.

    Not counted is what is no mistake: a head's own width where nothing else is as wide, heads mixed up where there is
    one, and fills that are as good as -inf.
    """
    enough = MARGIN * TOLERANCE[torch.float64]
    for name, error in distances(asked, right, num_heads):
        if error <= enough:
            yield name, error


def distances(asked: Questions, right: Textbook, num_heads: int) -> Iterator[tuple[str, float]]:
    """How far each mistake is from the reference; those that give another shape are left out."""
    plain, masked, loud = (
        Trial(x, mask, self_attention(x, right.weights, mask), heads=num_heads, elements=right.elements)
        for x, mask in ((asked.tokens, None), (asked.tokens, asked.mask), (asked.loud_tokens, asked.loud_mask))
    )
    by_scale = plain.errors(right.layout, Variant())
    assert by_scale is not None
    for (name, ids), error in zip(SCALES.items(), by_scale.tolist(), strict=True):
        if ids and name != "1/sqrt(head_dim)" and not (num_heads == 1 and name == "1/sqrt(embed_dim)"):
            yield f"scores times {name}", error
    changes = [{step: value} for step, value in steps_from_reference(num_heads)]
    changes += [{"roles": roles} for roles in WRONG_ROLES]
    changes += [{"projected": False}]
    for change in changes:
        errors = plain.errors(right.layout, Variant(**change))  # type: ignore[arg-type]
        if errors is not None:
            yield f"{change}", float(errors[0])
    for name in WRONG:
        if num_heads == 1 and name in OVER_HEADS:
            continue
        if name not in TOO_SMALL:
            yield f"a mask that is {name}", _apart(masked, right, name)
        elif TOO_SMALL[name][1] >= FAINTEST:
            yield f"a mask that is {name}", max(_apart(masked, right, name), _apart(loud, right, name))


def _apart(trial: Trial, right: Textbook, way: str) -> float:
    errors = trial.errors(right.layout, Variant(), WAYS[way])
    assert errors is not None
    return float(errors[0])
