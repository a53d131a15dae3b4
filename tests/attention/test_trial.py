"""How far a module's output is from a variant: measured against modules written with that mistake."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from textbook import Textbook
from torch import Tensor, nn

from grader.attention.bench import FIRST_SIZE
from grader.attention.drawing import draw_mask, draw_tokens
from grader.attention.layouts import layouts
from grader.attention.masking import WAYS
from grader.attention.projections import Layout, elements
from grader.attention.questions import textbook
from grader.attention.reference import self_attention
from grader.attention.subject import LocalSubject
from grader.attention.trial import SCALES, Trial, scale_numbers
from grader.attention.variants import IDENTITY, Variant
from grader.catalogue import CATALOGUE

EMBED, HEADS, BATCH, SEQ = FIRST_SIZE.embed_dim, FIRST_SIZE.num_heads, FIRST_SIZE.batch, FIRST_SIZE.seq
NAMES = list(SCALES)
RIGHT = textbook(EMBED, HEADS, torch.Generator().manual_seed(0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_scale_is_what_its_name_says() -> None:
    numbers = {"d_k": 7, "embed_dim": 35, "head_dim": 8.75, "num_heads": 4, "seq_len": 5, "batch": 3}

    found = scale_numbers(d_k=7, embed=35, heads=4, seq=5, batch=3)

    expected = [eval(name, {"sqrt": math.sqrt, **numbers}) for name in SCALES]
    assert found.tolist() == pytest.approx(expected, rel=1e-15)


def test_the_first_scale_is_right_and_all_others_have_a_name() -> None:
    first, *others = SCALES.values()

    assert first == ()
    assert all(ids and set(ids) <= set(CATALOGUE) for ids in others)


class OverQueries(Textbook):
    def weighed(self, scores: Tensor) -> Tensor:
        return scores.softmax(-2)


class OverHeads(Textbook):
    def weighed(self, scores: Tensor) -> Tensor:
        return scores.softmax(1)


class Twice(Textbook):
    def weighed(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1).softmax(-1)


class Transposed(Textbook):
    def weighed(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1).mT


class Viewed(Textbook):
    def split(self, projected: Tensor) -> Tensor:
        batch, seq, embed = projected.shape
        return projected.view(batch, self.heads, seq, embed // self.heads)


class HeadsForTokens(Textbook):
    def split(self, projected: Tensor) -> Tensor:
        batch, seq, embed = projected.shape
        return projected.view(batch, seq, self.heads, embed // self.heads)

    def merged(self, heads: Tensor) -> Tensor:
        return heads.flatten(2)


class OneBigHead(Textbook):
    def split(self, projected: Tensor) -> Tensor:
        return projected[:, None]


class Unmoved(Textbook):
    def merged(self, heads: Tensor) -> Tensor:
        batch, heads_, seq, width = heads.shape
        return heads.reshape(batch, seq, heads_ * width)


class Residual(Textbook):
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return output + x


class Normed(Textbook):
    def tokens(self, x: Tensor) -> Tensor:
        return nn.functional.layer_norm(x, x.shape[-1:])


class SequenceFirst(Textbook):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(x.transpose(0, 1)).transpose(0, 1)


class SameProjection(Textbook):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query = self.split(self.query(x))
        return query, query, self.split(self.value(x))


class RawValues(Textbook):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.split(self.query(x)), self.split(self.key(x)), self.split(x)


class Rectified(Textbook):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super().projected(x)
        return query.relu(), key.relu(), value


class Causal(Textbook):
    def scored(self, scores: Tensor) -> Tensor:
        return scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -math.inf)


WRITTEN = [
    (Textbook, Variant(), "1/sqrt(d_k)"),
    (OverQueries, Variant(softmax="queries"), "1/sqrt(d_k)"),
    (OverHeads, Variant(softmax="heads"), "1/sqrt(d_k)"),
    (Twice, Variant(softmax="twice"), "1/sqrt(d_k)"),
    (Transposed, Variant(transposed=True), "1/sqrt(d_k)"),
    (Viewed, Variant(split="raw"), "1/sqrt(d_k)"),
    (HeadsForTokens, Variant(split="tokens"), "1/sqrt(d_k)"),
    (OneBigHead, Variant(split="none"), "1/sqrt(embed_dim)"),
    (Unmoved, Variant(merge="raw"), "1/sqrt(d_k)"),
    (Residual, Variant(after=("residual",)), "1/sqrt(d_k)"),
    (Normed, Variant(normed="layer norm"), "1/sqrt(d_k)"),
    (SequenceFirst, Variant(sequence_first=True), "1/sqrt(d_k)"),
    (SameProjection, Variant(roles=(0, 0, 2)), "1/sqrt(d_k)"),
    (RawValues, Variant(roles=(0, 1, IDENTITY)), "1/sqrt(d_k)"),
    (Rectified, Variant(activation=("relu", "qk")), "1/sqrt(d_k)"),
    (Causal, Variant(causal="present"), "1/sqrt(d_k)"),
]


def asked(made: type[Textbook], mask: Tensor | None = None, *, seed: int = 3) -> tuple[Trial, Layout]:
    """What a module makes of an input, and its parameters in the order of definition."""
    subject = LocalSubject(made(EMBED, HEADS), embed_dim=EMBED, num_heads=HEADS, generator=generator(seed))
    x = draw_tokens(BATCH, SEQ, EMBED, generator(seed + 1))
    (layout, *_) = layouts(subject.values, None, embed_dim=EMBED, num_heads=HEADS)
    return Trial(x, mask, subject(x, mask), heads=HEADS, elements=elements(subject.values)), layout


@pytest.mark.parametrize(("made", "variant", "scale"), WRITTEN, ids=[made.__name__ for made, _, _ in WRITTEN])
def test_a_module_is_its_variant_and_no_other(made: type[Textbook], variant: Variant, scale: str) -> None:
    trial, layout = asked(made)

    for _, other, other_scale in WRITTEN:
        errors = trial.errors(layout, other)
        assert errors is not None
        assert (float(errors[NAMES.index(other_scale)]) < 1e-13) == (other == variant)


def test_the_scale_is_found_among_all_of_them_at_once() -> None:
    class Unscaled(Textbook):
        def scale(self, query: Tensor) -> float:
            return 1.0

    trial, layout = asked(Unscaled)

    errors = trial.errors(layout, Variant())
    assert errors is not None
    assert [NAMES[number] for number in (errors < 1e-13).nonzero().flatten()] == ["1"]


def test_any_scale_can_be_tried() -> None:
    class Halved(Textbook):
        def scale(self, query: Tensor) -> float:
            return 0.5

    trial, layout = asked(Halved)

    errors = trial.errors(layout, Variant(), scales=torch.tensor([0.4, 0.5], dtype=torch.float64))
    assert errors is not None
    assert float(errors[0]) > 1e-3
    assert float(errors[1]) < 1e-13


def test_a_mask_needs_a_way_and_a_way_needs_a_mask() -> None:
    plain, layout = asked(Textbook)
    masked, _ = asked(Textbook, draw_mask(BATCH, SEQ, generator()))

    assert plain.errors(layout, Variant(), WAYS["-inf"]) is None
    assert masked.errors(layout, Variant()) is None
    errors = masked.errors(layout, Variant(), WAYS["-inf"])
    assert errors is not None
    assert float(errors[0]) < 1e-13


@pytest.mark.parametrize("variant", [Variant(sequence_first=True), Variant(split="tokens")])
def test_where_the_axes_are_others_a_mask_can_only_be_ignored(variant: Variant) -> None:
    trial, layout = asked(Textbook, draw_mask(BATCH, SEQ, generator()))

    assert trial.errors(layout, variant, WAYS["-inf"]) is None
    assert trial.errors(layout, variant, WAYS["ignored"]) is not None


@pytest.mark.parametrize(
    "variant",
    [
        Variant(merge="sum"),  # one head is too narrow for this output projection
        Variant(merge="along tokens", projected=False),
        Variant(split="none", merge="last"),
        Variant(normed="affine layer norm"),  # there is no norm
        Variant(after=("affine layer norm",)),
        Variant(merge="sum", projected=False, after=("residual",)),
    ],
)
def test_there_are_variants_that_a_module_cannot_be(variant: Variant) -> None:
    trial, layout = asked(Textbook)

    assert trial.errors(layout, variant) is None


def trial_of(output: Tensor) -> tuple[Trial, Layout, Tensor]:
    """The reference's input, with another output."""
    x = draw_tokens(BATCH, SEQ, EMBED, generator(1))
    expected = self_attention(x, RIGHT.weights)
    return Trial(x, None, output + expected, heads=HEADS, elements=RIGHT.elements), RIGHT.layout, expected


