"""The ways to read a module's parameters as projections: which rows make a block, and which columns the output.

Theory of operation. Gradients say of every leaf whether it acts on the tokens or makes the output, and along which axis
(`lines`). What they cannot say of wrong code is how the rows divide: a fused layer may hold all queries, then all keys,
then all values, or the three of one head after those of another. All rows in the order of definition are one long
table, and there are few ways to cut it. Each way is a `Layout`; which of its blocks is q, k and v is left to the
search, and the student's output decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor

from grader.attention.binding import bind_by_label
from grader.attention.cutting import arrangements
from grader.attention.experiment import LOOSE, Experiment, lay_out
from grader.attention.layouts_by_shape import by_shape, small_layers
from grader.attention.outputs import idle_outputs, possible_outputs
from grader.attention.projections import Block, Layout, Output, bias_of, paths_at, shapes_of
from grader.attention.signatures import Label, Signatures, read


def layouts(
    values: Mapping[str, Tensor], experiment: Experiment | None, *, embed_dim: int, num_heads: int
) -> tuple[Layout, ...]:
    """All ways to read a module's parameters, the most plausible first.

    Args:
        values: every leaf's value.
        experiment: what the gradients said; None where they say nothing.
        embed_dim: the width of a token.
        num_heads: how many heads share the features.
    """
    leaves = lay_out(shapes_of(values))
    found: list[Layout] = []
    if experiment is not None:
        strictly = read(experiment)
        if bool(strictly.parts.idle.all()):
            experiment = _behind_norm(experiment)
            strictly = read(experiment)
        strictly = _with_siblings(strictly)
        found += _labelled(strictly, num_heads)
        if not found:
            found += _labelled(read(replace(experiment, tolerance=LOOSE)), num_heads)
        found += _cut(strictly, num_heads)
    if experiment is None or not found:
        found += by_shape(leaves, embed_dim, num_heads)
    found += small_layers(leaves, experiment, embed_dim, num_heads)
    if not found:
        found.append(Layout(name="nothing", blocks=(), output=None))
    return tuple(layout for layout in found if all(len(block.rows) % num_heads == 0 for block in layout.blocks))


def _behind_norm(experiment: Experiment) -> Experiment:
    """The experiment as projections see it behind a layer norm that is learned: weight times tokens plus bias."""
    wide = [leaf for leaf in experiment.leaves if leaf.shape == (experiment.embed,)]
    for weight, bias in pairwise(wide):
        tokens = experiment.tokens * experiment.values[weight.offset : weight.offset + weight.size]
        tokens = tokens + experiment.values[bias.offset : bias.offset + bias.size]
        seen = replace(experiment, tokens=tokens)
        if not bool(read(seen).parts.idle.all()):
            return seen
    return experiment


def _with_siblings(signatures: Signatures) -> Signatures:
    """With the bias of a layer for all of its rows, where gradients were too rough to find any."""
    leaves, none = signatures.experiment.leaves, len(signatures.experiment.values)
    biases = signatures.row_biases
    taken = set(biases.flatten().tolist())
    added = torch.full((len(biases), 1), none)
    for number in dict.fromkeys(signatures.parts.row_leaves):
        rows = [row for row, leaf in enumerate(signatures.parts.row_leaves) if leaf == number]
        sibling = bias_of(leaves, leaves[number], len(rows))
        if sibling.shape[1] and bool((biases[rows] == none).all()) and int(sibling[0, 0]) not in taken:
            added[rows] = sibling
    return replace(signatures, row_biases=torch.cat((biases, added), 1)) if bool((added != none).any()) else signatures


# -- where every row's role is clear ---------------------------------------------------------------------------------


def _labelled(signatures: Signatures, heads: int) -> Iterator[Layout]:
    """The rows in their roles, each head's in the order in which q and k, and v and o, meet."""
    slots = bind_by_label(signatures, heads)
    if slots is None:
        return
    blocks = tuple(_block(signatures, rows.flatten(), idle=False) for rows in (slots.query, slots.key, slots.value))
    parts = signatures.parts
    output = None
    if slots.output is not None:
        columns = slots.output.flatten(0, 1)
        output = Output(
            columns=columns,
            biases=parts.output_biases,
            paths=paths_at(signatures.experiment.leaves, columns),
            idle=False,
        )
    outputs: list[Output | None] = [output]
    if output is None:
        outputs = [*idle_outputs(signatures, len(blocks[2].rows), set()), None]
    for number, option in enumerate(outputs):
        yield Layout(
            name=f"labelled {number}",
            blocks=blocks,
            output=option,
            affine=_affine(signatures, blocks, option),
            sure=True,
        )


# -- where it is not: the table of all rows, cut -----------------------------------------------------------------------


def _cut(signatures: Signatures, heads: int) -> Iterator[Layout]:
    embed = signatures.experiment.embed
    groups = _groups(signatures, heads)
    for number, (output, outside) in enumerate(possible_outputs(signatures)):
        inside = [rows for rows in groups if not outside & {_leaf(signatures, rows)}]
        for name, blocks in arrangements(inside, embed, heads):
            read_blocks = tuple(_block(signatures, rows) for rows in blocks)
            yield Layout(
                name=f"{name} {number}",
                blocks=read_blocks,
                output=output,
                affine=_affine(signatures, read_blocks, output),
                finding="",
            )


def _groups(signatures: Signatures, heads: int) -> list[Tensor]:
    """Rows that belong together: those of one leaf, or of a run of leaves of one shape that are less than a block."""
    parts, embed = signatures.parts, signatures.experiment.embed
    by_leaf: dict[int, list[int]] = {}
    for row, leaf in enumerate(parts.row_leaves):
        by_leaf.setdefault(leaf, []).append(row)
    groups: list[list[int]] = []
    shape: tuple[int, ...] | None = None
    for rows in by_leaf.values():
        small = len(rows) < embed
        if small and groups and shape == (len(rows),):
            groups[-1] += rows
        else:
            groups.append(list(rows))
        shape = (len(rows),) if small else None
    return [torch.tensor(rows) for rows in groups]


def _leaf(signatures: Signatures, rows: Tensor) -> int:
    return signatures.parts.row_leaves[int(rows[0])]


# -- parts of both -----------------------------------------------------------------------------------------------------


def _block(signatures: Signatures, rows: Tensor, *, idle: bool | None = None) -> Block:
    places = signatures.parts.rows[rows]
    labels = {signatures.labels[row] for row in rows.tolist()}
    return Block(
        rows=places,
        biases=signatures.row_biases[rows],
        paths=paths_at(signatures.experiment.leaves, places),
        idle=labels == {Label.IDLE} if idle is None else idle,
    )


def _affine(signatures: Signatures, blocks: tuple[Block, ...], output: Output | None) -> tuple[Tensor, Tensor] | None:
    """Two leaves of the width of a token that have no other part: what a layer norm has."""
    taken = [block.biases.flatten() for block in blocks]
    taken += [output.biases.flatten()] if output is not None else []
    busy = set(torch.cat(taken).tolist()) if taken else set()  # a norm's bias may look like one of the output's
    embed = signatures.experiment.embed
    free = [leaf for leaf in signatures.experiment.leaves if leaf.shape == (embed,) and leaf.offset not in busy]
    if len(free) < 2:
        return None
    weight, bias = free[:2]
    return weight.lines(0, embed)[0], bias.lines(0, embed)[0]
