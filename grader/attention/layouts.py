"""The ways to read a module's parameters as projections: which rows make a block, and which columns the output.

Theory of operation. Gradients say of every leaf whether it acts on the tokens or makes the output, and along which axis
(`lines`). What they cannot say of wrong code is how the rows divide: a fused layer may hold all queries, then all keys,
then all values, or the three of one head after those of another. All rows in the order of definition are one long
table, and there are few ways to cut it. Each way is a `Layout`; which of its blocks is q, k and v is left to the
search, and the student's output decides.

A place is an element's number in the vector of all leaves' elements; the two numbers past its end are the constants 0
and 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from grader.attention.binding import bind_by_label
from grader.attention.experiment import LOOSE, Experiment, Leaf, lay_out
from grader.attention.signatures import Label, Signatures, read


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
        found += _by_shape(leaves, embed_dim, num_heads)
    found += _small(leaves, embed_dim, num_heads)
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
            columns=columns, biases=parts.output_biases, paths=_paths(signatures.experiment.leaves, columns), idle=False
        )
    outputs: list[Output | None] = [output]
    if output is None:
        outputs = [*_idle_outputs(signatures, len(blocks[2].rows), set()), None]
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
    for number, (output, outside) in enumerate(_outputs(signatures)):
        inside = [rows for rows in groups if not outside & {_leaf(signatures, rows)}]
        for name, blocks in _arrangements(inside, embed, heads):
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


def _arrangements(groups: Sequence[Tensor], embed: int, heads: int) -> Iterator[tuple[str, list[Tensor]]]:
    """The ways to cut the groups of rows into blocks: one after the other, head by head, or feature by feature."""
    if not groups:
        yield "nothing", []
        return
    alike = len(groups) > 2 and len({len(rows) for rows in groups}) == 1
    for name in ("stacked", "per head", "per feature") if heads > 1 else ("stacked", "per feature"):
        blocks = [piece for rows in groups for piece in ([rows] if alike else _pieces(rows, embed, heads, name))]
        if blocks and (name == "stacked" or len(blocks) > len(groups)):
            yield name, blocks
    if heads == 1:
        return
    table = torch.cat(list(groups))
    if any(len(rows) * heads == embed for rows in groups):
        yield "one head for all", [rows.repeat(heads) if len(rows) * heads == embed else rows for rows in groups]
    if len(table) * heads == 3 * embed:
        yield "one fused head for all", [piece.repeat(heads) for piece in table.view(3, -1)]
    if len(table) == 3 * heads * embed:
        yield "full width, stacked", [*table.view(3, -1)]
        yield "full width, per head", [*table.view(heads, 3, -1).transpose(0, 1).flatten(1)]


def _pieces(rows: Tensor, embed: int, heads: int, name: str) -> list[Tensor]:
    count, rest = divmod(len(rows), embed)
    if rest or count < 2 or count > 3:
        return [rows]
    match name:
        case "per head":
            return [*rows.view(heads, count, -1).transpose(0, 1).flatten(1)]
        case "per feature":
            return [*rows.view(-1, count).T]
    return [*rows.view(count, -1)]


def _block(signatures: Signatures, rows: Tensor, *, idle: bool | None = None) -> Block:
    places = signatures.parts.rows[rows]
    labels = {signatures.labels[row] for row in rows.tolist()}
    return Block(
        rows=places,
        biases=signatures.row_biases[rows],
        paths=_paths(signatures.experiment.leaves, places),
        idle=labels == {Label.IDLE} if idle is None else idle,
    )


def _outputs(signatures: Signatures) -> Iterator[tuple[Output | None, set[int]]]:
    """What may make the output, with the leaves that are then no projection of tokens."""
    parts, leaves = signatures.parts, signatures.experiment.leaves
    if len(parts.columns):
        yield (
            Output(columns=parts.columns, biases=parts.output_biases, paths=_paths(leaves, parts.columns), idle=False),
            set(),
        )
        return
    for output in _behind_others(signatures):
        yield output, set()
    idle = signatures.idle_leaves()
    used = len(set(parts.row_leaves)) - len(idle)
    options = list(_idle_outputs(signatures, None, set()))
    if used >= 1:
        for output in reversed(options):  # the last that is defined is the likeliest
            yield output, {number for number in idle if leaves[number].path in output.paths}
    yield None, set()


def _behind_others(signatures: Signatures) -> Iterator[Output]:
    """Leaves that matter, and neither act on tokens nor make the output by themselves: something follows them."""
    parts, experiment = signatures.parts, signatures.experiment
    taken = set(parts.rows.flatten().tolist()) | set(signatures.row_biases.flatten().tolist())
    for leaf in experiment.leaves:
        gradients = experiment.gradients[..., leaf.offset : leaf.offset + leaf.size]
        if len(leaf.shape) < 2 or leaf.offset in taken or not bool((gradients.abs() > experiment.floor).any()):
            continue
        for axis, size in enumerate(leaf.shape):
            if size != experiment.embed:
                continue
            for biases in _possible_biases(experiment, leaf, taken):
                columns = leaf.lines(axis, experiment.embed)
                yield Output(columns=columns, biases=biases, paths=(leaf.path,), idle=False)


def _possible_biases(experiment: Experiment, weight: Leaf, taken: set[int]) -> Iterator[Tensor]:
    """What may be added after a weight: the bias of its layer; without a layer, any vector that has no other part."""
    embed = experiment.embed
    sibling = _sibling(experiment.leaves, weight, embed)
    if sibling.shape[1]:
        yield sibling
        return
    for leaf in experiment.leaves:
        if "." not in weight.path and leaf.shape == (embed,) and leaf.offset not in taken:
            yield leaf.lines(0, embed).T
    yield sibling


def _idle_outputs(signatures: Signatures, width: int | None, used: set[int]) -> Iterator[Output]:
    """Leaves that nothing depends on, read as output projections."""
    parts, experiment = signatures.parts, signatures.experiment
    for number in signatures.idle_leaves():
        leaf = experiment.leaves[number]
        if number in used or (width is not None and leaf.size != width * experiment.embed):
            continue
        inward = parts.row_axes[parts.row_leaves.index(number)]  # as a row; a column runs along the other axis
        wide = [axis for axis, size in enumerate(leaf.shape) if size == experiment.embed]
        outward = next((axis for axis in wide if axis != inward), inward)
        if leaf.shape[outward] % experiment.embed:
            continue
        yield Output(
            columns=leaf.lines(outward, experiment.embed),
            biases=_sibling(experiment.leaves, leaf, experiment.embed),
            paths=(leaf.path,),
            idle=True,
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


# -- without gradients: shapes alone -----------------------------------------------------------------------------------


def _by_shape(leaves: tuple[Leaf, ...], embed: int, heads: int) -> Iterator[Layout]:
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
            places, biases = torch.cat(tables), _sibling_biases(leaves, inputs, tables)
            starts = torch.tensor([0, *(len(table) for table in tables)]).cumsum(0)
            rows = [torch.arange(int(a), int(b)) for a, b in pairwise(starts)]
            for name, blocks in _arrangements(_joined(rows, embed), embed, heads):
                yield Layout(
                    name=f"by shape {turned} {place} {name}",
                    blocks=tuple(
                        Block(rows=places[each], biases=biases[each], paths=_paths(leaves, places[each]), idle=False)
                        for each in blocks
                    ),
                    output=output,
                )


def _output_by_shape(leaves: tuple[Leaf, ...], leaf: Leaf, embed: int, turned: bool) -> Output | None:
    axis = _axis(leaf, embed, first=not turned)
    if axis is None or leaf.shape[axis] != embed:
        return None
    return Output(columns=leaf.lines(axis, embed), biases=_sibling(leaves, leaf, embed), paths=(leaf.path,), idle=False)


def _joined(tables: list[Tensor], embed: int) -> list[Tensor]:
    """Runs of equal tables that are less than a block, as one."""
    groups: list[Tensor] = []
    size = -1
    for rows in tables:
        if groups and len(rows) == size < embed:
            groups[-1] = torch.cat((groups[-1], rows))
        else:
            groups.append(rows)
        size = len(rows)
    return groups


def _axis(leaf: Leaf, embed: int, *, first: bool) -> int | None:
    fitting = [axis for axis, size in enumerate(leaf.shape) if size == embed]
    fitting = fitting or [axis for axis, size in enumerate(leaf.shape) if size % embed == 0]
    return (fitting[0] if first else fitting[-1]) if fitting else None


# -- layers that are as small as a head --------------------------------------------------------------------------------


def _small(leaves: tuple[Leaf, ...], embed: int, heads: int) -> Iterator[Layout]:
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
            biases = _sibling_biases(leaves, small, tables).view(count, width, -1)
            blocks = tuple(
                Block(
                    rows=_diagonal(matrices[each], total),
                    biases=biases[each].flatten(0, 1),
                    paths=_paths(leaves, matrices[each]),
                    idle=False,
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


def _small_outputs(leaves: tuple[Leaf, ...], embed: int, turned: bool) -> Iterator[Output | None]:
    wide = [leaf for leaf in leaves if leaf.size == embed * embed and embed in leaf.shape]
    if wide:
        axis = (wide[-1].shape.index(embed), len(wide[-1].shape) - 1)[turned]
        columns = wide[-1].lines(axis, embed)
        biases = _sibling(leaves, wide[-1], embed)
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


# -- biases and names ------------------------------------------------------------------------------------------------


def _with_siblings(signatures: Signatures) -> Signatures:
    """With the bias of a layer for all of its rows, where gradients were too rough to find any."""
    leaves, none = signatures.experiment.leaves, len(signatures.experiment.values)
    biases = signatures.row_biases
    taken = set(biases.flatten().tolist())
    added = torch.full((len(biases), 1), none)
    for number in dict.fromkeys(signatures.parts.row_leaves):
        rows = [row for row, leaf in enumerate(signatures.parts.row_leaves) if leaf == number]
        sibling = _sibling(leaves, leaves[number], len(rows))
        if sibling.shape[1] and bool((biases[rows] == none).all()) and int(sibling[0, 0]) not in taken:
            added[rows] = sibling
    return replace(signatures, row_biases=torch.cat((biases, added), 1)) if bool((added != none).any()) else signatures


def _sibling(leaves: tuple[Leaf, ...], weight: Leaf, size: int) -> Tensor:
    """The bias of a weight: in the same layer, or, of a parameter that is in none, defined next. `(size, n)`."""
    layer = weight.path.rpartition(".")[0]
    following = leaves[leaves.index(weight) + 1 :][:1]
    for leaf in leaves if layer else following:
        if leaf.path.rpartition(".")[0] == layer and leaf.size == size and len(leaf.shape) < len(weight.shape):
            return torch.arange(leaf.offset, leaf.offset + size)[:, None]
    return torch.empty(size, 0, dtype=torch.long)


def _sibling_biases(leaves: tuple[Leaf, ...], weights: Sequence[Leaf], tables: Sequence[Tensor]) -> Tensor:
    """For all rows of these weights the places of their biases `(rows, 1)`; the constant 0 stands for none."""
    none = sum(leaf.size for leaf in leaves)
    found = []
    for leaf, table in zip(weights, tables, strict=True):
        bias = _sibling(leaves, leaf, len(table))
        found.append(bias if bias.shape[1] else torch.full((len(table), 1), none))
    return torch.cat(found)


def _paths(leaves: tuple[Leaf, ...], places: Tensor) -> tuple[str, ...]:
    """The leaves these elements stand in."""
    if not places.numel():
        return ()
    numbers = places.flatten()
    return tuple(
        leaf.path for leaf in leaves if bool(((numbers >= leaf.offset) & (numbers < leaf.offset + leaf.size)).any())
    )


def shapes_of(values: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """The shape of every leaf, by path."""
    return {path: tuple(value.shape) for path, value in values.items()}


def elements(values: Mapping[str, Tensor]) -> Tensor:
    """All leaves' elements in one vector, followed by the constants 0 and 1."""
    flat = torch.cat([value.reshape(-1).double() for value in values.values()] or [torch.empty(0).double()])
    return torch.cat((flat, flat.new_tensor([0.0, 1.0])))
