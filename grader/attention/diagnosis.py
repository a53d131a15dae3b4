"""Which mistakes a module makes, each with the reason why it may be claimed.

    from grader.attention import diagnose

    found = diagnose(MultiHeadSelfAttention)
    for each in found.findings:
        print(each.id, each.certainty, each.evidence)

A mistake is *proven* when the module's output is that of the reference with exactly this mistake, at two sizes, with
weights that were drawn for it, and everything else that was tried is at least a hundred times farther away. It is
*observed* when it is a direct fact. Otherwise nothing is claimed but the stage at which the output begins to differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import torch

from grader.attention.bench import FIRST_SIZE, SECOND_SIZE, Bench, Size, set_up
from grader.attention.devices import stays_behind
from grader.attention.exposure import layout_weights
from grader.attention.facts import gather
from grader.attention.findings import Evidence, Named
from grader.attention.gradients import unregistered_id
from grader.attention.probes import observe, same_at_birth
from grader.attention.questions import Questions, questions
from grader.attention.reference import Weights
from grader.attention.search import Match, Search
from grader.attention.subject import Factory, LocalSubject, NoAnswer, Subject
from grader.attention.telling import has_softmax, is_readable, likeliest, told, without_echoes

TOLERANCE: Final = 1e-6
"""The relative error of a match, in float64: correct code that computes its scale in float32 comes within 1e-7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is known of a module's mistakes.

    Attributes:
        findings: the mistakes.
        begins: where the output begins to differ from the reference when no known mistake explains it: "one token",
            "several tokens" or "mask"; empty otherwise.
        fact: what is not true of it that is true of every self-attention, as a sentence, where `begins` says something.
        correct: whether the output is the reference's, with and without a mask.
        match: the variant that the module is.
        bench: what was asked at the first size; None when there was no answer.
        evaluations: how much was tried.
    """

    findings: tuple[Named, ...]
    begins: str = ""
    fact: str = ""
    correct: bool = False
    match: Match | None = None
    bench: Bench | None = None
    evaluations: int = 0


def diagnose(factory: Callable[..., Any], *, heads: bool = True, seed: int = 0) -> Diagnosis:
    """Name the mistakes of a class of modules in this process.

    Args:
        factory: `factory(embed_dim, num_heads)` builds a module; without `heads`, `factory(embed_dim)`.
        heads: whether it has heads.
        seed: of everything random.
    """
    generator = torch.Generator().manual_seed(seed)

    def build(embed_dim: int, num_heads: int, *, dropout: float = 0.0) -> LocalSubject:
        sizes = (embed_dim, num_heads) if heads else (embed_dim,)
        try:
            module = factory(*sizes, dropout=dropout) if dropout else factory(*sizes)
            return LocalSubject(module, embed_dim=embed_dim, num_heads=num_heads, generator=generator)
        except NoAnswer:
            raise
        except Exception as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from None

    found = diagnose_subjects(build, heads=heads, generator=generator)
    seen = _seen_at_birth(lambda: factory(*((24, 4) if heads else (24,))), generator)
    return replace(found, findings=without_echoes((*found.findings, *seen)), correct=found.correct and not seen)


def _seen_at_birth(make: Callable[[], Any], generator: torch.Generator) -> tuple[Named, ...]:
    """What modules show as they come from their constructor."""
    x = torch.randn(2, 5, FIRST_SIZE.embed_dim, generator=generator)
    found = []
    try:
        with torch.no_grad():
            named = same_at_birth(make().eval(), make().eval(), x)
        if named is not None:
            found.append(named)
        if stays_behind(make(), FIRST_SIZE.embed_dim):
            found.append(Named(id="hard-coded-device", certainty="observed"))
    except Exception:  # whoever cannot be built or called as it comes was told so before
        return ()
    return tuple(found)


def diagnose_subjects(
    build: Factory, *, heads: bool, generator: torch.Generator, tolerance: float = TOLERANCE
) -> Diagnosis:
    """Name the mistakes of modules that are reached in any way.

    Args:
        build: builds one from a width and a number of heads.
        heads: whether the exercise has heads, and with them an output projection.
        generator: where inputs come from.
        tolerance: the relative error of a match.
    """
    first_questions, second_questions = draw_questions(heads=heads, generator=generator)
    try:
        first = set_up(_built(build, FIRST_SIZE, heads=heads), first_questions, generator=generator, loud=True)
    except NoAnswer:
        return Diagnosis(findings=tuple(observe(build, heads=heads, generator=generator)))
    try:
        second = set_up(_built(build, SECOND_SIZE, heads=heads), second_questions, generator=generator, loud=False)
    except NoAnswer:
        second = None
    search = Search(first, second, tolerance=tolerance)
    matches = search.run()
    match = likeliest(matches)
    proven = told(search, first, matches, heads=heads)
    seen = observe(
        build,
        heads=heads,
        read=None if match is None or not is_readable(match) else partial(_read, match),
        scale=None if match is None else search.factor(match),
        softmax=match is not None and has_softmax(match),
        generator=generator,
    )
    findings = without_echoes((*proven, *_unregistered(first.subject), *seen))
    begins = "mask" if search.plain else "several tokens" if search.one_token else "one token"
    return Diagnosis(
        findings=findings,
        begins="" if matches or search.is_undecided else begins,
        fact="" if matches else gather(first.subject, generator).beginning,
        correct=bool(matches) and not proven,
        match=match,
        bench=first,
        evaluations=search.evaluations,
    )


def _read(match: Match, subject: Subject) -> Weights:
    """The weights of another module of the same size and class."""
    return layout_weights(match.layout, match.variant.roles, subject.values, subject.num_heads)


def _unregistered(subject: Subject) -> tuple[Named, ...]:
    """What `parameters()` does not find."""
    hidden = subject.unregistered
    if not hidden:
        return ()
    evidence: Evidence = {"not found": " and ".join(hidden[:2])}
    return (Named(id=unregistered_id(hidden, subject.num_heads), certainty="observed", evidence=evidence),)


def draw_questions(*, heads: bool, generator: torch.Generator) -> tuple[Questions, Questions]:
    """The inputs for both sizes; drawn once for all diagnoses that begin with a generator in the same state."""
    seed = int(torch.randint(2**31, (), generator=generator))
    first, second = (
        questions(
            embed_dim=size.embed_dim,
            num_heads=size.num_heads if heads else 1,
            batch=size.batch,
            seq=size.seq,
            seed=seed,
        )
        for size in (FIRST_SIZE, SECOND_SIZE)
    )
    return first, second


def _built(build: Factory, size: Size, *, heads: bool) -> Subject:
    return build(size.embed_dim, size.num_heads if heads else 1)
