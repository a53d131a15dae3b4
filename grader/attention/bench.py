"""A module at one size, asked everything the search needs: one token, tokens without a mask, tokens under masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Generator, Tensor

from grader.attention.drawing import draw_tokens, draw_values
from grader.attention.experiment import Experiment, perform
from grader.attention.layouts import layouts
from grader.attention.projections import Layout, elements, shapes_of
from grader.attention.questions import GAIN, Questions
from grader.attention.subject import NoAnswer, Subject
from grader.attention.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Sizes of a module and of what it is asked."""

    embed_dim: int
    num_heads: int
    batch: int
    seq: int


FIRST_SIZE: Final = Size(embed_dim=24, num_heads=4, batch=3, seq=5)
SECOND_SIZE: Final = Size(embed_dim=35, num_heads=5, batch=2, seq=6)
"""Two sizes among whose numbers none stands for another: no mistake coincides with the reference, or with another
mistake, at both."""


@dataclass(slots=True, kw_only=True)
class Bench:
    """What was asked of a module at one size, and what it answered.

    Attributes:
        elements: all its learnable elements, and the constants 0 and 1.
        layouts: the ways to read them.
        experiment: what its gradients said; None where they said nothing.
        one_token: an input of one token, and what becomes of it; None where it answers none.
        is_overheard: whether that is what a neighbour hears, since a token by itself has nothing to look at.
        plain: without a mask.
        masked: under masks; empty where it takes none, or answers with nothing but nan.
        refusal: what it said instead of an answer under a mask.
        decimals: to how many the outputs are rounded, if they are.
        subject: the module itself.
        silent: the first trial under a mask, if its output is nothing but nan.
    """

    embed_dim: int
    num_heads: int
    elements: Tensor
    layouts: tuple[Layout, ...]
    experiment: Experiment | None
    one_token: tuple[Tensor, Tensor] | None
    is_overheard: bool = False
    plain: Trial
    masked: tuple[Trial, ...] = ()
    refusal: str = ""
    decimals: int | None = None
    subject: Subject
    silent: Trial | None = None

    def layout(self, name: str) -> Layout | None:
        """The layout with this name."""
        return next((layout for layout in self.layouts if layout.name == name), None)

    def with_other_weights(self) -> Trial:
        """What the module makes of fewer tokens with other weights. Raises `NoAnswer`."""
        kept = dict(self.subject.values)
        generator = torch.Generator().manual_seed(11)
        self.subject.load(draw_values(shapes_of(kept), embed_dim=self.embed_dim, gain=1.2, generator=generator))
        batch, seq, _ = self.plain.x.shape
        x = draw_tokens(batch + 1, seq - 2, self.embed_dim, generator)
        try:
            output = self.subject(x)
            flat = elements(self.subject.values)
        finally:
            self.subject.load(kept)
        trial = Trial(x, None, output, heads=self.num_heads, elements=flat)
        trial.decimals = self.decimals
        return trial

    def tolerance(self, tolerance: float) -> float:
        """The relative error of a match of one token, also where outputs are rounded."""
        size = 0.0 if self.one_token is None else float(self.one_token[1].abs().max())
        return tolerance if self.decimals is None or not size else max(tolerance, 0.6 * 10.0**-self.decimals / size)

    @property
    def is_silent(self) -> bool:
        """Whether gradients do not reach some of what may be used all the same."""
        return self.experiment is None or any(block.idle for layout in self.layouts for block in layout.blocks)


def set_up(subject: Subject, asked: Questions, *, generator: Generator, loud: bool) -> Bench:
    """Ask a module. Raises `NoAnswer` when it does not even answer without a mask.

    Args:
        subject: the module; values are drawn for it.
        asked: the inputs.
        generator: where values come from.
        loud: whether to ask once more with large tokens under a mask.
    """
    embed, heads = subject.embed_dim, subject.num_heads
    subject.load(draw_values(shapes_of(subject.values), embed_dim=embed, gain=GAIN, generator=generator))
    flat = elements(subject.values)
    x = asked.tokens
    plain = Trial(x, None, subject(x), heads=heads, elements=flat)
    if plain.output.dim() != 3:
        raise NoAnswer(f"the output has the shape {tuple(plain.output.shape)}")
    plain.decimals = decimals = rounded_to(plain.output)
    experiment = _experiment(subject, generator, is_usual=plain.output.shape == x.shape)
    bench = Bench(
        embed_dim=embed,
        num_heads=heads,
        elements=flat,
        layouts=layouts(subject.values, experiment, embed_dim=embed, num_heads=heads),
        experiment=experiment,
        one_token=_one_token(subject, asked.one_token),
        plain=plain,
        decimals=decimals,
        subject=subject,
    )
    if bench.one_token is None:
        bench.one_token = _overheard(subject, asked.one_token, x[:1, :1])
        bench.is_overheard = bench.one_token is not None
    _ask_with_masks(bench, subject, asked, loud=loud)
    return bench


def rounded_to(output: Tensor) -> int | None:
    """To how many decimals all numbers of an output are rounded; None where they are not.

    A few numbers that are whole, such as signs, are not what rounding leaves; nor are numbers so large that all are.
    """
    finite = output[output.isfinite()]
    if not len(finite) or len(set(finite.tolist())) < FEWEST or float(finite.abs().max()) > LARGEST:
        return None
    for decimals in range(7):
        shifted = finite * 10.0**decimals
        if bool(((shifted - shifted.round()).abs() < 1e-7).all()):
            return decimals
    return None


FEWEST: Final = 5
LARGEST: Final = 1e5


def _experiment(subject: Subject, generator: Generator, *, is_usual: bool) -> Experiment | None:
    """What gradients say; nothing where there are none at all, as behind a rounding."""
    try:
        found = perform(
            subject.values,
            subject.probe,
            embed_dim=subject.embed_dim,
            num_heads=subject.num_heads,
            generator=generator,
            shape_for=None if is_usual else lambda x: tuple(subject(x).shape),
        )
    except NoAnswer:
        return None
    return found if found is not None and found.floor > 0 else None


def _one_token(subject: Subject, x: Tensor) -> tuple[Tensor, Tensor] | None:
    try:
        output = subject(x)
    except NoAnswer:
        return None
    return (x, output) if output.dim() == 3 and bool(output.isfinite().all()) else None


def _overheard(subject: Subject, x: Tensor, neighbour: Tensor) -> tuple[Tensor, Tensor] | None:
    """What the token becomes for the one after it, where tokens look only at those before them: not at themselves."""
    try:
        output = subject(torch.cat((x, neighbour), dim=1))
    except NoAnswer:
        return None
    is_so = output.dim() == 3 and output.shape[1] == 2 and not bool(output[:, 0].isfinite().any())
    return (x, output[:, 1:]) if is_so and bool(output[:, 1].isfinite().all()) else None


def _ask_with_masks(bench: Bench, subject: Subject, asked: Questions, *, loud: bool) -> None:
    asking = [(asked.tokens, asked.mask), *([(asked.loud_tokens, asked.loud_mask)] if loud else [])]
    trials = []
    for tokens, mask in asking:
        try:
            output = subject(tokens, mask)
        except NoAnswer as refusal:
            bench.refusal = str(refusal)
            return
        if output.dim() == 3:
            trials.append(Trial(tokens, mask, output, heads=bench.num_heads, elements=bench.elements))
            trials[-1].decimals = bench.decimals
    bench.masked = tuple(trial for trial in trials if trial.is_evidence)
    bench.silent = next((trial for trial in trials[:1] if bool(trial.output.isnan().all())), None)
