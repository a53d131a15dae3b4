"""Attention weights, read off a module that returns only its output.

Theory of operation. The output is linear in the values. So they are chosen to tell the tokens apart: with fewer tokens
than features, a row of the value projection can be made 1 for one token and 0 for all others. Head h gets such a row
for every token, and then, apart from the bias of the output projection,

    output[t] = sum over heads h and tokens j of A[h, t, j] * O[h, j]

where O[h, j] is the column of the output projection that takes that row to the output. As long as heads * seq is at
most the width, A is the solution of a linear system: what each query takes from each token through each head, whatever
the code does to get there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from grader.attention.drawing import causal_mask, draw_tokens
from grader.attention.projections import Layout, elements
from grader.attention.reference import Weights, attention_weights
from grader.attention.subject import Subject
from grader.attention.variants import Variant

TOKENS = ("The", "cat", "sat", "on", "the", "mat")
"""The public example; with four heads of six features, as many tokens as a head can tell apart."""


def example(embed_dim: int) -> Tensor:
    """The tokens of the public example: `(1, seq, embed)`, always the same."""
    return draw_tokens(1, len(TOKENS), embed_dim, Generator().manual_seed(2017))


def example_mask() -> Tensor:
    """A causal mask for it: `(1, seq, seq)`, bool."""
    return causal_mask(len(TOKENS))[None]


def can_be_read(variant: Variant) -> bool:
    """Whether the values reach the output in no other way than they should, so that weights can be read off."""
    kind, _, roles = variant.split.partition(" ")
    straight = variant.merge in ("concatenated", "raw", "heads first", "tokens first")
    as_they_are = not variant.normed and not variant.after and "v" not in variant.activation[1]
    return straight and as_they_are and not (kind == "raw" and "v" in (roles or "qkv"))


def exposed_weights(subject: Subject, layout: Layout, value: int, mask: Tensor | None) -> Tensor | None:
    """What each query takes from each key through each head, on the public example.

    Args:
        subject: the module; its values are changed meanwhile.
        layout: how its parameters are read.
        value: the number of the block that serves as value, and as nothing else.
        mask: bool `(1, seq, seq)`, or None.

    Returns:
        `(heads, seq of queries, seq of keys)`; None where heads and tokens are too many for the width, or where values
        cannot be chosen for each head: some share an element, or have a constant in their place. Raises `NoAnswer`
        where the module does.
    """
    embed, heads, seq = subject.embed_dim, subject.num_heads, len(TOKENS)
    rows = layout.blocks[value].rows
    per_head = len(rows) // heads
    if per_head < seq or heads * seq > embed:
        return None
    x = example(embed)
    kept = dict(subject.values)
    flat = elements(kept)
    telling = torch.zeros(heads, per_head, embed, dtype=torch.float64)
    telling[:, :seq] = torch.linalg.pinv(x[0]).T  # (seq, embed): each row is 1 for one token and 0 for the others
    flat[rows] = telling.flatten(0, 1)
    flat[layout.blocks[value].biases] = 0.0
    flat[-2], flat[-1] = 0.0, 1.0
    if not torch.equal(flat[rows], telling.flatten(0, 1)):
        return None
    subject.load(cut(flat, kept))
    try:
        output = subject(x, mask)
    finally:
        subject.load(kept)
    columns, bias = _columns(layout, flat, heads, per_head)
    if output.shape != x.shape or columns.shape[-1] != embed:
        return None
    places = columns[:, :seq].flatten(0, 1)  # (heads * seq, embed)
    # A query whose output is not finite is nan in the product, and its weights with it.
    solved: Tensor = (output[0] - bias) @ torch.linalg.pinv(places)  # (seq of queries, heads * seq)
    return solved.view(seq, heads, seq).transpose(0, 1)


def expected_weights(weights: Weights, embed_dim: int, mask: Tensor | None) -> Tensor:
    """What each query should take from each key, with the same weights: `(heads, seq, seq)`."""
    return attention_weights(example(embed_dim), weights, mask)[0]


def layout_weights(layout: Layout, roles: tuple[int, int, int], values: Mapping[str, Tensor], heads: int) -> Weights:
    """The reference's weights where a layout's blocks play these roles."""
    flat = elements(values)
    query, key, value = (layout.blocks[number] for number in roles)

    def matrix(places: Tensor) -> Tensor:
        return flat[places].view(heads, -1, places.shape[-1])

    def bias(places: Tensor) -> Tensor:
        return flat[places].sum(-1).view(heads, -1)

    output = layout.output
    return Weights(
        query=matrix(query.rows),
        key=matrix(key.rows),
        value=matrix(value.rows),
        output=None if output is None or output.idle else matrix(output.columns).mT,
        query_bias=bias(query.biases),
        key_bias=bias(key.biases),
        value_bias=bias(value.biases),
        output_bias=None if output is None or output.idle else flat[output.biases].sum(-1),
    )


def cut(flat: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """One vector of all elements as the leaves they stand in."""
    found, start = {}, 0
    for path, value in like.items():
        size = math.prod(value.shape)
        found[path] = flat[start : start + size].view(value.shape)
        start += size
    return found


def _columns(layout: Layout, flat: Tensor, heads: int, per_head: int) -> tuple[Tensor, Tensor]:
    """What takes each value row to the output, `(heads, features, embed)`, and what is added: `(embed,)`."""
    output = layout.output
    if output is None or output.idle:
        width = heads * per_head
        identity = torch.eye(width, dtype=torch.float64).view(heads, per_head, width)
        return identity, torch.zeros(width, dtype=torch.float64)
    return flat[output.columns].view(heads, per_head, -1), flat[output.biases].sum(-1)
