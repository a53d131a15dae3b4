"""What one token alone tells: with nobody else to attend to, the output is the value path and nothing else.

Theory of operation. With one token in one sample every softmax over keys, queries or samples gives weight one, so
scores, masks and scales have no part in the output. What is left (which projection serves as value, how the heads'
outputs become one, whether an output projection follows, what is done at last) is found by trying all of it, which is
cheap. Where the weights are not one, as in a softmax over heads or in none at all, each head's share of the output is
multiplied by a number of its own; those numbers come from a small linear system, and that it has a solution says that
the path is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Final

import torch
from torch import Tensor

from grader.attention.projections import Layout
from grader.attention.variants import ACTIVATIONS, CHANGES, IDENTITY, finish

APART: Final = ("along tokens", "along samples")
"""Merges that leave every head a row of its own."""
NORMS: Final = ("", "layer norm", "affine layer norm")
MERGES: Final = ("concatenated", "sum", "mean", "last", "first", *APART)
AFTERS: Final[tuple[tuple[str, ...], ...]] = (
    (),
    *((str(value[0]),) for value in CHANGES["after"] if isinstance(value, tuple)),
    ("residual", "layer norm"),
    ("layer norm", "residual"),
    ("residual", "affine layer norm"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValuePath:
    """One way from the tokens to the output that explains what one token alone becomes.

    Attributes:
        value: the number of the projection that serves as value.
        normed, merge, projected, after: as in `Variant`; of merges that agree on one token, "concatenated".
        activation: the nonlinearity on the values.
        weighted: whether each head's share is multiplied by a number other than one.
        changes: how many of these are not the reference's.
    """

    value: int
    normed: str
    activation: str
    merge: str
    projected: bool
    after: tuple[str, ...]
    weighted: bool
    changes: int


def value_paths(
    x: Tensor,
    output: Tensor,
    layout: Layout,
    elements: Tensor,
    *,
    heads: int,
    tolerance: float,
    changes: int,
    bare: bool = False,
) -> list[ValuePath]:
    """The ways with so many changes that explain the output of one token.

    Args:
        x: `(1, 1, embed)`.
        output: what the module made of it, `(1, 1, width)`.
        layout: how the parameters are read.
        elements: all leaves' elements and two constants.
        heads: how many heads share the features.
        tolerance: the relative error of a match.
        changes: how many steps are not the reference's.
        bare: whether only ways in which the tokens themselves are the values are meant.
    """
    explaining = [
        (option, weighted)
        for option in _options(layout, heads, changes)
        if not (bare and option.value != IDENTITY)
        and (weighted := _explains(option, x, output, layout, elements, heads, tolerance)) is not None
    ]
    exact = [option for option, weighted in explaining if not weighted]
    return exact or [replace(option, weighted=True) for option, _ in explaining]


def untested_paths(layout: Layout, heads: int) -> list[ValuePath]:
    """The unchanged ways, for modules that do not answer about one token, or answer nan."""
    return list(_options(layout, heads, 0))


def _options(layout: Layout, heads: int, wanted: int) -> Iterator[ValuePath]:
    """The ways with so many changes."""
    values = [2] if layout.sure else [*range(len(layout.blocks)), IDENTITY]
    projected = layout.output is not None and not layout.output.idle
    ways = _ways(learned=layout.affine is not None, several=heads > 1)
    for value in values:
        for normed, activation, merge, after in ways.get(wanted - (value == IDENTITY), ()):
            yield ValuePath(
                value=value,
                normed=normed,
                activation=activation,
                merge=merge,
                projected=projected,
                after=after,
                weighted=False,
                changes=wanted,
            )


Way = tuple[str, str, str, tuple[str, ...]]
"""What is done to the tokens, to the values, to the heads' outputs, and at last."""


@cache
def _ways(*, learned: bool, several: bool) -> Mapping[int, tuple[Way, ...]]:
    """All ways, by how many changes they are.

    Args:
        learned: whether there is a layer norm with a weight and a bias.
        several: whether there is more than one head.
    """
    found: dict[int, list[Way]] = {}
    merges = MERGES if several else MERGES[:1]
    for way in product(NORMS if learned else NORMS[:2], ("", *ACTIVATIONS), merges, AFTERS):
        normed, activation, merge, after = way
        changes = bool(normed) + bool(activation) + (merge != "concatenated") + len(after)
        found.setdefault(changes, []).append(way)
    return {changes: tuple(ways) for changes, ways in found.items()}


