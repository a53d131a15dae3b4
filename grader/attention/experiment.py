"""One call of a student's module, designed so that every gradient tells what its parameter is for.

Theory of operation. The module sees fewer tokens than they have features, so the tokens are linearly independent and
a gradient that is a combination of tokens has unique coefficients. They have mean 0 and variance 1, so a layer norm
that a student put before the projections leaves them alone. The losses look at one query position of one sample at a
time, through two fixed random directions u_0, u_1 of the output: L = u_i . output[0, t]. Feature c of the directions
has an angle of its own, atan2(u_1[c], u_0[c]), so a gradient proportional to (u_0[c], u_1[c]) belongs to output
feature c and to no other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from grader.attention.drawing import draw_tokens

MINIMUM_SEQ = 3
"""With two tokens a key's gradient (zero sum) has one degree of freedom, and so cannot be told from a value's (rank
one)."""

STRICT = 1e-5
"""The relative size below which a number is zero: some correct code computes a part in float32, which leaves 1e-7."""

LOOSE = 1e-3
"""For what the strict tolerance leaves open: code in float32 throughout, or with a saturated softmax in float32."""


class Probe(Protocol):
    """A student's module, callable for its output and its gradients; how it is reached is not our concern."""

    def __call__(self, x: Tensor, cotangents: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Differentiate the losses L_i = sum(cotangents[i] * module(x)).

        Args:
            x: `(batch, seq, embed)`.
            cotangents: `(n, batch, seq, embed)`.

        Returns:
            The output `(batch, seq, embed)`, and for every leaf path its gradients `(n, *leaf.shape)`, zeros where
            unused.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A parameter tensor and where its elements stand in the one long vector of all leaves' elements."""

    path: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)

    def lines(self, axis: int, length: int) -> Tensor:
        """The places of the elements along an axis, cut into lines of a length that divides it: `(lines, length)`."""
        places = torch.arange(self.offset, self.offset + self.size).view(self.shape)
        return places.movedim(axis, -1).reshape(-1, length)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Experiment:
    """What was asked of the module and what it answered.

    Attributes:
        leaves: in the order of definition.
        tokens: `(batch * seq, embed)`, those of sample 0 first.
        directions: `(2, embed)`, u_0 and u_1.
        values: `(elements,)`, all leaves' elements in one vector.
        gradients: `(seq, 2, elements)`: of u_i . output[0, t] by every element.
        tolerance: relative size below which a number counts as zero.
    """

    leaves: tuple[Leaf, ...]
    tokens: Tensor
    directions: Tensor
    values: Tensor
    gradients: Tensor
    tolerance: float

    @property
    def seq(self) -> int:
        """How many tokens a sample has: the first `seq` tokens are those of sample 0."""
        return self.gradients.shape[0]

    @property
    def embed(self) -> int:
        """The width of a token."""
        return self.tokens.shape[1]

    @property
    def floor(self) -> float:
        """The size below which a gradient is rounding: a key's bias has one of 1e-17 instead of zero."""
        return self.tolerance * float(self.gradients.abs().max())


def lay_out(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Leaf, ...]:
    """Every leaf with its place in the vector of all elements."""
    leaves = []
    offset = 0
    for path, shape in shapes.items():
        leaf = Leaf(path=path, shape=tuple(shape), offset=offset)
        leaves.append(leaf)
        offset += leaf.size
    return tuple(leaves)


def perform(
    values: Mapping[str, Tensor],
    probe: Probe,
    *,
    embed_dim: int,
    num_heads: int,
    generator: Generator,
    shape_for: Callable[[Tensor], tuple[int, ...]] | None = None,
) -> Experiment | None:
    """Call the module once; None when its answer cannot be used: other shapes, or numbers that are not finite.

    `shape_for` says which shape the output has, where that is not the input's; its last axis must be as long.
    """
    batch, seq = choose_sizes(embed_dim, num_heads)
    leaves = lay_out({path: tuple(value.shape) for path, value in values.items()})
    if seq < MINIMUM_SEQ or not any(leaf.size for leaf in leaves):
        return None
    x = torch.nn.functional.layer_norm(draw_tokens(batch, seq, embed_dim, generator), (embed_dim,))
    directions = draw_directions(embed_dim, generator)
    shape = tuple(x.shape) if shape_for is None else shape_for(x)
    if len(shape) != 3 or shape[1] < seq or shape[2] != embed_dim:
        return None
    cotangents = x.new_zeros(seq, 2, *shape)
    position = torch.arange(seq)
    cotangents[position, :, 0, position] = directions
    output, answer = probe(x, cotangents.flatten(0, 1))
    gradients = _flatten(answer, leaves, 2 * seq)
    if gradients is None or tuple(output.shape) != shape or not bool(output.isfinite().all()):
        return None
    return Experiment(
        leaves=leaves,
        tokens=x.flatten(0, 1),
        directions=directions,
        values=torch.cat([values[leaf.path].detach().double().reshape(-1) for leaf in leaves]),
        gradients=gradients.view(seq, 2, -1),
        tolerance=STRICT,
    )


def choose_sizes(embed_dim: int, num_heads: int) -> tuple[int, int]:
    """Batch and sequence length with fewer tokens than features; a length that is no size of the heads if possible."""
    sizes = [(batch, seq) for batch in (2, 1) for seq in (5, 4, 3) if batch * seq < embed_dim]
    head_dim = embed_dim // max(num_heads, 1)
    distinct = [(batch, seq) for batch, seq in sizes if seq not in (num_heads, head_dim)]
    return (distinct or sizes or [(1, 0)])[0]


def draw_directions(embed_dim: int, generator: Generator) -> Tensor:
    """Two random directions of the output in which no two features have the same angle: `(2, embed)`."""
    noise = torch.rand(2, embed_dim, dtype=torch.float64, generator=generator)
    order = torch.randperm(embed_dim, generator=generator)
    angle = (order + 0.25 + 0.5 * noise[0]) * math.pi / embed_dim  # at least pi / (2 embed) apart
    length = 0.5 + noise[1]
    return torch.stack((length * angle.cos(), length * angle.sin()))


def _flatten(answer: Mapping[str, Tensor], leaves: tuple[Leaf, ...], losses: int) -> Tensor | None:
    """The gradients of all elements, `(losses, elements)`; None when one is missing, misshapen or not finite."""
    if any(leaf.path not in answer or answer[leaf.path].shape != (losses, *leaf.shape) for leaf in leaves):
        return None
    flat = torch.cat([answer[leaf.path].detach().double().reshape(losses, -1) for leaf in leaves], dim=1)
    return flat if bool(flat.isfinite().all()) else None
