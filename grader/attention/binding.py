"""Roles where every row's label is clear: which rows make a head, and which row meets which.

Theory of operation. The value rows of one head share its attention row, so they have parallel coefficients d[r, :];
the key rows of one head share the derivative of the loss by the scores. Groups of rows with the same pattern are the
heads. A row of q is paired with the row of k that has the same invariant, a row of v with its column of o. Which
group of keys goes with which group of values follows from softmax: the derivative by the scores is a * (g - <a, g>),
where the attention a and the derivative g by the attention are read from the values.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from grader.attention.signatures import Label, Signatures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slots:
    """Which row plays which part.

    Attributes:
        query, key: `(heads, d_k)` numbers of rows.
        value: `(heads, d_v)` numbers of rows.
        output: `(heads, d_v, embed)` places of elements; None where the heads' outputs are concatenated.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    output: Tensor | None


def bind_by_label(signatures: Signatures, num_heads: int) -> Slots | None:
    """The roles that labels, patterns and invariants agree on; None unless they leave nothing open."""
    query, key, value = (signatures.rows_of(label) for label in (Label.QUERY, Label.KEY, Label.VALUE))
    if not labels_complete(signatures) or len(query) != len(key):
        return None
    tolerance = signatures.experiment.tolerance
    deltas = signatures.parts.deltas
    partner = pair(signatures.row_invariants[key], signatures.row_invariants[query], tolerance)
    key_heads = _group(_by_loss(deltas[:, :, key]), num_heads, tolerance)
    value_heads = _group(_stronger(deltas[:, :, value]), num_heads, tolerance)
    if partner is None or key_heads is None or value_heads is None:
        return None
    link = _link(signatures, key[key_heads[:, 0]], value[value_heads])
    output = _outputs(signatures, value)
    if link is None or output is None:
        return None
    key_heads = key_heads[link]  # in the order of the value heads
    slots = Slots(
        query=query[partner[key_heads]], key=key[key_heads], value=value[value_heads], output=output[value_heads]
    )
    return _in_output_order(slots, signatures)


def labels_complete(signatures: Signatures) -> bool:
    """Whether queries, keys and values are there and every row is one, except in leaves that serve nothing at all."""
    unused = signatures.idle_leaves()
    labelled = zip(signatures.parts.row_leaves, signatures.labels, strict=True)
    return {label for leaf, label in labelled if leaf not in unused} == {Label.QUERY, Label.KEY, Label.VALUE}


def pair(wanted: Tensor, offered: Tensor, tolerance: float) -> Tensor | None:
    """For every wanted row the number of the offered row that equals it; None unless all match, one to one.

    Args:
        wanted: `(rows, numbers)`.
        offered: `(rows, numbers)`.
        tolerance: the difference allowed, measured in the greatest wanted number.
    """
    if wanted.shape != offered.shape:
        return None
    distance, partner = torch.cdist(wanted, offered, p=torch.inf).min(1)
    exact = bool((distance <= tolerance * wanted.abs().max()).all())
    return partner if exact and len(set(partner.tolist())) == len(partner) else None


def _group(vectors: Tensor, groups: int, tolerance: float) -> Tensor | None:
    """Rows by common direction: `(groups, rows / groups)` in storage order, or None unless they divide evenly.

    Args:
        vectors: `(seq, rows, numbers)`.
        groups: how many there must be.
        tolerance: the sine of the angle below which two directions are one.
    """
    first = _same_direction(vectors, vectors, tolerance).int().argmax(1)  # the first row that goes the same way
    _, sizes = torch.unique(first, return_counts=True)
    if len(sizes) != groups or bool((sizes != sizes[0]).any()):
        return None
    return first.argsort(stable=True).view(groups, -1)


def _same_direction(left: Tensor, right: Tensor, tolerance: float) -> Tensor:
    """Which vectors are parallel at every query position; where both are zero nothing is said.

    Args:
        left: `(seq, n, numbers)`.
        right: `(seq, m, numbers)`.
        tolerance: the sine of the angle allowed, and the relative length that counts as zero.

    Returns:
        `(n, m)`, bool.
    """
    cosine = (torch.nn.functional.normalize(left, dim=-1) @ torch.nn.functional.normalize(right, dim=-1).mT).abs()
    silent = _zero(left, tolerance)[:, :, None] & _zero(right, tolerance)[:, None, :]
    parallel = cosine >= 1 - tolerance * tolerance
    return torch.all(parallel | silent, dim=0)


