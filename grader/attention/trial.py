"""One input, what a module made of it, and how far any variant of attention is from that.

The same projections, scores and masks serve hundreds of variants, so each is computed once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, TypeVar

import torch
from torch import Tensor

from grader.attention.masking import NO_MASK, WAYS, Scored, Way
from grader.attention.projections import Layout
from grader.attention.variants import IDENTITY, Variant, activated, finish, hidden_always, merge, split, weigh

Made = TypeVar("Made")

SCALES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "1/sqrt(d_k)": (),
        "1": ("scale-missing",),
        "1/sqrt(embed_dim)": ("scale-embed-dim",),
        "1/d_k": ("scale-d-not-sqrt",),
        "1/embed_dim": ("scale-d-not-sqrt",),
        "sqrt(d_k)": ("scale-inverted",),
        "sqrt(embed_dim)": ("scale-inverted",),
        "d_k": ("scale-inverted",),
        "embed_dim": ("scale-inverted",),
        "1/d_k**0.25": ("scale-quarter",),
        "1/embed_dim**0.25": ("scale-quarter",),
        "1/d_k**2": ("scale-d-not-sqrt",),
        "1/sqrt(seq_len)": ("scale-wrong-size",),
        "1/seq_len": ("scale-wrong-size",),
        "1/sqrt(batch)": ("scale-wrong-size",),
        "1/batch": ("scale-wrong-size",),
        "1/sqrt(num_heads)": ("scale-wrong-size",),
        "1/num_heads": ("scale-wrong-size",),
        "1/sqrt(head_dim)": ("scale-wrong-size",),
    }
)
"""What students multiply the scores by, and what it is called; the first is right. `head_dim` is embed_dim over
num_heads, `d_k` what a head's queries really have."""


def scale_numbers(*, d_k: int, embed: int, heads: int, seq: int, batch: int) -> Tensor:
    """The numbers behind `SCALES`, in its order: `(scales,)`."""
    return torch.tensor(
        [
            *(d_k**-0.5, 1.0, embed**-0.5, 1 / d_k, 1 / embed, d_k**0.5, embed**0.5, d_k, embed),
            *(d_k**-0.25, embed**-0.25, d_k**-2.0, seq**-0.5, 1 / seq, batch**-0.5, 1 / batch),
            *(heads**-0.5, 1 / heads, (embed / heads) ** -0.5),
        ],
        dtype=torch.float64,
    )


