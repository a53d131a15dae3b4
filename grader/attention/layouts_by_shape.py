"""Ways to read parameters of which gradients say nothing: their shapes alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

from grader.attention.cutting import arrangements, joined
from grader.attention.experiment import Experiment, Leaf
from grader.attention.projections import Block, Layout, Output, bias_of, biases_of, paths_at


def by_shape(leaves: tuple[Leaf, ...], embed: int, heads: int) -> Iterator[Layout]:
    """Weights as `torch.nn.Linear` has them, `(out, in)`, then as `(in, out)`; the output projection is defined last,
    or first, or not at all."""
    wide = [leaf for leaf in leaves if len(leaf.shape) > 1 and any(size % embed == 0 for size in leaf.shape)]
    for turned in (False, True):
        for place in (-1, 0, None) if len(wide) > 1 else (None,):
            inputs = [leaf for leaf in wide if place is None or leaf is not wide[place]]
            axes = [_axis(leaf, embed, first=turned) for leaf in inputs]
            tables = [leaf.lines(axis, embed) for leaf, axis in zip(inputs, axes, strict=True) if axis is not None]
            output = None if place is None else _output_by_shape(leaves, wide[place], embed, turned)
            if not inputs or None in axes or (place is not None and output is None):
                continue
            places, biases = torch.cat(tables), biases_of(leaves, inputs, tables)
            starts = torch.tensor([0, *(len(table) for table in tables)]).cumsum(0)
            rows = [torch.arange(int(a), int(b)) for a, b in pairwise(starts)]
            for name, blocks in arrangements(joined(rows, embed), embed, heads):
                yield Layout(
                    name=f"by shape {turned} {place} {name}",
                    blocks=tuple(
                        Block(rows=places[each], biases=biases[each], paths=paths_at(leaves, places[each]), idle=False)
                        for each in blocks
                    ),
                    output=output,
                )


def _output_by_shape(leaves: tuple[Leaf, ...], leaf: Leaf, embed: int, turned: bool) -> Output | None:
    axis = _axis(leaf, embed, first=not turned)
    if axis is None or leaf.shape[axis] != embed:
        return None
    return Output(columns=leaf.lines(axis, embed), biases=bias_of(leaves, leaf, embed), paths=(leaf.path,), idle=False)


def _axis(leaf: Leaf, embed: int, *, first: bool) -> int | None:
    fitting = [axis for axis, size in enumerate(leaf.shape) if size == embed]
    fitting = fitting or [axis for axis, size in enumerate(leaf.shape) if size % embed == 0]
    return (fitting[0] if first else fitting[-1]) if fitting else None


# -- layers that are as small as a head --------------------------------------------------------------------------------


def small_layers(leaves: tuple[Leaf, ...], experiment: Experiment | None, embed: int, heads: int) -> Iterator[Layout]:
    """Projections of `(head_dim, head_dim)`, which every head applies to its own share of the features."""
    if heads < 2 or embed % heads:
        return
    width = embed // heads
    small = [leaf for leaf in leaves if leaf.size % (width * width) == 0 and len(leaf.shape) > 1]
    small = [leaf for leaf in small if embed not in leaf.shape and leaf.shape[-1] in (width, 3 * width)]
    if not small:
        return
    count = sum(leaf.size for leaf in small) // (width * width)
    total = sum(leaf.size for leaf in leaves)
    for turned in (False, True):
        matrices = torch.cat([_square(leaf, width, turned) for leaf in small])
        tables = [_square(leaf, width, turned).flatten(0, 1) for leaf in small]
        for name, chosen in _shares(count, heads):
            biases = biases_of(leaves, small, tables).view(count, width, -1)
            blocks = tuple(
                Block(
                    rows=_diagonal(matrices[each], total),
                    biases=biases[each].flatten(0, 1),
                    paths=paths_at(leaves, matrices[each]),
                    idle=experiment is not None and _is_silent(experiment, matrices[each]),
                )
                for each in chosen
            )
            for output in _small_outputs(leaves, embed, turned):
                yield Layout(
                    name=f"small {turned} {name} {output is not None}",
                    blocks=blocks,
                    output=output,
                    finding="heads-share-weights" if name == "shared" else "split-then-project",
                )


def _shares(count: int, heads: int) -> Iterator[tuple[str, list[Tensor]]]:
    """Which of so many small matrices serves which head in each block: one for all heads, or each head its own."""
    if 1 <= count <= 3:
        yield "shared", [torch.full((heads,), number) for number in range(count)]
    if count and count % heads == 0 and count // heads <= 3:
        numbers = torch.arange(count)
        yield "stacked", [*numbers.view(-1, heads)]
        yield "per head", [*numbers.view(heads, -1).T]


def _is_silent(experiment: Experiment, places: Tensor) -> bool:
    """Whether nothing depends on these elements."""
    return bool((experiment.gradients[..., places.flatten()].abs() <= experiment.floor).all())


def _small_outputs(leaves: tuple[Leaf, ...], embed: int, turned: bool) -> Iterator[Output | None]:
    wide = [leaf for leaf in leaves if len(leaf.shape) > 1 and embed in leaf.shape]
    if wide:
        axis = (wide[-1].shape.index(embed), len(wide[-1].shape) - 1)[turned]
        columns = wide[-1].lines(axis, embed)
        biases = bias_of(leaves, wide[-1], embed)
        yield Output(columns=columns, biases=biases, paths=(wide[-1].path,), idle=False)
    yield None


def _square(leaf: Leaf, width: int, turned: bool) -> Tensor:
    """A leaf as `(n, width of out, width of in)` places."""
    places = torch.arange(leaf.offset, leaf.offset + leaf.size).view(leaf.shape)
    if leaf.shape[-1] == width:
        matrices = places.reshape(-1, width, width)
        return matrices.mT if turned else matrices
    return places.view(width, 3, width).movedim(1, 0).mT if turned else places.T.reshape(-1, width, width)


def _diagonal(matrices: Tensor, total: int) -> Tensor:
    """Square blocks along the diagonal of a matrix of constants 0: `(heads, w, w)` to `(heads * w, heads * w)`."""
    heads, width, _ = matrices.shape
    whole = torch.full((heads, width, heads, width), total, dtype=torch.long)
    whole[torch.arange(heads), :, torch.arange(heads)] = matrices
    return whole.view(heads * width, heads * width)