def _zero(vectors: Tensor, tolerance: float) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=-1)  # (seq, n)
    return lengths <= lengths.amax(0) * tolerance


def _by_loss(deltas: Tensor) -> Tensor:
    """Both directions of the output side by side: `(seq, 2, rows, tokens)` to `(seq, rows, 2 * tokens)`."""
    return deltas.transpose(1, 2).flatten(2)


def _stronger(deltas: Tensor) -> Tensor:
    """Of two parallel vectors the longer, row by row: `(seq, 2, rows, tokens)` to `(seq, rows, tokens)`."""
    first, second = deltas.unbind(1)
    longer = first.norm(dim=(0, 2)) >= second.norm(dim=(0, 2))  # (rows,)
    return torch.where(longer[:, None], first, second)


def _link(signatures: Signatures, keys: Tensor, values: Tensor) -> Tensor | None:
    """For every head of values the number of its head of keys; None unless that is one to one.

    Args:
        signatures: what the gradients said.
        keys: `(heads,)`: one row of keys of each head.
        values: `(heads, d_v)`: the rows of values of each head.
    """
    heads = len(keys)
    if heads == 1:
        return torch.zeros(1, dtype=torch.long)
    experiment, parts = signatures.experiment, signatures.parts
    attention = _stronger(parts.deltas[:, :, values[:, 0]])  # (seq, heads, tokens)
    attention = attention / attention.sum(-1, keepdim=True)
    features = experiment.values[parts.rows[values]] @ experiment.tokens.T  # (heads, d_v, tokens)
    pull = parts.deltas[:, :, values].sum(-1)  # (seq, 2, heads, d_v): derivative by what the head receives
    gain = torch.einsum("tihr,hrj->tihj", pull, features)  # derivative by the attention
    mean = (attention[:, None] * gain).sum(-1, keepdim=True)
    by_scores = attention[:, None] * (gain - mean)  # (seq, 2, heads, tokens)
    same = _same_direction(_by_loss(by_scores), _by_loss(parts.deltas[:, :, keys]), experiment.tolerance)
    one_to_one = bool((same.sum(0) == 1).all()) and bool((same.sum(1) == 1).all())
    return same.int().argmax(1) if one_to_one else None


def _outputs(signatures: Signatures, value: Tensor) -> Tensor | None:
    """The places of what takes each value row to the output, `(rows, embed)`; None unless that is one to one."""
    parts, experiment = signatures.parts, signatures.experiment
    if len(parts.columns):
        column = pair(signatures.row_invariants[value], signatures.column_invariants, experiment.tolerance)
        return None if column is None else parts.columns[column]
    pull = parts.deltas[:, :, value].sum(-1)  # (seq, 2, rows)
    directions = experiment.directions[:, None]  # (2, 1, embed)
    crossed = pull[:, 0, :, None] * directions[1] - pull[:, 1, :, None] * directions[0]  # (seq, rows, embed)
    distance, feature = (crossed.abs().amax(0) / pull.abs().amax((0, 1))[:, None]).min(1)
    if bool((distance > experiment.tolerance).any()) or len(value) != experiment.embed:
        return None
    if len(set(feature.tolist())) != len(feature):
        return None
    return len(experiment.values) + torch.nn.functional.one_hot(feature, experiment.embed)


def _in_output_order(slots: Slots, signatures: Signatures) -> Slots:
    """Without an output projection, heads and value rows in the order of the features they feed."""
    if len(signatures.parts.columns) or slots.output is None:
        return slots
    feature = slots.output.argmax(-1)  # (heads, d_v)
    within = feature.argsort(1)
    heads = feature.amin(1).argsort()
    value = slots.value.gather(1, within)[heads]
    feature = feature.gather(1, within)[heads]
    concatenated = bool((feature.flatten() == torch.arange(feature.numel())).all())
    output = None if concatenated else len(signatures.experiment.values) + torch.nn.functional.one_hot(feature)
    return Slots(query=slots.query[heads], key=slots.key[heads], value=value, output=output)
