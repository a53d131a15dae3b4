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
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from grader.attention.bench import Bench, set_up
from grader.attention.masking import WRONG
from grader.attention.search import Match, Search
from grader.attention.subject import Factory, LocalSubject, NoAnswer
from grader.attention.variants import IDENTITY, names

Evidence = dict[str, float | int | str]

FIRST_SIZE: Final = {"embed_dim": 24, "num_heads": 4, "batch": 3, "seq": 5}
SECOND_SIZE: Final = {"embed_dim": 15, "num_heads": 3, "batch": 2, "seq": 4}
"""Two sizes among whose numbers none stands for another: no mistake coincides with the reference, or with another
mistake, at both."""

TOLERANCE: Final = 1e-6
"""The relative error of a match, in float64: correct code that computes its scale in float32 comes within 1e-7."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A mistake.

    Attributes:
        id: what it is called in the catalogue.
        alternatives: other mistakes that are the same function of the input.
        certainty: "proven" or "observed".
        evidence: numbers and names behind it.
        informative: whether correct code may have it.
    """

    id: str
    certainty: str
    alternatives: tuple[str, ...] = ()
    evidence: Evidence = field(default_factory=dict)
    informative: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is known of a module's mistakes.

    Attributes:
        findings: the mistakes.
        begins: where the output begins to differ from the reference when no known mistake explains it: "one token",
            "several tokens" or "mask"; empty otherwise.
        correct: whether the output is the reference's, with and without a mask.
        match: the variant that the module is.
        evaluations: how much was tried.
    """

    findings: tuple[Named, ...]
    begins: str = ""
    correct: bool = False
    match: Match | None = None
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

    return diagnose_subjects(build, heads=heads, generator=generator)


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
    try:
        first = _bench(build, FIRST_SIZE, heads=heads, generator=generator, loud=True)
    except NoAnswer:
        return Diagnosis(findings=())
    try:
        second = _bench(build, SECOND_SIZE, heads=heads, generator=generator, loud=False)
    except NoAnswer:
        second = None
    search = Search(first, second, tolerance=tolerance)
    matches = search.run()
    return _told(search, first, matches, heads=heads)


def _bench(build: Factory, size: dict[str, int], *, heads: bool, generator: torch.Generator, loud: bool) -> Bench:
    subject = build(size["embed_dim"], size["num_heads"] if heads else 1)
    return set_up(subject, batch=size["batch"], seq=size["seq"], generator=generator, loud=loud)


# -- what the matches say --------------------------------------------------------------------------------------------


def _told(search: Search, bench: Bench, matches: tuple[Match, ...], *, heads: bool) -> Diagnosis:
    observed = tuple(_observed(bench))
    if not matches:
        begins = "mask" if search.plain else "several tokens" if search.one_token else "one token"
        return Diagnosis(findings=observed, begins=begins, evaluations=search.evaluations)
    ordered = sorted(matches, key=_naturalness)
    lists = [_mistakes(search, match, heads=heads) for match in ordered]
    best, others = lists[0], lists[1:]
    findings = []
    for ids, evidence in best:
        same = tuple(
            other[0]
            for mistakes in others
            if all(ids[0] != each[0][0] for each in mistakes)
            for other, _ in mistakes
            if all(other[0] != each[0][0] for each in best)
        )
        alternatives = tuple(dict.fromkeys((*ids[1:], *same)))
        evidence = {**evidence, "relative error": ordered[0].error}
        findings.append(Named(id=ids[0], alternatives=alternatives, certainty="proven", evidence=evidence))
    findings += _beside(bench, ordered[0])
    return Diagnosis(
        findings=(*findings, *observed),
        correct=not findings and not observed,
        match=ordered[0],
        evaluations=search.evaluations,
    )


def _naturalness(match: Match) -> tuple[bool, bool, int]:
    """Least is the likeliest way to have written it: roles known for sure, in the order of definition."""
    query, key, value = match.variant.roles
    return (not match.layout.sure, match.variant.transposed, (query > key) + (key > value) + (query > value))


def _mistakes(search: Search, match: Match, *, heads: bool) -> list[tuple[tuple[str, ...], Evidence]]:
    """The ids of each mistake of a match, with what is to be said about it."""
    found: list[tuple[tuple[str, ...], Evidence]] = []
    found += _of_layout(match, heads=heads)
    if match.variant.merge not in ("tokens",):
        found += _of_roles(match)
    for ids in names(match.variant):
        found.append((ids, {}))
    scale = search.scale_ids(match)
    if scale:
        found.append((scale, {"scores are multiplied by": match.scale, "expected": "1/sqrt(d_k)"}))
    if match.way in WRONG:
        found.append((WRONG[match.way][1], {"the mask is": match.way}))
    merged: dict[str, tuple[tuple[str, ...], Evidence]] = {}
    for ids, evidence in found:
        merged.setdefault(ids[0], (ids, evidence))
    return list(merged.values())


def _of_layout(match: Match, *, heads: bool) -> list[tuple[tuple[str, ...], Evidence]]:
    layout, embed = match.layout, FIRST_SIZE["embed_dim"]
    found: list[tuple[tuple[str, ...], Evidence]] = []
    if layout.finding:
        found.append(((layout.finding,), {}))
    if "head for all" in layout.name:
        found.append((("heads-list-multiplied", "heads-share-weights"), {}))
    if layout.blocks and len(layout.blocks[0].rows) > embed:
        found.append((("heads-full-width",), {"features of one head": embed}))
    if layout.output is None and heads and match.variant.merge != "tokens":
        found.append((("output-projection-missing",), {}))
    if layout.output is not None and layout.output.idle:
        found.append((("output-projection-unused",), {"unused": " and ".join(layout.output.paths[:2])}))
    return found


def _of_roles(match: Match) -> list[tuple[tuple[str, ...], Evidence]]:
    query, key, value = match.variant.roles
    idle = [path for block in match.layout.blocks if block.idle for path in block.paths]
    evidence: Evidence = {"unused": " and ".join(dict.fromkeys(idle[:2]))} if idle else {}
    if query == key == value:
        ids = ("no-projections",) if query == IDENTITY else ("qkv-one-projection",)
        return [(ids, evidence)]
    found: list[tuple[str, ...]] = []
    if value == IDENTITY:
        found.append(("value-not-projected",))
    if query == key == IDENTITY:
        found.append(("query-not-projected",))
        found.append(("key-not-projected",))
    elif IDENTITY in (query, key):
        found.append(("key-not-projected", "query-not-projected"))
    elif query == key:
        found.append(("key-uses-query",))
    if value == key != IDENTITY:
        found.append(("value-uses-key",))
    if value == query != IDENTITY:
        found.append(("value-uses-query",))
    return [(ids, evidence) for ids in found]


def _beside(bench: Bench, match: Match) -> list[Named]:
    """What the match makes plain to see: layers that are used and get no gradient, and layers that are not used."""
    if bench.experiment is None:
        return []
    serving = {number for number in match.variant.roles if number != IDENTITY}
    detached = [
        path for number in serving if match.layout.blocks[number].idle for path in match.layout.blocks[number].paths
    ]
    if match.variant.merge == "tokens":
        detached = []
    if detached:
        evidence: Evidence = {"without a gradient": " and ".join(dict.fromkeys(detached[:2]))}
        return [Named(id="gradients-detached", certainty="observed", evidence=evidence)]
    return []


def _observed(bench: Bench) -> list[Named]:
    found = []
    if bench.decimals is not None:
        found.append(Named(id="output-rounded", certainty="observed", evidence={"decimals": bench.decimals}))
    if bench.silenced:
        found.append(Named(id="mask-zero-times-inf", certainty="observed"))
    return found
