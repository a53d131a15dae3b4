"""Which bias belongs to which row: the one whose gradient is that of the row's feature, summed over tokens.

A key's bias has no gradient at all, because softmax cancels it. It is found by where it stands: at the same place in
its leaf as the row in the row's leaf. Where several rows would do, those of the weight in the same layer are
preferred.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from grader.attention.experiment import Experiment, Leaf
from grader.attention.lines import Parts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """What biases are compared with."""

    sums: Tensor  # (rows, losses): the gradient a row's bias would have
    quiet: tuple[bool, ...]  # for every row: that gradient is zero
    leaves: tuple[int, ...]  # for every row
    by_leaf: dict[int, list[int]]  # the rows of a leaf, in storage order
    position: tuple[int, ...]  # for every row: which of its leaf it is


def match_biases(experiment: Experiment, parts: Parts) -> Tensor:
    """The places of the elements added to each row's feature.

    Returns:
        `(rows, n)`, where n is the greatest number of biases that one row has; the place past the last element stands
        for none.
    """
    rows = _rows(experiment, parts)
    free = _free(experiment, parts)
    found: list[list[int]] = [[] for _ in rows.leaves]
    for leaf in experiment.leaves:
        loose = free[leaf.offset : leaf.offset + leaf.size].nonzero().flatten().tolist()
        if 0 < len(loose) <= len(rows.leaves):
            for element, row in _partners(experiment, leaf, loose, rows, found).items():
                found[row].append(leaf.offset + element)
    width = max((len(places) for places in found), default=0)
    none = len(experiment.values)
    padded = [places + [none] * (width - len(places)) for places in found]
    return torch.tensor(padded, dtype=torch.long).view(len(found), width)


def _rows(experiment: Experiment, parts: Parts) -> _Rows:
    sums = parts.deltas.sum(-1).flatten(0, 1).T.contiguous()
    by_leaf: dict[int, list[int]] = {}
    position = []
    for row, leaf in enumerate(parts.row_leaves):
        siblings = by_leaf.setdefault(leaf, [])
        position.append(len(siblings))
        siblings.append(row)
    quiet = (sums.abs() <= experiment.floor).all(1).tolist()
    return _Rows(sums=sums, quiet=tuple(quiet), leaves=parts.row_leaves, by_leaf=by_leaf, position=tuple(position))


def _free(experiment: Experiment, parts: Parts) -> Tensor:
    """The elements that are in no row, column or output bias; an idle row may after all be a key's bias."""
    free = torch.ones(len(experiment.values), dtype=torch.bool)
    for places in (parts.rows[~parts.idle], parts.columns, parts.output_biases):
        free[places.flatten()] = False
    return free


def _partners(
    experiment: Experiment, leaf: Leaf, loose: list[int], rows: _Rows, found: list[list[int]]
) -> dict[int, int]:
    """For the loose elements of a leaf the rows they are added to, where there is one."""
    places = leaf.offset + torch.tensor(loose)
    gradients = experiment.gradients[..., places].flatten(0, 1).T.contiguous()  # (loose, losses)
    largest = gradients.abs().amax(1)
    alive = largest > experiment.floor
    distance = torch.cdist(gradients, rows.sums, p=torch.inf)  # (loose, rows)
    fits = alive[:, None] & (distance <= experiment.tolerance * largest[:, None])
    neighbour = _neighbour(experiment, leaf)
    partners: dict[int, int] = {}
    for number, row in fits.nonzero().tolist():
        element = loose[number]
        partners[element] = min(partners.get(element, row), row, key=partial(_rank, rows, neighbour, element))
    silent = [element for element, living in zip(loose, alive.tolist(), strict=True) if not living]
    for members in rows.by_leaf.values():
        same_layer = neighbour in (None, rows.leaves[members[0]])
        if same_layer and len(members) == len(loose) and _agrees(members, partners, silent, rows, found):
            return partners | {element: members[element] for element in silent}
    waiting = [row for row, quiet in enumerate(rows.quiet) if quiet and not found[row]]
    if partners and len(silent) == len(waiting):  # one leaf for the biases of q, k and v, in another order of axes
        return partners | dict(zip(silent, waiting, strict=True))
    return partners


def _rank(rows: _Rows, neighbour: int | None, element: int, row: int) -> tuple[bool, bool, int]:
    """Least is best: a row of the same layer, at the same place, early."""
    return rows.leaves[row] != neighbour, rows.position[row] != element, row


def _agrees(
    members: list[int], partners: dict[int, int], silent: list[int], rows: _Rows, found: list[list[int]]
) -> bool:
    """Whether every silent element stands at a row that lacks a silent bias, and every other at its known partner."""
    if not all(element < len(members) for element in (*silent, *partners)):
        return False
    if not all(rows.quiet[members[element]] and not found[members[element]] for element in silent):
        return False
    return all(members[element] == row for element, row in partners.items())


def _neighbour(experiment: Experiment, bias: Leaf) -> int | None:
    """The number of the only weight in the same layer: the one place where a name is listened to."""
    layer = bias.path.rpartition(".")[0]
    weights = [
        number
        for number, leaf in enumerate(experiment.leaves)
        if layer and leaf.path.rpartition(".")[0] == layer and leaf is not bias and len(leaf.shape) > 1
    ]
    return weights[0] if len(weights) == 1 else None
