"""What is seen of a module in train mode: whether dropout acts, when, and on what.

Theory of operation. The same weights are loaded into a module built without dropout and one built with it, so that what
differs is dropout. Where the module's mathematics is known, its output in train mode is solved for what was dropped
(`dropout`). Where it is not, a module with one head is asked about copies of one token: each copy is dropped from anew,
and the number of different answers says on what dropout acts, whatever else is done. The single attention weight of a
token that is alone can be kept or dropped: two answers. Its score makes no difference: one answer. Of its features so
many can be dropped that there are many answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Generator, Tensor

from grader.attention.bench import FIRST_SIZE
from grader.attention.comparison import relative_error
from grader.attention.drawing import draw_tokens
from grader.attention.dropout import OUTPUT, SAME, SCORES, VALUES, WEIGHTS, Dropped, explain, two_kinds
from grader.attention.findings import Evidence, Named
from grader.attention.reference import Weights, self_attention
from grader.attention.subject import Factory, NoAnswer, Subject

Read = Callable[[Subject], Weights | None]
"""Reads a subject's values in their roles, where its mathematics is known up to a constant scale."""

RATE: Final = 0.25
"""The probability of dropping. 1 - p, p, 1/(1 - p), 1/p and their squares are then all different."""

COPIES: Final = 64

CALM: Final = 0.3
"""How large tokens are where no attention weight may be too small to be seen."""

INPUT: Final = "the input"
QUERIES: Final = "the queries or the keys"
FEATURES: Final = "single features, somewhere after the values were averaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A module built without dropout and one built with it, with the same weights."""

    without: Subject
    dropping: Subject

    def resting(self, x: Tensor) -> Tensor:
        """What comes out when nothing is dropped."""
        return self.without(x)

    def calm(self, x: Tensor) -> Tensor:
        """What comes out in evaluation mode of the module that was built with dropout."""
        self.dropping.eval()
        return self.dropping(x)

    def acting(self, x: Tensor) -> Tensor:
        """What comes out of it in train mode."""
        self.dropping.train()
        return self.dropping(x)


def observe_training(
    build: Factory, *, heads: bool, read: Read | None = None, scale: float | None = None, generator: Generator
) -> list[Named]:
    """The mistakes that show in train mode, or in the dropout of a module in evaluation mode.

    Args:
        build: builds modules; those without heads are built with one.
        heads: whether the module has heads.
        read: reads the weights of a subject of the first size (`bench.FIRST_SIZE`).
        scale: what it multiplies scores by, for inputs of the first size; 1/sqrt(d_k) unless told.
        generator: where inputs come from.
    """
    found: list[Named] = []
    try:
        pair = pair_of(build, FIRST_SIZE.num_heads if heads else 1)
        found += _modes(pair, generator)
        if any(named.id == "dropout-never-on" for named in found):
            return found
        if read is not None and (solved := _solved(pair, read, scale, generator)) is not None:
            return [*found, *_judged(solved, "proven")]
        counted = _counted(pair_of(build, 1) if heads else pair, generator)
    except NoAnswer:
        return found
    return [*found, *_judged(counted, "observed")] if counted is not None else found


def pair_of(build: Factory, num_heads: int) -> Pair:
    """Both modules. Raises `NoAnswer` where there is no such pair."""
    without = build(FIRST_SIZE.embed_dim, num_heads)
    dropping = build(FIRST_SIZE.embed_dim, num_heads, dropout=RATE)
    if {path: value.shape for path, value in without.values.items()} != {
        path: value.shape for path, value in dropping.values.items()
    }:
        raise NoAnswer("with dropout it has other parameters")
    dropping.load(dict(without.values))
    return Pair(without=without, dropping=dropping)


# -- whether it acts, and when -----------------------------------------------------------------------------------------


def _modes(pair: Pair, generator: Generator) -> Iterator[Named]:
    """What two calls in each mode tell. Raises `NoAnswer` when the module is random even without dropout."""
    copies = draw_tokens(1, 5, FIRST_SIZE.embed_dim, generator).expand(8, -1, -1).contiguous()
    resting = pair.resting(copies)
    if not _same(resting, pair.resting(copies)) or not _repeats(resting):
        raise NoAnswer("it is random without any dropout")
    first = pair.acting(copies)
    calm, calm_again = pair.calm(copies), pair.calm(copies)
    acting, acting_again = pair.acting(copies), pair.acting(copies)
    repeatable = _same(calm, calm_again) and _repeats(calm)
    if not repeatable:
        yield Named(id="dropout-in-eval", certainty="observed", evidence={"built with p": RATE})
    elif not _same(calm, resting) and _is_scaled_down(calm, resting):
        yield Named(id="dropout-not-rescaled", certainty="observed", evidence={"in eval mode multiplied by": 1 - RATE})
    if repeatable and _same(acting, calm) and _same(acting_again, calm):
        until: Evidence = {} if _same(first, calm) else {"acts until": "the first call in eval mode"}
        yield Named(id="dropout-never-on", certainty="observed", evidence=until)
    elif _same(acting, acting_again) and not _repeats(acting):
        yield Named(id="rng-reseeded-in-forward", certainty="observed", evidence={"calls in train mode": "equal"})


