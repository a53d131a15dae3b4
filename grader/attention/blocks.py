"""Roles where labels leave something open, as in most wrong code: whole blocks of rows in the order in which they are
stored.

Theory of operation. A block is what a student calls W_q: a leaf, a third of a fused leaf, or every third of a list of
heads. The rescaling of q by c and of k by 1/c changes nothing in wrong code either, so the invariants of whole blocks
still say which two belong together. Every assignment of blocks to roles gets a score; the best are tried against the
student's output, and that decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import permutations

import torch
from torch import Tensor

from grader.attention.binding import Slots, labels_complete
from grader.attention.signatures import Label, Signatures

CANDIDATES = 6
"""How many assignments are worth a try."""

_MOST_BLOCKS = 6
"""More blocks than this are no layout of one attention layer."""


def bind_by_block(signatures: Signatures, num_heads: int) -> list[Slots]:
    """The most plausible assignments, best first; heads are cut in storage order."""
    scored: list[tuple[float, Slots]] = []
    for blocks in _layouts(signatures, num_heads):
        for chosen in permutations(range(len(blocks)), 3):
            query, key, value = (blocks[number] for number in chosen)
            if len(query) == len(key) and all(
                len(block) and not len(block) % num_heads for block in (query, key, value)
            ):
                score = _score(signatures, query, key, value, chosen)
                scored += [(score, slots) for slots in _slots(signatures, query, key, value, num_heads)]
    scored.sort(key=lambda pair: -pair[0])  # stable: of equal scores, the first layout and output
    different: dict[tuple[int, ...], Slots] = {}
    for _, slots in scored:
        different.setdefault(_identity(slots), slots)
    return list(different.values())[:CANDIDATES]


def _identity(slots: Slots) -> tuple[int, ...]:
    """Equal for two assignments of the same rows and output, found in two layouts."""
    rows = torch.cat([slots.query.flatten(), slots.key.flatten(), slots.value.flatten()]).tolist()
    return (*rows, -1 if slots.output is None else int(slots.output[0, 0, 0]))


def _layouts(signatures: Signatures, num_heads: int) -> Iterator[list[Tensor]]:
    """The ways to cut all rows into blocks."""
    if labels_complete(signatures):
        yield [signatures.rows_of(label) for label in (Label.QUERY, Label.KEY, Label.VALUE)]
    leaves = _by_leaf(signatures)
    if 3 <= len(leaves) <= _MOST_BLOCKS:
        yield leaves
    if not leaves:
        return
    largest = max(leaves, key=len)
    if len(leaves) <= 2 and len(largest) % (3 * num_heads) == 0:
        others = [leaf for leaf in leaves if leaf is not largest]
        yield [*largest.view(3, -1), *others]
        yield [*largest.view(num_heads, 3, -1).transpose(0, 1).flatten(1), *others]
    usual, count = Counter(len(leaf) for leaf in leaves).most_common(1)[0]
    if count == 3 * num_heads and num_heads > 1:
        table = torch.stack([leaf for leaf in leaves if len(leaf) == usual])  # (3 * heads, rows)
        yield [*table.view(num_heads, 3, -1).transpose(0, 1).flatten(1)]
        yield [*table.view(3, -1)]


def _by_leaf(signatures: Signatures) -> list[Tensor]:
    numbers = torch.tensor(signatures.parts.row_leaves, dtype=torch.long)
    return [(numbers == leaf).nonzero().flatten() for leaf in dict.fromkeys(signatures.parts.row_leaves)]


def _score(signatures: Signatures, query: Tensor, key: Tensor, value: Tensor, order: tuple[int, ...]) -> float:
    """How plausible an assignment is.

    The weights are from trials on public code: the invariants of q and k are the strongest evidence, since they hold
    whatever happens after the scores; then those of v and o; then labels; then that a query depends on fewer tokens;
    then the order.
    """
    row, column = signatures.row_invariants, signatures.column_invariants
    tolerance = signatures.experiment.tolerance
    score = 4.0 * _equal(row[query].sum(0), row[key].sum(0), tolerance)
    score += 3.0 * _equal(row[value].sum(0), column.sum(0), tolerance)
    for block, label in ((query, Label.QUERY), (key, Label.KEY), (value, Label.VALUE)):
        score += 2.0 * all(signatures.labels[number] is label for number in block.tolist())
    reach = [_reach(signatures, block) for block in (query, key, value)]
    score += 1.0 * (reach[0] < reach[1]) + 0.5 * (reach[0] < reach[2])
    inversions = sum(order[i] > order[j] for i in range(3) for j in range(i + 1, 3))
    return score - 0.01 * inversions


def _equal(left: Tensor, right: Tensor, tolerance: float) -> bool:
    largest = float(torch.maximum(left.abs(), right.abs()).max())
    return largest > 0 and float((left - right).abs().max()) <= tolerance * largest


def _reach(signatures: Signatures, block: Tensor) -> float:
    """On how many tokens a block's rows depend, on average."""
    deltas = signatures.parts.deltas[:, :, block].abs()
    return float((deltas > signatures.experiment.tolerance * deltas.max()).double().mean())


def _slots(signatures: Signatures, query: Tensor, key: Tensor, value: Tensor, num_heads: int) -> Iterator[Slots]:
    """The assignment with the output projections it may have: the one in use, else an unused one, else none."""
    used = {signatures.parts.row_leaves[int(block[0])] for block in (query, key, value)}
    for output in outputs(signatures, len(value), num_heads, used):
        yield Slots(
            query=query.view(num_heads, -1), key=key.view(num_heads, -1), value=value.view(num_heads, -1), output=output
        )


def outputs(signatures: Signatures, rows: int, num_heads: int, used: set[int]) -> Iterator[Tensor | None]:
    """What may take `rows` concatenated values to the output, in storage order.

    Yields:
        `(heads, d_v, embed)` places of elements, or None for concatenation alone.
    """
    parts, experiment = signatures.parts, signatures.experiment
    if len(parts.columns) == rows:
        yield parts.columns.view(num_heads, -1, experiment.embed)
    if len(parts.columns):
        return
    for number in signatures.idle_leaves():
        leaf = experiment.leaves[number]
        if number not in used and leaf.size == rows * experiment.embed:
            inward = parts.row_axes[parts.row_leaves.index(number)]  # as a row; a column runs along the other axis
            wide = [axis for axis, size in enumerate(leaf.shape) if size == experiment.embed]
            outward = next((axis for axis in wide if axis != inward), inward)
            yield leaf.lines(outward, experiment.embed).view(num_heads, -1, experiment.embed)
    if rows == experiment.embed:
        yield None
