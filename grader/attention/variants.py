"""One parametric family of self-attention: the textbook's, and every known mistake as one small change of it.

A `Variant` says for each step of attention how it is done; the defaults are the reference (Vaswani et al., 2017,
section 3.2). Every other value is a mistake with a name. So a wrong module is a place in the family, several mistakes
are several steps away from the reference, and to diagnose is to find the place whose output is the module's.

    x -> (normed) -> project q, k, v -> (activation) -> split -> q k^T * scale -> mask -> softmax -> (transposed)
      -> times v -> merge -> project -> (after)

The scale has an axis of its own in every tensor, so that all scales are tried at once. What masks do is `masking`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor

IDENTITY: Final = -1
"""The number of the projection that is none: the tokens themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How each step of attention is done.

    Attributes:
        roles: the numbers of the projections that serve as query, key and value; `IDENTITY` is none.
        normed: what is done to the tokens first.
        sequence_first: whether the first axis is taken for the tokens, the second for the samples.
        activation: a nonlinearity on projections, and on which: `("relu", "qkv")`.
        split: how features are shared among heads.
        causal: which tokens are hidden whatever mask is given.
        softmax: what makes attention weights of scores, and along which axis.
        transposed: whether the attention weights are transposed before they meet the values.
        merge: how the heads' outputs become one.
        projected: whether the output projection is applied.
        after: what is done to the output at last.
    """

    roles: tuple[int, int, int] = (0, 1, 2)
    normed: str = ""
    sequence_first: bool = False
    activation: tuple[str, str] = ("", "")
    split: str = "heads"
    causal: str = ""
    softmax: str = "keys"
    transposed: bool = False
    merge: str = "concatenated"
    projected: bool = True
    after: tuple[str, ...] = ()


Activation = Callable[[Tensor], Tensor]

ACTIVATIONS: Final[Mapping[str, Activation]] = MappingProxyType(
    {
        "relu": torch.relu,
        "gelu": torch.nn.functional.gelu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "silu": torch.nn.functional.silu,
        "leaky relu": torch.nn.functional.leaky_relu,
    }
)

CHANGES: Final[Mapping[str, Mapping[object, tuple[str, ...]]]] = MappingProxyType(
    {
        "normed": {"layer norm": ("normalisation-inside",), "affine layer norm": ("normalisation-inside",)},
        "sequence_first": {True: ("batch-sequence-mixed", "sequence-first")},
        "activation": {
            (kind, where): ("activation-on-projection",)
            for where in ("qkv", "q", "k", "v", "qk")
            for kind in ACTIVATIONS
        },
        "split": {
            "raw": ("heads-view-no-transpose",),
            "raw q": ("heads-view-no-transpose",),
            "raw k": ("heads-view-no-transpose",),
            "raw v": ("heads-view-no-transpose",),
            "raw qk": ("heads-view-no-transpose",),
            "none": ("heads-not-split",),
            "tokens": ("heads-view-no-transpose",),
        },
        "causal": {
            "present": ("mask-always-causal",),
            "next": ("mask-off-by-one-leak",),
            "past": ("mask-off-by-one-no-self",),
            "others": ("mask-off-by-one-no-self",),
            "present, before the mask": ("mask-always-causal",),
            "next, before the mask": ("mask-off-by-one-leak",),
            "past, before the mask": ("mask-off-by-one-no-self",),
            "others, before the mask": ("mask-off-by-one-no-self",),
        },
        "softmax": {
            "queries": ("softmax-dim-query",),
            "heads": ("softmax-dim-head",),
            "batch": ("softmax-dim-batch",),
            "batch and heads": ("softmax-dim-batch",),
            "none": ("softmax-missing",),
            "twice": ("softmax-twice",),
            "global": ("softmax-global",),
            "sigmoid": ("softmax-replaced",),
            "l1": ("softmax-replaced",),
            "sum": ("softmax-replaced",),
            "log": ("softmax-replaced",),
            "exp": ("softmax-replaced",),
            "relu": ("softmax-replaced",),
            "relu sum": ("softmax-replaced",),
            "tanh": ("softmax-replaced",),
            "squared": ("softmax-replaced",),
            "l2": ("softmax-replaced",),
            "hard": ("softmax-replaced",),
        },
        "transposed": {True: ("attention-transposed",)},
        "merge": {
            "raw": ("merge-view-no-transpose",),
            "heads first": ("heads-concatenated-wrong-dim",),
            "tokens first": ("heads-concatenated-wrong-dim",),
            "sum": ("heads-summed",),
            "mean": ("heads-averaged",),
            "along tokens": ("heads-concatenated-wrong-dim",),
            "along samples": ("heads-concatenated-wrong-dim",),
            "last": ("loop-keeps-last-head",),
            "first": ("loop-returns-early",),
            "values": ("attention-unused",),
        },
        "after": {
            ("residual",): ("residual-inside",),
            ("layer norm",): ("normalisation-inside",),
            ("affine layer norm",): ("normalisation-inside",),
            **{(kind,): ("activation-on-output",) for kind in ACTIVATIONS},
        },
    }
)
"""For each step its wrong values, and what the mistake is called: the first id, then others for the same function."""

OVER_HEADS: Final = frozenset({"heads", "batch and heads"})
"""Softmaxes that need more than one head to be any different."""

CERTAIN: Final = frozenset({"keys", "queries", "twice", "global", "batch", "sum", "relu sum", "hard"})
"""Ways to make weights by which one token alone attends to itself with weight one, whatever its score is. (By "relu
sum" it may also get nothing.)"""


LINEAR: Final = frozenset({"none", "l1", "sum", "relu", "relu sum", "tanh", "squared", "l2"})
"""Ways to make weights by which a score of nothing is a weight of nothing."""


@cache
def steps_from_reference(heads: int) -> tuple[tuple[str, object], ...]:
    """Every single change there is, as step and value."""
    return tuple(
        (step, value)
        for step, values in CHANGES.items()
        for value in values
        if heads > 1 or not (step in ("split", "merge") or (step == "softmax" and value in OVER_HEADS))
    )


def names(variant: Variant) -> tuple[tuple[str, ...], ...]:
    """For each change of a variant, roles excepted, the ids of the mistake: the first is its name."""
    found: list[tuple[str, ...]] = []
    for field in fields(Variant):
        value = getattr(variant, field.name)
        if field.name == "after":
            found += [CHANGES["after"][(each,)] for each in value if (each,) in CHANGES["after"]]
        elif field.name in CHANGES and value in CHANGES[field.name]:
            found.append(CHANGES[field.name][value])
    return tuple(found)


# -- the steps, in the order in which they are taken -------------------------------------------------------------------


def activated(projected: Tensor, role: str, activation: tuple[str, str]) -> Tensor:
    """A projection `(batch, seq, features)` after its nonlinearity, if it has one."""
    kind, where = activation
    return ACTIVATIONS[kind](projected) if kind and role in where else projected


def split(projected: Tensor, heads: int, how: str, role: str) -> Tensor:
    """Features shared among heads: `(batch, seq, heads * d)` to `(batch, heads, seq, d)`.

    "raw" reshapes without moving an axis, of all projections or of those it names; "tokens" never swaps heads and
    tokens, so that heads meet instead of tokens.
    """
    batch, seq, width = projected.shape
    kind, _, roles = how.partition(" ")
    match kind:
        case "raw" if role in (roles or "qkv"):
            return projected.reshape(batch, heads, seq, width // heads)
        case "none":
            return projected[:, None]
        case "tokens":
            return projected.view(batch, seq, heads, width // heads)
    return projected.view(batch, seq, heads, width // heads).transpose(1, 2)


def weigh(scores: Tensor, how: str) -> Tensor:
    """Attention weights of scores `(..., batch, heads, seq of queries, seq of keys)`."""
    return _WEIGHTS[how](scores)


def _over_batch_and_heads(scores: Tensor) -> Tensor:
    return scores.flatten(-4, -3).softmax(-3).view_as(scores)


_WEIGHTS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = MappingProxyType(
    {
        "keys": lambda scores: scores.softmax(-1),
        "queries": lambda scores: scores.softmax(-2),
        "heads": lambda scores: scores.softmax(-3),
        "batch": lambda scores: scores.softmax(-4),
        "batch and heads": _over_batch_and_heads,
        "none": lambda scores: scores,
        "twice": lambda scores: scores.softmax(-1).softmax(-1),
        "global": lambda scores: scores.flatten(-2).softmax(-1).view_as(scores),
        "sigmoid": torch.sigmoid,
        "l1": lambda scores: scores / scores.abs().sum(-1, keepdim=True).clamp_min(1e-12),
        "sum": lambda scores: scores / scores.sum(-1, keepdim=True),
        "log": lambda scores: scores.log_softmax(-1),
        "exp": torch.exp,
        "relu": torch.relu,
        "relu sum": lambda scores: torch.nn.functional.normalize(scores.relu(), p=1.0, dim=-1),
        "tanh": torch.tanh,
        "squared": lambda scores: scores * scores,
        "l2": lambda scores: torch.nn.functional.normalize(scores, dim=-1),
        "hard": lambda scores: torch.zeros_like(scores).scatter(-1, scores.argmax(-1, keepdim=True), 1.0),
    }
)


def merge(heads: Tensor, how: str) -> Tensor:
    """The heads' outputs as one: `(scales, batch, heads, seq, d)` to `(scales, batch, seq, heads * d)`.

    "raw" reshapes without moving the heads' axis; "heads first" and "tokens first" do so with the heads, or the tokens,
    before the samples. The others leave one head's width; "along tokens" and "along samples" lengthen another axis.
    """
    scales, batch, count, seq, width = heads.shape
    match how:
        case "raw":
            return heads.reshape(scales, batch, seq, count * width)
        case "heads first":
            return heads.transpose(1, 2).reshape(scales, batch, seq, count * width)
        case "tokens first":
            return heads.movedim(3, 1).reshape(scales, batch, seq, count * width)
        case "sum":
            return heads.sum(2)
        case "mean":
            return heads.mean(2)
        case "last":
            return heads[:, :, -1]
        case "first":
            return heads[:, :, 0]
        case "along tokens":
            return heads.flatten(2, 3)
        case "along samples":
            return heads.transpose(1, 2).flatten(1, 2)
    return heads.transpose(2, 3).flatten(3)


def finish(output: Tensor, x: Tensor, steps: tuple[str, ...], affine: tuple[Tensor, Tensor] | None) -> Tensor | None:
    """What is done to the output at last; None where it cannot be."""
    for step in steps:
        if step == "residual":
            if output.shape[-1] != x.shape[-1]:
                return None
            output = output + x
        elif step == "layer norm":
            output = torch.nn.functional.layer_norm(output, output.shape[-1:])
        elif step == "affine layer norm":
            if affine is None or affine[0].shape != output.shape[-1:]:
                return None
            output = torch.nn.functional.layer_norm(output, output.shape[-1:], *affine)
        elif step.startswith("rounded"):
            output = torch.round(output, decimals=int(step.removeprefix("rounded ")))
        else:
            output = ACTIVATIONS[step](output)
    return output


@cache
def hidden_always(seq: int, causal: str) -> Tensor | None:
    """What is hidden whatever mask is given: bool `(seq, seq)`, or None for nothing."""
    ones = torch.ones(seq, seq, dtype=torch.bool)
    match causal.partition(",")[0]:
        case "present":
            return ~ones.tril()
        case "next":
            return ~ones.tril(1)
        case "past":
            return ~ones.tril(-1)
        case "others":
            return torch.eye(seq, dtype=torch.bool)
    return None