def _explains(
    path: ValuePath,
    x: Tensor,
    output: Tensor,
    layout: Layout,
    elements: Tensor,
    heads: int,
    tolerance: float,
) -> bool | None:
    """None if the path does not explain the output; else whether heads have weights other than one."""
    shares, bias = _shares(path, x[0, 0], layout, elements, heads)
    if shares is None:
        return None
    affine = None if layout.affine is None else (elements[layout.affine[0]], elements[layout.affine[1]])
    size = float(output.abs().max())
    whole = shares[:, None] if path.merge == "along samples" else shares[None]
    whole = whole if path.merge in APART else shares.sum(0).view(1, 1, -1)
    made = finish(whole + bias, x, path.after, affine)
    if made is None or made.shape != output.shape:
        return None
    if float((made - output).abs().max()) <= tolerance * size:
        return False
    if path.merge in APART:
        return None
    return True if _is_weighted(path.after, shares, bias, x[0, 0], output[0, 0], affine, tolerance) else None


def _is_weighted(
    after: tuple[str, ...],
    shares: Tensor,
    bias: Tensor,
    x: Tensor,
    output: Tensor,
    affine: tuple[Tensor, Tensor] | None,
    tolerance: float,
) -> bool:
    """Whether the output is made of the heads' shares, each times a number of its own.

    A layer norm is undone up to a factor and a shift, which are two more unknowns; a relu where it let something pass.
    """
    bias = bias.expand(output.shape)
    match after:
        case () | ("residual",):
            rest = output - bias - (x if after else 0.0)
            return _solves(shares.T, rest, tolerance * float(output.abs().max()))
        case ("relu",):
            passed = output > 0
            return _solves(shares.T[passed], (output - bias)[passed], tolerance * float(output.abs().max()))
        case ("layer norm",) | ("affine layer norm",):
            if after[0] == "affine layer norm":
                if affine is None:
                    return False
                output = (output - affine[1]) / affine[0]
            if not _is_normed(output):
                return False
            unknowns = torch.column_stack((shares.T, -output, torch.ones_like(output)))
            if float(bias.abs().max()) > 0:
                return _solves(unknowns, -bias, tolerance * float(bias.abs().max()))
            sizes = torch.linalg.svdvals(unknowns)
            return bool(sizes[-1] <= tolerance * sizes[0])
    return False


def _is_normed(output: Tensor) -> bool:
    """Whether numbers have a mean of 0 and a variance of 1, as behind a layer norm."""
    return abs(float(output.mean())) < 1e-3 and abs(float(output.var(correction=0)) - 1) < 1e-2


def _solves(matrix: Tensor, wanted: Tensor, allowed: float) -> bool:
    """Whether some combination of the columns is what is wanted, with at least two equations to spare."""
    if len(matrix) < matrix.shape[1] + 2:
        return False
    solution = torch.linalg.lstsq(matrix, wanted[:, None]).solution
    return float((matrix @ solution - wanted[:, None]).abs().max()) <= allowed


def _shares(path: ValuePath, x: Tensor, layout: Layout, elements: Tensor, heads: int) -> tuple[Tensor | None, Tensor]:
    """What each head adds to the output, `(heads, width)`, and what is added to their sum."""
    nothing = torch.zeros((), dtype=x.dtype)
    if path.normed:
        x = torch.nn.functional.layer_norm(x, x.shape)
        if path.normed == "affine layer norm" and layout.affine is not None:
            x = x * elements[layout.affine[0]] + elements[layout.affine[1]]
    value = x
    if path.value != IDENTITY:
        block = layout.blocks[path.value]
        value = elements[block.rows] @ x + elements[block.biases].sum(-1)
    if path.activation:
        value = ACTIVATIONS[path.activation](value)
    if len(value) % heads:
        return None, nothing
    each = value.view(heads, -1)
    width = each.shape[1]
    match path.merge:
        case "sum" | "along tokens" | "along samples":
            pieces = each
        case "mean":
            pieces = each / heads
        case "last":
            pieces = each[-1:]
        case "first":
            pieces = each[:1]
        case _:
            pieces = torch.zeros(heads, heads, width, dtype=x.dtype)
            pieces[range(heads), range(heads)] = each
            pieces = pieces.flatten(1)
    if not path.projected or layout.output is None:
        return pieces, nothing
    columns = elements[layout.output.columns]
    if len(columns) != pieces.shape[1]:
        return None, nothing
    return pieces @ columns, elements[layout.output.biases].sum(-1)
