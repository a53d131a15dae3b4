"""What the gradients say of every parameter, whatever its name, shape or orientation.

Theory of operation. Write d[r, j] for the derivative of the loss by feature r of a projection at token j. A weight
the tokens are multiplied by has the gradient sum_j d[r, j] x_j: a combination of tokens. Its coefficients d, read at
one query position t after the other, tell the role of row r:

    query   d is zero except at j = t
    key     sum_j d[r, j] = 0, because softmax does not change when all scores of a row do
    value   d[r, :] is the attention row of its head, up to a factor: for another direction of the output it stays
    parallel

Each of q and k can be rescaled, by c and 1/c, without changing the output, feature by feature; so can v and o.
Therefore the derivative along that rescaling, <weight, gradient>, is equal for the two partners. It says which row of
k meets which row of q, and which column of o takes which row of v, and does so even in code with a wrong scale,
softmax or mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from grader.attention.biases import match_biases
from grader.attention.experiment import Experiment
from grader.attention.lines import Parts, sort_lines


class Label(Enum):
    """What a row's gradients say it is."""

    QUERY = "query"
    KEY = "key"
    VALUE = "value"
    UNKNOWN = "unknown"
    """It acts on the tokens, in a way that correct code does not know."""
    IDLE = "idle"
    """Nothing depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signatures:
    """Rows that act on tokens and columns that make the output, with what tells them apart.

    Attributes:
        experiment: where it all was read from.
        parts: the rows and columns.
        labels: for every row.
        row_biases: `(rows, n)`: the elements added to the row's feature; the place past the last element stands for
            none.
        row_invariants: `(rows, losses)`: derivative along the rescaling of the row and its bias.
        column_invariants: `(columns, losses)`: derivative along the rescaling of the column.
    """

    experiment: Experiment
    parts: Parts
    labels: tuple[Label, ...]
    row_biases: Tensor
    row_invariants: Tensor
    column_invariants: Tensor

    def rows_of(self, label: Label) -> Tensor:
        """The numbers of the rows with a label, in storage order."""
        return torch.tensor([row for row, found in enumerate(self.labels) if found is label], dtype=torch.long)

    def idle_leaves(self) -> tuple[int, ...]:
        """The numbers of the leaves that could have rows, and nothing depends on."""
        labelled = zip(self.parts.row_leaves, self.labels, strict=True)
        used = {leaf for leaf, label in labelled if label is not Label.IDLE}
        return tuple(leaf for leaf in dict.fromkeys(self.parts.row_leaves) if leaf not in used)


def read(experiment: Experiment) -> Signatures:
    """Find every row, column and bias, and label the rows."""
    parts = sort_lines(experiment)
    row_biases = match_biases(experiment, parts)
    shares = (experiment.gradients * experiment.values).flatten(0, 1)  # (losses, elements)
    shares = torch.nn.functional.pad(shares, (0, 1))  # the place past the last element stands for no bias
    return Signatures(
        experiment=experiment,
        parts=parts,
        labels=_label(parts, experiment),
        row_biases=row_biases,
        row_invariants=(shares[:, parts.rows].sum(-1) + shares[:, row_biases].sum(-1)).T.contiguous(),
        column_invariants=shares[:, parts.columns].sum(-1).T.contiguous(),
    )


def _label(parts: Parts, experiment: Experiment) -> tuple[Label, ...]:
    """Test in this order: a saturated key looks like a value, and any query does."""
    deltas, seq, tolerance = parts.deltas, experiment.seq, experiment.tolerance
    size = deltas.abs().amax((0, 1, 3))  # (rows,)
    foreign = deltas[..., seq:].abs().amax((0, 1, 3)) if deltas.shape[-1] > seq else torch.zeros_like(size)
    elsewhere = deltas.masked_fill(torch.eye(seq, deltas.shape[-1], dtype=torch.bool)[:, None, None], 0.0)
    query = elsewhere.abs().amax((0, 1, 3)) <= tolerance * size
    within = foreign <= tolerance * size  # nothing comes from another sample
    key = within & (deltas.sum(-1).abs().amax((0, 1)) <= tolerance * size)
    value = within & _parallel(deltas[:, 0], deltas[:, 1], tolerance)
    tests = zip(parts.idle.tolist(), query.tolist(), key.tolist(), value.tolist(), strict=True)
    order = (Label.IDLE, Label.QUERY, Label.KEY, Label.VALUE)
    return tuple(next((label for label, yes in zip(order, row, strict=True) if yes), Label.UNKNOWN) for row in tests)


def _parallel(first: Tensor, second: Tensor, tolerance: float) -> Tensor:
    """Whether two vectors `(seq, rows, tokens)` point the same way, or opposite ways, at every position: `(rows,)`."""
    minors = first[..., :, None] * second[..., None, :]
    minors = minors - minors.mT  # (seq, rows, tokens, tokens)
    allowed = tolerance * torch.maximum(first.abs().amax(-1), second.abs().amax(-1)).square()  # (seq, rows)
    return (minors.abs().amax((-2, -1)) <= allowed).all(0)
