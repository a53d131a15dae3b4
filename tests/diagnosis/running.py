"""Builds submissions and runs them: what the source text computes, whatever it claims to be."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from grader import leaves
from grader.attention import draw_mask, draw_tokens, relative_error

SIZES = ((24, 4, 3, 5), (15, 3, 2, 4))
"""embed_dim, num_heads, batch, seq: no number stands for another at both."""
SAME = 1e-6


def class_of(source: str) -> type[nn.Module]:
    """The class that a source defines, in a namespace of its own."""
    namespace: dict[str, Any] = {"__name__": "submission"}
    exec(compile(source, "submission.py", "exec"), namespace)
    found: type[nn.Module] = namespace.get("MultiHeadSelfAttention") or namespace["SelfAttention"]
    return found


def build(source: str, embed_dim: int, num_heads: int, *, heads: bool = True) -> nn.Module:
    """A module in float64 and evaluation mode, its weights drawn from the paths they stand at."""
    made = class_of(source)
    module = made(embed_dim, num_heads) if heads else made(embed_dim)
    module.double().eval()
    if any(leaves.is_lazy(leaf) for _, leaf, _ in leaves.walk(module)):
        module(torch.zeros(1, 2, embed_dim, dtype=torch.float64))
    for path, leaf, _ in leaves.walk(module):
        generator = torch.Generator().manual_seed(zlib.crc32(repr((path, tuple(leaf.shape))).encode()))
        noise = torch.randn(leaf.shape, dtype=torch.float64, generator=generator)
        leaf.data = noise * (0.5 if leaf.dim() < 2 else 1.2 * embed_dim**-0.5)
    return module


Answer = Tensor | str
"""An output, or the kind of exception."""


def call(module: nn.Module, x: Tensor, mask: Tensor | None) -> Answer:
    """What a module answers."""
    torch.manual_seed(0)
    try:
        with torch.no_grad():
            result = module(x.clone()) if mask is None else module(x.clone(), mask.clone())
    except Exception as error:
        return type(error).__name__
    return result[0] if isinstance(result, tuple) else result


@lru_cache(maxsize=4096)
def behaviour(source: str, *, heads: bool = True) -> tuple[Answer, ...]:
    """What a submission answers to a few inputs, without and with a mask, at two sizes."""
    answers = []
    for embed_dim, num_heads, batch, seq in SIZES:
        generator = torch.Generator().manual_seed(11)
        module = build(source, embed_dim, num_heads, heads=heads)
        x, mask = draw_tokens(batch, seq, embed_dim, generator), draw_mask(batch, seq, generator)
        answers += [call(module, x, None), call(module, x, mask), call(module, x, mask[0].double())]
    return tuple(answers)


def same_answer(one: Answer, other: Answer) -> bool:
    """Whether two answers are the same; nan and infinities have to stand in the same places."""
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str) and one == other
    if one.shape != other.shape:
        return False
    one, other = one.double(), other.double()
    special = torch.nan_to_num(one, nan=1.0, posinf=2.0, neginf=3.0).where(~one.isfinite(), 0.0)
    others = torch.nan_to_num(other, nan=1.0, posinf=2.0, neginf=3.0).where(~other.isfinite(), 0.0)
    finite = one.isfinite() & other.isfinite()
    if not torch.equal(special, others):
        return False
    return relative_error(one.where(finite, 0.0), other.where(finite, 0.0)) < SAME


def same_function(one: str, other: str, *, heads: bool = True) -> bool:
    """Whether two submissions with the same weights answer the same to everything."""
    answers = zip(behaviour(one, heads=heads), behaviour(other, heads=heads), strict=True)
    return all(same_answer(left, right) for left, right in answers)
