"""What may make the output, as far as gradients tell."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from grader.attention.experiment import Experiment, Leaf
from grader.attention.projections import Output, bias_of, paths_at
from grader.attention.signatures import Signatures


def possible_outputs(signatures: Signatures) -> Iterator[tuple[Output | None, set[int]]]:
    """What may make the output, with the leaves that are then no projection of tokens."""
    parts, leaves = signatures.parts, signatures.experiment.leaves
    if len(parts.columns):
        yield (
            Output(
                columns=parts.columns, biases=parts.output_biases, paths=paths_at(leaves, parts.columns), idle=False
            ),
            set(),
        )
        return
    for output in _behind_others(signatures):
        yield output, set()
    idle = signatures.idle_leaves()
    used = len(set(parts.row_leaves)) - len(idle)
    options = list(idle_outputs(signatures, None, set()))
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
    sibling = bias_of(experiment.leaves, weight, embed)
    if sibling.shape[1]:
        yield sibling
        return
    for leaf in experiment.leaves:
        if "." not in weight.path and leaf.shape == (embed,) and leaf.offset not in taken:
            yield leaf.lines(0, embed).T
    yield sibling


def idle_outputs(signatures: Signatures, width: int | None, used: set[int]) -> Iterator[Output]:
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
            biases=bias_of(experiment.leaves, leaf, experiment.embed),
            paths=(leaf.path,),
            idle=True,
        )
