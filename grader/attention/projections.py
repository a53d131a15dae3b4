"""A way to read a module's parameters as projections of tokens.

A place is an element's number in the vector of all leaves' elements; the two numbers past its end are the constants 0
and 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.attention.experiment import Leaf


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """One projection: what a student calls W_q.

    Attributes:
        rows: `(features, embed)` places of its weights, one row for each feature it makes.
        biases: `(features, n)` places of what is added to each feature.
        paths: the leaves it stands in.
        idle: whether nothing depends on it, as far as gradients tell.
    """

    rows: Tensor
    biases: Tensor
    paths: tuple[str, ...]
    idle: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Output:
    """The output projection: `columns` `(features, embed)` and `biases` `(embed, n)` are places."""

    columns: Tensor
    biases: Tensor
    paths: tuple[str, ...]
    idle: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """One way to read the parameters.

    Attributes:
        name: tells layouts of one module apart, and is the same for the same layout at other sizes.
        blocks: the projections, in the order of definition.
        output: the output projection, if there is one.
        affine: places of a weight and a bias, `(embed,)` each, that may belong to a layer norm.
        sure: whether each block's role is known: query, key, value.
        finding: the id of a mistake that the layout itself is.
    """

    name: str
    blocks: tuple[Block, ...]
    output: Output | None
    affine: tuple[Tensor, Tensor] | None = None
    sure: bool = False
    finding: str = ""


def shapes_of(values: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of every leaf, by path."""
    return {path: tuple(value.shape) for path, value in values.items()}


def elements(values: Mapping[str, Tensor]) -> Tensor:
    """All leaves' elements in one vector, followed by the constants 0 and 1."""
    flat = torch.cat([value.reshape(-1).double() for value in values.values()] or [torch.empty(0).double()])
    return torch.cat((flat, flat.new_tensor([0.0, 1.0])))


# -- biases and names ------------------------------------------------------------------------------------------------


def bias_of(leaves: tuple[Leaf, ...], weight: Leaf, size: int) -> Tensor:
    """The bias of a weight: in the same layer, or, of a parameter that is in none, defined next. `(size, n)`."""
    layer = weight.path.rpartition(".")[0]
    following = leaves[leaves.index(weight) + 1 :][:1]
    for leaf in leaves if layer else following:
        if leaf.path.rpartition(".")[0] == layer and leaf.size == size and len(leaf.shape) < len(weight.shape):
            return torch.arange(leaf.offset, leaf.offset + size)[:, None]
    return torch.empty(size, 0, dtype=torch.long)


def biases_of(leaves: tuple[Leaf, ...], weights: Sequence[Leaf], tables: Sequence[Tensor]) -> Tensor:
    """For all rows of these weights the places of their biases `(rows, 1)`; the constant 0 stands for none."""
    none = sum(leaf.size for leaf in leaves)
    found = []
    for leaf, table in zip(weights, tables, strict=True):
        bias = bias_of(leaves, leaf, len(table))
        found.append(bias if bias.shape[1] else torch.full((len(table), 1), none))
    return torch.cat(found)


def paths_at(leaves: tuple[Leaf, ...], places: Tensor) -> tuple[str, ...]:
    """The leaves these elements stand in."""
    if not places.numel():
        return ()
    ends = torch.tensor([leaf.offset + leaf.size for leaf in leaves])
    found = set(torch.bucketize(places.flatten(), ends, right=True).tolist())
    return tuple(leaf.path for number, leaf in enumerate(leaves) if number in found)
