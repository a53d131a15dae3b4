"""Every single change of attention, and what each makes of the inputs that modules are asked about."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from grader.attention.bench import Size
from grader.attention.masking import WAYS, WRONG, Way
from grader.attention.projections import Layout, Output
from grader.attention.questions import Questions, Textbook, questions, textbook
from grader.attention.reference import self_attention
from grader.attention.trial import SCALES, Trial
from grader.attention.variants import CHANGES, Variant, steps_from_reference

REFERENCE = Variant()
RIGHT_WAY = WAYS["-inf"]
NARROW = ("sum", "mean", "last", "first", "along tokens", "along samples")
"""Merges that leave one head's width, so that the output projection is as narrow."""


@dataclass(frozen=True)
class Change:
    """One mistake: a variant, the number of its scale, a way to treat masks, and what it is called."""

    name: str
    id: str
    variant: Variant = REFERENCE
    scale: int = 0
    way: Way = RIGHT_WAY
    narrow: bool = False


def changes(heads: int) -> Iterator[Change]:
    for step, value in steps_from_reference(heads):
        name = f"{step}: {value}"
        narrow = step == "merge" and value in NARROW
        variant = Variant(**{step: value})  # type: ignore[arg-type]
        yield Change(name, CHANGES[step][value][0], variant=variant, narrow=narrow)
    for number, (name, ids) in enumerate(SCALES.items()):
        if ids:
            yield Change(f"scale: {name}", ids[0], scale=number)
    for name, (way, ids) in WRONG.items():
        yield Change(f"mask: {name}", ids[0], way=way)


class Asked:
    """Attention with weights like a student's, and the inputs of one size, without and with masks."""

    def __init__(self, size: Size, heads: int, *, seed: int, loud: bool) -> None:
        self.questions: Questions = questions(
            embed_dim=size.embed_dim, num_heads=heads, batch=size.batch, seq=size.seq, seed=seed
        )
        self.right: Textbook = textbook(size.embed_dim, heads, torch.Generator().manual_seed(seed + 1))
        asked = self.questions
        inputs = [(asked.tokens, None), (asked.tokens, asked.mask)]
        if loud:
            inputs.append((asked.loud_tokens, asked.loud_mask))
        self.trials = [
            Trial(x, mask, self_attention(x, self.right.weights, mask), heads=heads, elements=self.right.elements)
            for x, mask in inputs
        ]

    def layout(self, *, narrow: bool) -> Layout:
        right = self.right.layout
        if not narrow:
            return right
        assert right.output is not None
        width = len(right.blocks[0].rows) // self.right.weights.query.shape[0]
        output = Output(
            columns=right.output.columns[:width], biases=right.output.biases, paths=right.output.paths, idle=False
        )
        return replace(right, name="narrow", output=output)

    def outputs(self, change: Change) -> list[Tensor | None]:
        """What it makes of each input; None where a mask's axes would not be those of the scores."""
        found: list[Tensor | None] = []
        for trial in self.trials:
            layout = self.layout(narrow=change.narrow)
            made = trial.outputs(layout, change.variant, None if trial.mask is None else change.way)
            found.append(None if made is None else made[change.scale])
        return found


def distances(outputs: list[Tensor | None]) -> Tensor:
    """How far all pairs of outputs of one input are apart, relative to the greater; inf where a shape differs, or what
    is not finite; 0 where one of them is no output."""
    count = len(outputs)
    apart = torch.full((count, count), torch.inf, dtype=torch.float64)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for number, output in enumerate(outputs):
        if output is not None:
            by_shape.setdefault(tuple(output.shape), []).append(number)
        else:
            apart[number] = apart[:, number] = 0.0
    for members in by_shape.values():
        rows = torch.stack([outputs[number].flatten() for number in members])  # type: ignore[union-attr]
        sizes = rows.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0).abs().amax(1).clamp_min(1e-300)
        kinds = torch.where(rows.isfinite(), 0.0, rows.nan_to_num(nan=1.0, posinf=2.0, neginf=3.0))
        alike = torch.cdist(kinds, kinds, p=torch.inf) == 0
        finite = rows.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
        difference = torch.cdist(finite, finite, p=torch.inf) / torch.maximum(sizes[:, None], sizes)
        where = torch.tensor(members)
        apart[where[:, None], where] = torch.where(alike, difference, torch.inf)
    return apart


def coinciding(asked: list[Asked], heads_of: list[int], nearer_than: float) -> set[tuple[str, str]]:
    """The pairs of changes with different ids that are nearer than this for every input."""
    listed = [list(changes(heads)) for heads in heads_of]
    apart = torch.stack(
        [
            distances(list(outputs))
            for each, found in zip(asked, listed, strict=True)
            for outputs in zip(*(each.outputs(change) for change in found), strict=True)
        ]
    ).amax(0)
    return {
        (listed[0][one].name, listed[0][other].name)
        for one, other in itertools.combinations(range(len(listed[0])), 2)
        if listed[0][one].id != listed[0][other].id and float(apart[one, other]) <= nearer_than
    }