def test_the_error_is_measured_in_the_greatest_number_of_the_output() -> None:
    difference = torch.zeros(BATCH, SEQ, EMBED, dtype=torch.float64)
    difference[1, 2, 3] = 1e-3
    trial, layout, _ = trial_of(difference)

    errors = trial.errors(layout, Variant())

    assert errors is not None
    assert float(errors[0]) == pytest.approx(1e-3 / float(trial.output.abs().max()), rel=1e-6)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_infinitely_far(odd: float) -> None:
    difference = torch.zeros(BATCH, SEQ, EMBED, dtype=torch.float64)
    difference[1, 2, 3] = odd
    trial, layout, _ = trial_of(difference)

    errors = trial.errors(layout, Variant())

    assert trial.is_evidence
    assert errors is not None
    assert bool(errors.isposinf().all())


def test_nan_in_the_same_places_is_the_same() -> None:
    mask = draw_mask(BATCH, SEQ, generator())
    mask[0, 1] = False
    trial, layout = asked(Textbook, mask)

    strict, soft = (trial.errors(layout, Variant(), WAYS[name]) for name in ("-inf", "-1e9"))

    assert bool(trial.output[0, 1].isnan().all())
    assert strict is not None
    assert soft is not None
    assert float(strict[0]) < 1e-13
    assert float(soft[0]) == math.inf


