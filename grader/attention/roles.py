"""Which of a student's parameters is q, k, v and o of which head, found from gradients alone.

Students name, fuse, transpose and split their parameters as they like. We draw the values, load them, call the module
once and look at how its output depends on every element (`experiment`, `lines`, `biases`, `signatures`). Where every
row's role is clear it is bound row by row (`binding`); where not, which happens in wrong code only, by whole blocks
(`blocks`).

Roles are places of elements, not values, so they serve every other draw. No element serves twice: a module that lies
about what it computes can be misunderstood, but it cannot make the reference anything else than attention with the
values we drew. Code in which one parameter does serve twice (heads that share a layer or an output projection, one
projection for q, k and v) or none does has no roles, unless an unused parameter stands in for the missing one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from grader.attention.binding import Slots, bind_by_label
from grader.attention.blocks import bind_by_block, outputs
from grader.attention.experiment import LOOSE, Experiment, Leaf, Probe, perform
from grader.attention.reference import Weights
from grader.attention.signatures import Signatures, read

__all__ = ["Probe", "Roles", "find_roles"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roles:
    """Where in a module's leaves the weights of the reference stand.

    A place is an element's number in the vector of all leaves' elements; the two numbers past its end stand for the
    constants 0 and 1.

    Attributes:
        leaves: every leaf with its shape, in the order of definition.
        query_places: `(heads, d_k, embed)`.
        key_places: `(heads, d_k, embed)`.
        value_places: `(heads, d_v, embed)`.
        output_places: `(heads, embed, d_v)`; None where the heads' outputs are concatenated, in this order. Without
            an output projection, but with another order, it is a permutation made of the two constants.
        query_bias_places: `(heads, d_k, n)`: n elements are added, mostly one, none where n is 0.
        key_bias_places: `(heads, d_k, n)`.
        value_bias_places: `(heads, d_v, n)`.
        output_bias_places: `(embed, n)`.
        unused: paths of leaves without a gradient, a key's bias excepted. An output projection that is defined and
            not used is named here and has its role too.
        unexplained: paths of leaves that do have a gradient, and no role.
    """

    leaves: tuple[Leaf, ...]
    query_places: Tensor
    key_places: Tensor
    value_places: Tensor
    output_places: Tensor | None
    query_bias_places: Tensor
    key_bias_places: Tensor
    value_bias_places: Tensor
    output_bias_places: Tensor
    unused: tuple[str, ...]
    unexplained: tuple[str, ...]

    @property
    def query(self) -> tuple[str, ...]:
        """Paths of the leaves that hold query weights."""
        return self._paths(self.query_places)

    @property
    def key(self) -> tuple[str, ...]:
        """Paths of the leaves that hold key weights."""
        return self._paths(self.key_places)

    @property
    def value(self) -> tuple[str, ...]:
        """Paths of the leaves that hold value weights."""
        return self._paths(self.value_places)

    @property
    def output(self) -> tuple[str, ...]:
        """Paths of the leaves that hold output weights; empty without an output projection."""
        return () if self.output_places is None else self._paths(self.output_places)

    def weights(self, values: Mapping[str, Tensor]) -> Weights:
        """The reference's weights where the leaves have these values.

        Raises:
            ValueError: a leaf is missing or has another shape than the leaves the roles were found in.
        """
        for leaf in self.leaves:
            if leaf.path not in values or tuple(values[leaf.path].shape) != leaf.shape:
                raise ValueError(f"{leaf.path}: expected a tensor of shape {leaf.shape}")
        flat = torch.cat([values[leaf.path].reshape(-1) for leaf in self.leaves])
        flat = torch.cat((flat, flat.new_tensor([0.0, 1.0])))
        return Weights(
            query=flat[self.query_places],
            key=flat[self.key_places],
            value=flat[self.value_places],
            output=None if self.output_places is None else flat[self.output_places],
            query_bias=_sum(flat, self.query_bias_places),
            key_bias=_sum(flat, self.key_bias_places),
            value_bias=_sum(flat, self.value_bias_places),
            output_bias=_sum(flat, self.output_bias_places),
        )

    def _paths(self, places: Tensor) -> tuple[str, ...]:
        return tuple(leaf.path for leaf in self.leaves if bool(_within(places, leaf).any()))


def find_roles(
    values: Mapping[str, Tensor], probe: Probe, *, embed_dim: int, num_heads: int, generator: Generator
) -> tuple[Roles, ...]:
    """Find which rows and columns of which leaf are q, k, v and o of which head.

    The probe is called once, with no mask; what it raises is not caught. Correct code has one candidate. Where an
    output projection is defined and not used there are two, first with it, then without; wrong code may have several.
    The caller takes the first whose reference reproduces the output and whose shapes the exercise asks for.

    Args:
        values: every leaf's value, drawn by us (gain 1 is best) and loaded into the module.
        probe: the module, in evaluation mode and without dropout.
        embed_dim: the width of tokens.
        num_heads: how many heads the rows must split into.
        generator: where the tokens and directions come from.

    Returns:
        Candidates, the most plausible first; none where nothing fits, or where the answer is misshapen or not finite.
    """
    if num_heads < 1:
        return ()
    experiment = perform(values, probe, embed_dim=embed_dim, num_heads=num_heads, generator=generator)
    if experiment is None:
        return ()
    return tuple(roles for roles in _candidates(experiment, num_heads) if _distinct(roles))


def _candidates(experiment: Experiment, num_heads: int) -> Iterator[Roles]:
    signatures = read(experiment)
    slots = bind_by_label(signatures, num_heads)
    if slots is not None:
        yield from (_roles(signatures, option) for option in _with_unused_output(signatures, slots))
        return
    loosely = read(replace(experiment, tolerance=LOOSE))
    slots = bind_by_label(loosely, num_heads)
    if slots is not None:
        yield from (_roles(loosely, option) for option in _with_unused_output(loosely, slots))
    yield from (_roles(signatures, slots) for slots in bind_by_block(signatures, num_heads))


def _with_unused_output(signatures: Signatures, slots: Slots) -> Iterator[Slots]:
    if slots.output is not None:
        yield slots
        return
    for output in outputs(signatures, slots.value.numel(), len(slots.value), used=set()):
        yield Slots(query=slots.query, key=slots.key, value=slots.value, output=output)


def _roles(signatures: Signatures, slots: Slots) -> Roles:
    parts, experiment, biases = signatures.parts, signatures.experiment, signatures.row_biases
    output = None if slots.output is None else slots.output.mT
    output_bias = parts.output_biases
    if output is not None and not len(parts.columns):
        output_bias = torch.cat((output_bias, _unused_bias(experiment, output)), 1)
    silent = [leaf for leaf in experiment.leaves if _silent(experiment, leaf)]
    rows = torch.cat([slots.query.flatten(), slots.key.flatten(), slots.value.flatten()])
    playing = [parts.rows[rows], biases[rows], output_bias, *([] if output is None else [output])]
    return Roles(
        leaves=experiment.leaves,
        query_places=parts.rows[slots.query],
        key_places=parts.rows[slots.key],
        value_places=parts.rows[slots.value],
        output_places=output,
        query_bias_places=biases[slots.query],
        key_bias_places=biases[slots.key],
        value_bias_places=biases[slots.value],
        output_bias_places=output_bias,
        unused=tuple(leaf.path for leaf in silent if not bool(_within(biases[slots.key], leaf).any())),
        unexplained=tuple(
            leaf.path
            for leaf in experiment.leaves
            if leaf not in silent and not any(bool(_within(places, leaf).any()) for places in playing)
        ),
    )


def _unused_bias(experiment: Experiment, output: Tensor) -> Tensor:
    """The bias in the layer of an output projection that is not used: `(embed, 1)`, else `(embed, 0)`."""
    weight = next((leaf for leaf in experiment.leaves if bool(_within(output, leaf).any())), None)
    layer = weight.path.rpartition(".")[0] if weight else ""
    for leaf in experiment.leaves:
        if layer and leaf.path.rpartition(".")[0] == layer and leaf.shape == (experiment.embed,):
            return leaf.lines(0, experiment.embed).T
    return torch.empty(experiment.embed, 0, dtype=torch.long)


def _silent(experiment: Experiment, leaf: Leaf) -> bool:
    gradients = experiment.gradients[..., leaf.offset : leaf.offset + leaf.size]
    return bool((gradients.abs() <= experiment.floor).all())


def _within(places: Tensor, leaf: Leaf) -> Tensor:
    return (places >= leaf.offset) & (places < leaf.offset + leaf.size)


def _distinct(roles: Roles) -> bool:
    """Whether no element has two parts to play."""
    weights = (roles.query_places, roles.key_places, roles.value_places)
    biases = (roles.query_bias_places, roles.key_bias_places, roles.value_bias_places, roles.output_bias_places)
    output = () if roles.output_places is None else (roles.output_places,)
    places = torch.cat([place.flatten() for place in (*weights, *biases, *output)])
    places = places[places < sum(leaf.size for leaf in roles.leaves)]  # constants serve as often as they are needed
    return len(set(places.tolist())) == len(places)


def _sum(flat: Tensor, places: Tensor) -> Tensor | None:
    """The biases at these places, added up; None where there are none."""
    return flat[places].sum(-1) if places.shape[-1] and bool((places < len(flat) - 2).any()) else None
