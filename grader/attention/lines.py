"""Which way every parameter is turned: the axis along which its gradient is made of tokens, or of output features.

A line is as many elements of a leaf along one axis as a token has features; an axis that is several times as long is
cut. A line whose gradient is a combination of tokens is a row that acts on tokens; one whose gradient is proportional
to the output direction is a column that makes the output; one whose gradient is the output direction itself is an
output bias. Square leaves have lines along two axes, of which one fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from grader.attention.experiment import Experiment

_NOTHING = torch.empty(0, dtype=torch.long)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """The lines that have a use, in storage order, and rows of leaves that have none.

    Attributes:
        rows: `(rows, embed)`: places of the elements of each row that acts on tokens, by input feature.
        row_leaves: for every row its leaf's number.
        row_axes: for every row the axis of its leaf that runs over the input features; of idle rows the likely one.
        deltas: `(seq, 2, rows, batch * seq)`: derivative of u_i . output[0, t] by the row's feature at each token.
        idle: `(rows,)`: nothing depends on it.
        columns: `(columns, embed)`: places of the elements of each column that makes the output, by output feature.
        output_biases: `(embed, n)`: places of the elements added to the output. Without columns there are none: what
            is added to the output is then added to the values.
    """

    rows: Tensor
    row_leaves: tuple[int, ...]
    row_axes: tuple[int, ...]
    deltas: Tensor
    idle: Tensor
    columns: Tensor
    output_biases: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bundle:
    """The lines of one leaf along one axis: numbers `start` to `stop` of all lines."""

    leaf: int
    shape: tuple[int, ...]
    axis: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lines:
    """All lines of all leaves, and what their gradients look like."""

    bundles: tuple[_Bundle, ...]
    places: Tensor  # (lines, embed)
    deltas: Tensor  # (seq, 2, lines, tokens)
    alive: Tensor  # (lines,)
    of_tokens: Tensor  # (lines,)
    of_output: Tensor  # (lines,)
    of_bias: Tensor  # (lines,)


def sort_lines(experiment: Experiment) -> Parts:
    """Find the use of every leaf's lines."""
    lines = _inspect(experiment)
    rows, columns, biases = [_NOTHING], [_NOTHING], [_NOTHING]
    turned = _usual_axes(lines)
    for leaf in range(len(experiment.leaves)):
        bundles = [bundle for bundle in lines.bundles if bundle.leaf == leaf]
        if bundles:
            added = lines.of_bias if len(bundles[0].shape) > 1 else lines.of_output
            rows.append(_rows(bundles, lines, turned))
            columns.append(_apart(lines.places, _most(bundles, lines.of_output & ~added, ~lines.alive), rows[-1]))
            biases.append(_most(bundles, added))
    row, column, bias = torch.cat(rows), torch.cat(columns), torch.cat(biases)
    bundle_of = [bundle for bundle in lines.bundles for _ in range(bundle.start, bundle.stop)]
    return Parts(
        rows=lines.places[row],
        row_leaves=tuple(bundle_of[line].leaf for line in row.tolist()),
        row_axes=tuple(bundle_of[line].axis for line in row.tolist()),
        deltas=lines.deltas[:, :, row],
        idle=~lines.alive[row],
        columns=lines.places[column],
        output_biases=lines.places[bias if len(column) else _NOTHING].T,
    )


def _inspect(experiment: Experiment) -> _Lines:
    bundles, places = _bundle(experiment)
    tokens, directions, tolerance = experiment.tokens, experiment.directions, experiment.tolerance
    gradients = experiment.gradients[:, :, places]  # (seq, 2, lines, embed)
    largest = gradients.abs().amax((0, 1, 3))  # (lines,)
    deltas = gradients @ torch.linalg.pinv(tokens)  # (seq, 2, lines, tokens)
    foreign = (deltas @ tokens - gradients).abs().amax((0, 1, 3))  # what no combination of tokens explains
    crossed = gradients[:, 0] * directions[1] - gradients[:, 1] * directions[0]  # (seq, lines, embed)
    added = (gradients - directions[:, None]).abs().amax((0, 1, 3))
    alive = largest > experiment.floor
    return _Lines(
        bundles=bundles,
        places=places,
        deltas=deltas,
        alive=alive,
        of_tokens=alive & (foreign <= tolerance * largest),
        of_output=alive & (crossed.abs().amax((0, 2)) <= tolerance * largest * directions.abs().max()),
        of_bias=alive & (added <= tolerance * largest),
    )


def _bundle(experiment: Experiment) -> tuple[tuple[_Bundle, ...], Tensor]:
    bundles: list[_Bundle] = []
    places = [torch.empty(0, experiment.embed, dtype=torch.long)]
    count = 0
    for number, leaf in enumerate(experiment.leaves):
        for axis, length in enumerate(leaf.shape):
            if leaf.size and length % experiment.embed == 0:
                places.append(leaf.lines(axis, experiment.embed))
                stop = count + len(places[-1])
                bundles.append(_Bundle(leaf=number, shape=leaf.shape, axis=axis, start=count, stop=stop))
                count = stop
    return tuple(bundles), torch.cat(places)


def _usual_axes(lines: _Lines) -> dict[tuple[int, ...], int]:
    """For every shape of leaf the axis along which one of that shape acts on tokens."""
    acting = (bundle for bundle in lines.bundles if bool(lines.of_tokens[bundle.start : bundle.stop].any()))
    return {bundle.shape: bundle.axis for bundle in acting}


def _rows(bundles: list[_Bundle], lines: _Lines, turned: dict[tuple[int, ...], int]) -> Tensor:
    """The leaf's rows that act on tokens, with the idle ones between them; of a leaf without any gradient, all lines.

    An idle leaf is taken to be turned the way others of its shape are, else as in torch.nn.Linear.
    """
    acting = _most(bundles, lines.of_tokens, ~lines.alive)
    if len(acting):
        return acting
    exact = [bundle for bundle in bundles if bundle.shape[bundle.axis] == lines.places.shape[1]]
    bundle = next((bundle for bundle in bundles if bundle.axis == turned.get(bundle.shape)), (exact or bundles)[-1])
    idle = _members(bundle, ~lines.alive)
    return idle if len(bundle.shape) > 1 and len(idle) == bundle.stop - bundle.start else _NOTHING


def _most(bundles: list[_Bundle], kind: Tensor, between: Tensor | None = None) -> Tensor:
    """The numbers of the lines of a kind along the axis that has most of them, with those `between` on that axis."""
    bundle = max(bundles, key=lambda bundle: len(_members(bundle, kind)))
    found = _members(bundle, kind)
    return _members(bundle, kind | between) if between is not None and len(found) else found


def _members(bundle: _Bundle, kind: Tensor) -> Tensor:
    return bundle.start + kind[bundle.start : bundle.stop].nonzero().flatten()


def _apart(places: Tensor, lines: Tensor, others: Tensor) -> Tensor:
    """Those lines that share no element with the others."""
    if not len(lines) or not len(others):
        return lines
    return lines[~torch.isin(places[lines], places[others]).any(1)]
