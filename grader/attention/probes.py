"""What is plain to see in a module, whatever its mathematics: sizes, calls before and after, large inputs, randomness.

Each probe asks a few questions whose answers decide by themselves. What it claims is *observed*: nothing is compared
with a reference. (What dropout does in train mode is, where that is possible: see `training`.) All probes together make
less than sixty calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import torch
from torch import Generator, Tensor

from grader.attention.bench import FIRST_SIZE, SECOND_SIZE
from grader.attention.drawing import draw_mask, draw_tokens
from grader.attention.facts import same
from grader.attention.findings import Evidence, Named
from grader.attention.subject import Factory, NoAnswer, Subject
from grader.attention.training import Read, observe_training

LARGE: Final = 300.0
"""By what tokens are multiplied for scores whose exponential is no number any more."""

BATCHES: Final = (1, 2, 4)
LENGTHS: Final = (1, 3, 7, 9)

USUAL_BATCHES: Final = (32, 64, 16, 8, 2, 10, 128)
USUAL_LENGTHS: Final = (10, 8, 16, 32, 7, 20, 50, 64, 12, 100)
"""Sizes that are often written down. None is another size of the module that is asked."""


def observe(
    build: Factory,
    *,
    heads: bool,
    read: Read | None = None,
    scale: float | None = None,
    softmax: bool = False,
    generator: Generator,
) -> list[Named]:
    """All that is plain to see, each mistake once.

    Args:
        build: builds modules; those without heads are built with one.
        heads: whether the module has heads.
        read: reads the weights of a subject of the first size (`bench.FIRST_SIZE`), where its mathematics is known up
            to a constant scale.
        scale: what it multiplies scores by, for inputs of the first size; 1/sqrt(d_k) unless told.
        softmax: whether its mathematics is known to have one.
        generator: where inputs come from.
    """
    try:
        subject = build(FIRST_SIZE.embed_dim, FIRST_SIZE.num_heads if heads else 1)
    except NoAnswer:
        return []
    if _refused(subject, _tokens(subject, generator)):
        return _told(only_sizes(build, subject, generator))
    if random := _told(not_repeatable(build, subject, generator)):
        return random
    found: dict[str, Named] = {}
    for probe in (
        other_sizes(build, subject, generator),
        other_masks(build, subject, generator),
        large_inputs(subject, generator, softmax=softmax),
        hidden_row(subject, generator),
        other_width(build, generator, heads=heads),
    ):
        for named in _told(probe):
            found.setdefault(named.id, named)
    for named in observe_training(build, heads=heads, read=read, scale=scale, generator=generator):
        found.setdefault(named.id, named)
    return list(found.values())


def _told(probe: Iterator[Named]) -> list[Named]:
    """What a probe finds until it gets no answer."""
    found: list[Named] = []
    try:
        for named in probe:
            found.append(named)
    except NoAnswer:
        pass
    return found


def _tokens(
    subject: Subject, generator: Generator, *, batch: int = FIRST_SIZE.batch, seq: int = FIRST_SIZE.seq
) -> Tensor:
    return draw_tokens(batch, seq, subject.embed_dim, generator)


def _twin(build: Factory, subject: Subject) -> Subject:
    """A fresh module with the same values. Raises `NoAnswer` where there is none."""
    twin = build(subject.embed_dim, subject.num_heads)
    if _shapes(twin) != _shapes(subject):
        raise NoAnswer("built once more it has other parameters")
    twin.load(dict(subject.values))
    return twin


def _shapes(subject: Subject) -> dict[str, tuple[int, ...]]:
    return {path: tuple(value.shape) for path, value in subject.values.items()}


# -- randomness --------------------------------------------------------------------------------------------------------


def not_repeatable(build: Factory, subject: Subject, generator: Generator) -> Iterator[Named]:
    """What differs between two calls in evaluation mode: by chance, or because of the call before."""
    samples = _tokens(subject, generator)
    x = torch.cat((samples, samples))
    first, second = subject(x), subject(x)
    if same(second, first):
        return
    within = len(first) == len(x) and same(first[: len(samples)], first[len(samples) :])
    if _is_steady(build, subject, x):
        yield Named(id="answers-depend-on-history", certainty="observed", evidence={"calls that differ": "in a row"})
    elif not subject.values or (within and not _is_noise(first, second)):
        evidence: Evidence = {"learnable tensors": len(subject.values)}
        yield Named(id="parameters-made-in-forward", certainty="observed", evidence=evidence)
    else:
        yield Named(id="not-repeatable", certainty="observed")


def _is_steady(build: Factory, subject: Subject, x: Tensor) -> bool:
    """Whether two modules with the same past give the same answers: then chance has no part in them."""
    try:
        one, other = _twin(build, subject), _twin(build, subject)
        return all(same(one(x), other(x)) for _ in range(2))
    except NoAnswer:
        return False


def _is_noise(first: Tensor, second: Tensor) -> bool:
    """Whether the same numbers were added to every token, or every token was multiplied by them."""
    difference, ratio = first - second, first / second
    return any(same(each, each[:1, :1].expand_as(each)) for each in (difference, ratio))


def same_at_birth(first: Callable[[Tensor], Tensor], second: Callable[[Tensor], Tensor], x: Tensor) -> Named | None:
    """Whether two modules, built one after the other, began with the same random weights.

    Weights that are no random ones, such as constants or the identity, are equal in correct code too: they make all
    features of an output equal, or an average of the tokens.

    Args:
        first, second: the modules with the weights they were built with, in evaluation mode.
        x: `(batch, seq, embed)`, with fewer tokens than features.
    """
    one, other = first(x).double(), second(x).double()
    if not same(one, other) or not bool(one.isfinite().all()):
        return None
    outputs, tokens = one.flatten(0, -2), x.double().flatten(0, -2)
    if same(outputs, outputs[:, :1].expand_as(outputs)):
        return None
    if outputs.shape == tokens.shape and same(outputs @ torch.linalg.pinv(tokens) @ tokens, outputs):
        return None
    return Named(id="rng-reseeded-in-init", certainty="observed", evidence={"modules built with equal weights": 2})


# -- sizes, and what earlier calls leave behind ------------------------------------------------------------------------


def other_sizes(build: Factory, subject: Subject, generator: Generator) -> Iterator[Named]:
    """Other batch sizes and lengths: whether they are answered at all, and whether they leave anything behind."""
    x = _tokens(subject, generator)
    before = subject(x)
    shaped = before.shape == x.shape
    for what, sizes in (("batch", BATCHES), ("seq", LENGTHS)):
        failing = [size for size in sizes if not _answers(subject, generator, {what: size}, shaped=shaped)]
        if not failing:
            continue
        if _answers(_twin(build, subject), generator, {what: failing[-1]}, shaped=shaped):
            yield _history(f"{NAMES[what]} {failing[-1]} is refused after others")
        elif failing != [1]:  # an axis of size 1 is lost in other ways too
            works = [size for size in (*sizes, x.shape[what == "seq"]) if size not in failing]
            yield _fixed(NAMES[what], sorted(works), failing)
    if not same(subject(x), before):
        yield _history("another output for the same input, after other sizes")


NAMES: Final = {"batch": "batch size", "seq": "sequence length", "embed": "embed_dim"}


def _answers(subject: Subject, generator: Generator, sizes: dict[str, int], *, shaped: bool = False) -> bool:
    x = _tokens(subject, generator, **sizes)
    try:
        return subject(x).shape == x.shape or not shaped
    except NoAnswer:
        return False


def _history(what: str) -> Named:
    return Named(
        id="answers-depend-on-history",
        certainty="observed",
        alternatives=("mask-stale-cache",),  # a mask of the module's own may be what was kept
        evidence={"seen": what},
    )


def _fixed(what: str, works: Iterable[int], fails: Iterable[int]) -> Named:
    evidence: Evidence = {"size": what, "works for": _listed(works), "fails for": _listed(fails)}
    return Named(id="hard-coded-size", certainty="observed", evidence=evidence)


def _listed(sizes: Iterable[int]) -> str:
    return ", ".join(map(str, sizes))


def other_width(build: Factory, generator: Generator, *, heads: bool) -> Iterator[Named]:
    """A module that was built for one width, and cannot be for another."""
    try:
        other = build(SECOND_SIZE.embed_dim, SECOND_SIZE.num_heads if heads else 1)
        answers = _answers(other, generator, {})
    except NoAnswer:
        answers = False
    if not answers:
        yield _fixed(NAMES["embed"], [FIRST_SIZE.embed_dim], [SECOND_SIZE.embed_dim])


def only_sizes(build: Factory, subject: Subject, generator: Generator) -> Iterator[Named]:
    """For a module that does not answer: the one batch size, length or width for which it does."""
    other = build(2 * subject.embed_dim, subject.num_heads)
    for what, usual in (("batch", USUAL_BATCHES), ("seq", USUAL_LENGTHS)):
        works = [size for size in usual if _answers(subject, generator, {what: size}, shaped=True)]
        if len(works) == 1 and _answers(other, generator, {what: works[0]}, shaped=True):  # not by coincidence
            yield _fixed(NAMES[what], works, [FIRST_SIZE.batch if what == "batch" else FIRST_SIZE.seq])
            return
    everywhere = {size for shape in _shapes(subject).values() for size in shape}
    everywhere &= {size for shape in _shapes(other).values() for size in shape}
    for width in sorted(everywhere, reverse=True):  # what does not depend on the width that was asked for
        if width > 1 and _is_width(build, width, subject.num_heads, generator):
            yield _fixed(NAMES["embed"], [width], [subject.embed_dim, other.embed_dim])
            return


def _is_width(build: Factory, width: int, num_heads: int, generator: Generator) -> bool:
    try:
        return _answers(build(width, num_heads if width % num_heads == 0 else 1), generator, {}, shaped=True)
    except NoAnswer:
        return False


def other_masks(build: Factory, subject: Subject, generator: Generator) -> Iterator[Named]:
    """Whether a mask is used again when there is another one, or none."""
    batch, seq = FIRST_SIZE.batch, FIRST_SIZE.seq
    x = _tokens(subject, generator)
    masks = [draw_mask(batch, seq, generator) for _ in range(2)]
    before = subject(x)
    under_second = [subject(x, mask) for mask in masks][1]
    after = subject(x)
    fresh = _twin(build, subject)
    alone = fresh(x, masks[1])
    longer, mask = _tokens(subject, generator, seq=seq + 2), draw_mask(batch, seq + 2, generator)
    if not same(after, before):
        yield _stale("a mask acts in the next call without one")
    elif same(fresh(x), before) and not same(under_second, alone):
        yield _stale("the second of two masks does not act as it does alone")
    elif (
        _refused(subject, longer, mask)
        and not _refused(subject, longer)
        and not _refused(_twin(build, subject), longer, mask)
    ):
        yield _stale("a longer mask is refused after shorter ones")


def _stale(what: str) -> Named:
    return Named(id="mask-stale-cache", certainty="observed", evidence={"seen": what})


def _refused(subject: Subject, x: Tensor, mask: Tensor | None = None) -> bool:
    try:
        subject(x, mask)
    except NoAnswer:
        return True
    return False


# -- numbers that are none ---------------------------------------------------------------------------------------------


def large_inputs(subject: Subject, generator: Generator, *, softmax: bool) -> Iterator[Named]:
    """A softmax over large scores that is not finite.

    Args:
        subject: the module.
        generator: where inputs come from.
        softmax: whether its mathematics is known to have one.
    """
    x = _tokens(subject, generator)
    if softmax and bool(subject(x).isfinite().all()) and not bool(subject(LARGE * x).isfinite().all()):
        evidence: Evidence = {"not finite for tokens multiplied by": LARGE}
        yield Named(id="softmax-unstable", certainty="observed", evidence=evidence)


def hidden_row(subject: Subject, generator: Generator) -> Iterator[Named]:
    """A query that may attend to nothing at all."""
    x = _tokens(subject, generator)
    mask = torch.ones(len(x), x.shape[1], x.shape[1], dtype=torch.bool)
    mask[0, 0] = False
    output = subject(x, mask)
    if output.shape == x.shape and bool(output[0, 0].isnan().all()) and int(output.isnan().any(-1).sum()) == 1:
        yield Named(id="fully-masked-row-nan", certainty="observed", informative=True)