def test_an_answer_without_any_number_is_no_evidence() -> None:
    trial, layout, _ = trial_of(torch.full((BATCH, SEQ, EMBED), math.nan, dtype=torch.float64))

    assert not trial.is_evidence
    assert trial.errors(layout, Variant()) is not None


def test_a_rounded_output_is_compared_with_rounded_ones() -> None:
    trial, layout, expected = trial_of(torch.zeros(BATCH, SEQ, EMBED, dtype=torch.float64))
    rounded = Trial(trial.x, None, expected.round(decimals=3), heads=HEADS, elements=RIGHT.elements)

    as_it_is = rounded.errors(layout, Variant())
    rounded.decimals = 3
    as_rounded = rounded.errors(layout, Variant())

    assert as_it_is is not None
    assert as_rounded is not None
    assert float(as_it_is[0]) > 1e-5
    assert float(as_rounded[0]) < 1e-13


def test_another_shape_is_no_variant() -> None:
    trial, layout, expected = trial_of(torch.zeros(BATCH, SEQ, EMBED, dtype=torch.float64))
    shorter = Trial(trial.x, None, expected[:, 1:], heads=HEADS, elements=RIGHT.elements)

    assert shorter.errors(layout, Variant()) is None


def test_layouts_with_different_names_are_not_confused() -> None:
    """What is computed once is kept by the layout's name."""
    trial, layout = asked(Textbook)
    query, key, value = layout.blocks[:3]
    exchanged = replace(layout, name="exchanged", blocks=(query, value, key))

    first, second, third = (trial.errors(each, Variant()) for each in (layout, exchanged, layout))

    assert first is not None
    assert second is not None
    assert third is not None
    assert float(first[0]) < 1e-13
    assert float(second[0]) > 1e-3
    assert torch.equal(first, third)