class Trial:
    """One input and what came of it.

    Attributes:
        x: `(batch, seq, embed)`.
        mask: bool `(batch, seq, seq)`, or None.
        output: what the module made of it.
        decimals: to how many the output is rounded, if it is.
    """

    def __init__(self, x: Tensor, mask: Tensor | None, output: Tensor, *, heads: int, elements: Tensor) -> None:
        self.x = x
        self.mask = mask
        self.output = output
        self.decimals: int | None = None
        self._heads = heads
        self._elements = elements
        self._made: dict[tuple[object, ...], object] = {}
        self._finite = output.isfinite()
        self._is_finite = bool(self._finite.all())
        self._size = float(output[self._finite].abs().max()) if bool(self._finite.any()) else 0.0
        self._unit = self._size or 1.0

    @property
    def is_evidence(self) -> bool:
        """Whether there is any finite number in the output: without one, too many variants agree with it."""
        return self._size > 0.0

    def scales(self, layout: Layout) -> Tensor:
        """The numbers behind `SCALES` for this layout and input."""
        batch, seq, embed = self.x.shape
        d_k = (len(layout.blocks[0].rows) if layout.blocks else embed) // self._heads
        return self._once(
            ("scales", d_k),
            lambda: scale_numbers(d_k=d_k, embed=embed, heads=self._heads, seq=seq, batch=batch),
        )

    def errors(
        self, layout: Layout, variant: Variant, way: Way | None = None, *, scales: Tensor | None = None
    ) -> Tensor | None:
        """How far a variant's output is from the module's, for each scale; None where there is no such variant.

        Args:
            layout: how the parameters are read.
            variant: how attention is done.
            way: what is done with the mask; needed where there is one.
            scales: what the scores are multiplied by; `SCALES` unless told.

        Returns:
            `(scales,)`: the greatest difference over the greatest number of the module's output; inf where they do not
            even agree in which numbers are finite.
        """
        candidate = self.outputs(layout, variant, way, scales=scales)
        if candidate is None or candidate.shape[1:] != self.output.shape:
            return None
        return self._distances(candidate if self.decimals is None else candidate.round(decimals=self.decimals))

    def _distances(self, candidate: Tensor) -> Tensor:
        if self._is_finite:
            return ((candidate - self.output).abs().amax((1, 2, 3)) / self._unit).nan_to_num(
                nan=math.inf, posinf=math.inf
            )
        alike = (
            (candidate.isnan() == self.output.isnan())
            & (candidate.isposinf() == self.output.isposinf())
            & (candidate.isneginf() == self.output.isneginf())
        )
        difference = (candidate - self.output).masked_fill(~self._finite, 0.0).abs().amax((1, 2, 3)) / self._unit
        return torch.where(alike.flatten(1).all(1), difference, math.inf).nan_to_num(nan=math.inf, posinf=math.inf)

    # -- the variant's output, step by step --------------------------------------------------------------------------

    def outputs(
        self, layout: Layout, variant: Variant, way: Way | None = None, *, scales: Tensor | None = None
    ) -> Tensor | None:
        """What a variant makes of the input, for each scale: `(scales, batch, seq, width)`; None where there is no such
        variant. The arguments are those of `errors`."""
        scales = self.scales(layout) if scales is None else scales
        if (self.mask is None) != (way is None) or (variant.split == "none" and variant.merge in ("last", "first")):
            return None
        x = self._tokens(layout, variant)
        if x is None:
            return None
        match variant.merge:
            case "values":
                merged = self._projected(layout, variant, 2)[None]
            case _:
                heads = self._heads_output(layout, variant, way, scales)
                if heads is None:
                    return None
                merged = heads.flatten(3) if variant.split == "tokens" else merge(heads, variant.merge)
        if variant.projected and layout.output is not None:
            columns = self._gathered(layout, "columns", layout.output.columns)  # (features, embed)
            if merged.shape[-1] != len(columns):
                return None
            merged = merged @ columns
            merged = merged + self._once(("output biases", layout.name), partial(self._added, layout.output.biases))
        if variant.sequence_first:
            merged = merged.transpose(1, 2)
        finished = finish(merged, self.x, variant.after, self._affine(layout)) if variant.after else merged
        return None if finished is None else finished.expand(len(scales), *finished.shape[1:])

    def _heads_output(self, layout: Layout, variant: Variant, way: Way | None, scales: Tensor) -> Tensor | None:
        """`(scales, batch, heads, seq, d)`."""
        scores = self._scores(layout, variant)
        if scores is None:
            return None
        wide = scales.view(-1, 1, 1, 1, 1)
        scaled, hidden = scores * wide, hidden_always(scores.shape[-1], variant.causal)
        if hidden is not None and way is not None and variant.causal.endswith("before the mask"):
            scaled, hidden = scaled.masked_fill(hidden, -math.inf), None
        scored = Scored(scaled, wide, lambda each: _weighed(each, variant.softmax, hidden))
        if way is None or self.mask is None:
            weights = scored.softmax(scored.scaled)
        else:
            if variant.sequence_first or variant.split == "tokens":
                if way is not WAYS[NO_MASK]:
                    return None  # the mask's axes are not those of the scores
                weights = scored.softmax(scored.scaled)
            else:
                weights = way(scored, self.mask[:, None])
        if variant.transposed:
            weights = weights.mT
        return weights @ self._split(layout, variant, 2)

    def _scores(self, layout: Layout, variant: Variant) -> Tensor | None:
        key = ("scores", layout.name, variant.roles[:2], variant.normed, variant.sequence_first, variant.activation)

        def make() -> Tensor | None:
            query, keys = self._split(layout, variant, 0), self._split(layout, variant, 1)
            return query @ keys.mT if query.shape == keys.shape else None

        return self._once((*key, variant.split), make)

    def _split(self, layout: Layout, variant: Variant, role: int) -> Tensor:
        key = ("split", layout.name, role, variant.roles[role], variant.normed, variant.sequence_first)
        return self._once(
            (*key, variant.activation, variant.split),
            lambda: split(self._projected(layout, variant, role), self._heads, variant.split, "qkv"[role]),
        )

    def _projected(self, layout: Layout, variant: Variant, role: int) -> Tensor:
        number = variant.roles[role]
        key = ("projected", layout.name, number, variant.normed, variant.sequence_first)

        def make() -> Tensor:
            x = self._tokens(layout, variant)
            assert x is not None
            if number == IDENTITY:
                return x
            block = layout.blocks[number]
            return x @ self._elements[block.rows].T + self._added(block.biases)

        return activated(self._once(key, make), "qkv"[role], variant.activation)

    def _tokens(self, layout: Layout, variant: Variant) -> Tensor | None:
        def make() -> Tensor | None:
            x = self.x.transpose(0, 1) if variant.sequence_first else self.x
            if variant.normed == "layer norm":
                return torch.nn.functional.layer_norm(x, x.shape[-1:])
            if variant.normed == "affine layer norm":
                affine = self._affine(layout)
                return None if affine is None else torch.nn.functional.layer_norm(x, x.shape[-1:], *affine)
            return x

        return self._once(("tokens", layout.name, variant.normed, variant.sequence_first), make)

    def _affine(self, layout: Layout) -> tuple[Tensor, Tensor] | None:
        return None if layout.affine is None else (self._elements[layout.affine[0]], self._elements[layout.affine[1]])

    def _added(self, places: Tensor) -> Tensor:
        return self._elements[places].sum(-1)

    def _gathered(self, layout: Layout, name: str, places: Tensor) -> Tensor:
        return self._once((name, layout.name), lambda: self._elements[places])

    def _once(self, key: tuple[object, ...], make: Callable[[], Made]) -> Made:
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]  # type: ignore[assignment]
        return made


def _weighed(scores: Tensor, softmax: str, hidden: Tensor | None) -> Tensor:
    return weigh(scores if hidden is None else scores.masked_fill(hidden, -math.inf), softmax)