def _repeats(copies: Tensor) -> bool:
    """Whether all samples are alike."""
    return _same(copies, copies[:1].expand_as(copies))


def _is_scaled_down(calm: Tensor, resting: Tensor) -> bool:
    """Whether a sum was multiplied by 1 - p before the same bias was added for every token."""
    bias = (calm - (1 - RATE) * resting) / RATE  # (batch, seq, embed)
    return _same(bias, bias[:, :1].expand_as(bias), of=resting)


def _same(actual: Tensor, expected: Tensor, *, of: Tensor | None = None) -> bool:
    """Whether two outputs agree, measured in the greatest number of `of`, or else of what is expected."""
    if of is not None:
        return bool((actual - expected).abs().max() <= SAME * of.abs().max())
    return torch.equal(actual, expected) or relative_error(actual, expected) <= SAME


# -- on what it acts, where the mathematics is known -------------------------------------------------------------------


def _solved(pair: Pair, read: Read, scale: float | None, generator: Generator) -> Dropped | None:
    weights = read(pair.dropping)
    if weights is None:
        return None
    x = CALM * draw_tokens(FIRST_SIZE.batch, FIRST_SIZE.seq, FIRST_SIZE.embed_dim, generator)
    if not _same(pair.resting(x), self_attention(x, weights, scale=scale)):
        return None
    return explain(pair.acting(x), x, weights, rate=RATE, scale=scale)


# -- on what it acts, whatever the mathematics -------------------------------------------------------------------------


def _counted(pair: Pair, generator: Generator) -> Dropped | None:
    """What the numbers of different answers tell of a module with one head; None where they tell nothing."""
    several = draw_tokens(8, 5, FIRST_SIZE.embed_dim, generator)
    if (output := _dropped_output(pair.acting(several), pair.resting(several), several)) is not None:
        return output
    tokens = draw_tokens(2, 1, FIRST_SIZE.embed_dim, generator)
    copies = tokens.repeat_interleave(COPIES, 0)
    resting = pair.resting(copies)
    if len(resting) != len(copies) or not bool(resting.isfinite().all()):
        return None
    if not _same(resting[:1], pair.resting(copies[:1])):
        return None  # samples influence each other: copies are no repetitions
    answers = pair.acting(copies)
    count = max(len(_different(answers[:COPIES])), len(_different(answers[COPIES:])))
    if count == 1:
        return _before_the_softmax(pair, generator) if _matters(resting, copies) else None
    if count > 2:
        return _of_features(pair, generator)
    middle = pair.resting(tokens.mean(0, keepdim=True))  # halfway, unless a nonlinearity or a norm is on its way
    affine = _same(middle[0], resting[[0, -1]].mean(0))
    dropped = _of_weights(answers, resting, copies)
    return dropped if affine else replace(dropped, factor=None)


def _matters(outputs: Tensor, tokens: Tensor) -> bool:
    """Whether a token that is alone receives anything of itself: not where its only weight is 0."""
    added = (outputs, outputs - tokens) if outputs.shape == tokens.shape else (outputs,)
    return all(not _same(each[0], each[-1]) for each in added)


def _different(answers: Tensor) -> Tensor:
    """The answers that differ, each once: `(copies, seq, embed)` to `(answers, seq * embed)`."""
    rows = answers.flatten(1)
    first = (torch.cdist(rows, rows, p=torch.inf) <= SAME * rows.abs().max()).int().argmax(1)
    return rows[sorted(set(first.tolist()))]


def _dropped_output(acting: Tensor, resting: Tensor, x: Tensor) -> Dropped | None:
    """Whether each number of the output, or of what is added to the input, was kept or dropped."""
    for base in (torch.zeros_like(resting), x):
        if base.shape != resting.shape:
            continue
        whole = resting - base
        if (found := two_kinds((acting - base) / whole, whole.abs())) is None:
            continue
        factor, kept = found
        if _same(base + factor * kept * whole, acting) and not bool(kept.all()):
            return Dropped(place=OUTPUT, factor=factor, share=1 - float(kept.mean()))
    return None


def _before_the_softmax(pair: Pair, generator: Generator) -> Dropped | None:
    """Two tokens have four scores, so that there are at most 2^4 answers; features are many more."""
    two = draw_tokens(1, 2, FIRST_SIZE.embed_dim, generator)
    count = len(_different(pair.acting(two.expand(COPIES, -1, -1).contiguous())))
    if count == 1:
        return None
    return Dropped(place=SCORES if count <= 16 else QUERIES)


def _of_features(pair: Pair, generator: Generator) -> Dropped:
    """Single features are dropped: those of the input, of the values, or of what comes later."""
    lone = torch.zeros(COPIES, 1, FIRST_SIZE.embed_dim, dtype=torch.float64)
    lone[..., 0] = 1.5
    if len(_different(pair.acting(lone))) <= 2:  # all other features are 0, dropped or not
        return Dropped(place=INPUT)
    twins = draw_tokens(1, 1, FIRST_SIZE.embed_dim, generator).expand(COPIES, 2, -1).contiguous()
    one, other = pair.acting(twins).unbind(1)
    return Dropped(place=VALUES if _same(one, other) else FEATURES)  # twins receive the same values


def _of_weights(answers: Tensor, resting: Tensor, tokens: Tensor) -> Dropped:
    """With its one weight dropped, a token receives nothing: the same for every token."""
    for base in (torch.zeros_like(answers), tokens):
        if base.shape != answers.shape:
            continue
        ones, others = _different((answers - base)[:COPIES]), _different((answers - base)[COPIES:])
        if len(ones) != len(others):
            continue  # the weight of one of the two tokens is 0, dropped or not
        for nothing in ones:
            if any(_same(nothing, other, of=resting) for other in others):
                return _with_nothing((answers - base).flatten(1), (resting - base).flatten(1), nothing)
    return Dropped(place=WEIGHTS)


def _with_nothing(answers: Tensor, resting: Tensor, nothing: Tensor) -> Dropped:
    received, whole = answers - nothing, resting - nothing
    kept = received.abs().amax(1) > SAME * whole.abs().max()
    factor = (received[kept] * whole[kept]).sum() / whole[kept].square().sum()
    linear = _same(received[kept], factor * whole[kept])
    return Dropped(place=WEIGHTS, factor=float(factor) if linear else None, share=1 - float(kept.double().mean()))


# -- what it is called -------------------------------------------------------------------------------------------------


def _judged(dropped: Dropped, certainty: str) -> Iterator[Named]:
    if dropped.place == SCORES:
        yield Named(id="dropout-before-softmax", certainty=certainty, evidence={"dropout acts on": dropped.place})
    elif dropped.place != WEIGHTS:
        yield Named(id="dropout-on-wrong-place", certainty=certainty, evidence={"dropout acts on": dropped.place})
    yield from _rate(dropped, certainty)


def _rate(dropped: Dropped, certainty: str) -> Iterator[Named]:
    """Whether as much is dropped as was asked for, and made up for."""
    share = dropped.share if dropped.share is not None else RATE
    asked: Evidence = {"asked to drop": RATE, "share dropped": round(share, 3)}
    exchanged = share > 0.5  # 1 - p was 0.75
    if dropped.factor is None:
        if exchanged:
            yield Named(id="dropout-keep-for-drop", certainty="observed", evidence=asked)
        return
    told = {**asked, "what is kept is multiplied by": round(dropped.factor, 6)}
    if dropped.factor < 1 + SAME:
        yield Named(id="dropout-not-rescaled", certainty=certainty, evidence=told)
        if exchanged:
            yield Named(id="dropout-keep-for-drop", certainty="observed", evidence=told)
    elif _near(dropped.factor, 1 / RATE) or (exchanged and _near(dropped.factor, 1 / (1 - RATE))):
        yield Named(id="dropout-keep-for-drop", certainty=certainty, evidence=told)
    elif not _near(dropped.factor, 1 / (1 - RATE)):
        rate = round(1 - 1 / dropped.factor, 6)
        yield Named(id="dropout-wrong-rate", certainty=certainty, evidence={**told, "drops with probability": rate})


def _near(number: float, other: float) -> bool:
    return abs(number / other - 1) <= 1e-3
