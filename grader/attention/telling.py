"""From the variant that a module is to mistakes with a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

import torch

from grader.attention.bench import FIRST_SIZE, Bench
from grader.attention.experiment import lay_out
from grader.attention.findings import Evidence, Named
from grader.attention.masking import FREE_ADDITION, FREE_FILL, WRONG
from grader.attention.projections import shapes_of
from grader.attention.search import Match, Search
from grader.attention.variants import IDENTITY, Variant, names


def told(search: Search, bench: Bench, matches: tuple[Match, ...], *, heads: bool) -> tuple[Named, ...]:
    """The mistakes of the matches, and what is plain to see beside them.

    Several matches are the same function of the input. What they have in common is claimed; where they differ, the
    likeliest is, and the others are told as its alternatives.
    """
    observed = list(_observed(search, bench, matches))
    if not matches:
        return tuple(observed)
    ordered = sorted(matches, key=_naturalness)
    best, *others = [_mistakes(search, bench, match, heads=heads) for match in ordered]
    claimed = {ids[0] for ids, _ in best}
    findings = []
    for ids, evidence in best:
        same = tuple(
            other[0]
            for mistakes in others
            if ids[0] not in {each[0] for each, _ in mistakes}
            for other, _ in mistakes
            if other[0] not in claimed
        )
        findings.append(
            Named(
                id=ids[0],
                alternatives=tuple(dict.fromkeys((*ids[1:], *same))),
                certainty="proven",
                evidence={**evidence, "relative error": ordered[0].error},
            )
        )
    observed += _beside(bench, ordered[0], heads=heads, explained=claimed)
    return (*findings, *observed)


def likeliest(matches: tuple[Match, ...]) -> Match | None:
    """Of several ways to have written the same function, the most natural one."""
    return min(matches, key=_naturalness, default=None)


def _naturalness(match: Match) -> tuple[bool, bool, int]:
    """Least is the likeliest way to have written it: roles known for sure, in the order of definition."""
    query, key, value = match.variant.roles
    return (not match.layout.sure, match.variant.transposed, (query > key) + (key > value) + (query > value))


def is_readable(match: Match) -> bool:
    """Whether the match is the reference, but for its scale, its masks and its output projection."""
    return match.variant == Variant(roles=match.variant.roles) and len(set(match.variant.roles) - {IDENTITY}) == 3


def has_softmax(match: Match) -> bool:
    """Whether the match has a softmax in it, over whatever axis."""
    return match.variant.merge != "values" and match.variant.softmax in SOFTMAXES


SOFTMAXES: Final = frozenset({"keys", "queries", "heads", "batch", "batch and heads", "twice", "global"})


ECHOES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "attention-unused": frozenset({"dropout-never-on"}),
        "loop-discards-heads": frozenset({"dropout-never-on"}),
        "parameters-made-in-forward": frozenset({"not-repeatable"}),
        "mask-stale-cache": frozenset({"answers-depend-on-history"}),
        "syntax-error": frozenset({"notebook-cell-failed"}),
    }
)
"""What is only the echo of another mistake."""


class _Identified(Protocol):
    @property
    def id(self) -> str:
        """From the vocabulary of findings."""


Told = TypeVar("Told", bound=_Identified)


def without_echoes(findings: tuple[Told, ...]) -> tuple[Told, ...]:
    """The findings, each id once, without what follows from another of them."""
    echoes = {echo for each in findings for echo in ECHOES.get(each.id, ())}
    if not any(each.id.startswith("mask-") for each in findings):
        echoes.add("fully-masked-row-nan")  # the reference does the same; worth knowing only where masks go wrong
    first = {each.id: each for each in reversed(findings)}
    return tuple(each for each in findings if first[each.id] is each and each.id not in echoes)


Mistakes = list[tuple[tuple[str, ...], Evidence]]
"""Ids of the same function, the name first, with what is to be said about it."""


def _mistakes(search: Search, bench: Bench, match: Match, *, heads: bool) -> Mistakes:
    """Every mistake of a match, each id once."""
    found: Mistakes = []
    if match.variant.merge == "values":
        found += [(ids, {}) for ids in _without_attention(bench, match, heads=heads)]
    else:
        of_roles = _of_roles(match)
        of_layout = _of_layout(bench, match, heads=heads, explained=bool(of_roles))
        found += _with_one_layer(match, of_layout) or [*of_layout, *of_roles]
    found += [(ids, {}) for ids in names(match.variant) if ids != ("attention-unused",)]
    if scale := search.scale_ids(match):
        found.append((scale, _about_scale(match)))
    if match.way in (FREE_FILL, FREE_ADDITION) and match.fill is not None:
        what = "hidden scores are set to" if match.way == FREE_FILL else "to hidden scores is added"
        found.append((("mask-fill-too-small" if match.fill < 0 else "mask-fill-zero",), {what: match.fill}))
    elif match.way is not None and match.way in WRONG and match.variant.merge != "values":
        found.append((WRONG[match.way][1], {"the mask is": match.way}))
    merged: dict[str, tuple[tuple[str, ...], Evidence]] = {}
    for ids, evidence in found:
        merged.setdefault(ids[0], (ids, evidence))
    return list(merged.values())


def _with_one_layer(match: Match, of_layout: Mistakes) -> Mistakes:
    """One big head in which a single layer serves: most likely the output's, and nothing is projected before it."""
    query, key, value = match.variant.roles
    if match.variant.split != "none" or not (query == key == IDENTITY != value):
        return []
    without_output = [ids for ids, _ in of_layout if ids[0].startswith("output-projection-")]
    others = [each for each in of_layout if each[0] not in without_output]
    return [(("no-projections", *without_output[0]), {}), *others] if without_output else []


def _about_scale(match: Match) -> Evidence:
    if not match.factors:
        return {"scores are multiplied by": match.scale, "expected": "1/sqrt(d_k)"}
    evidence: Evidence = {"scores are multiplied by": match.factors[0], "expected": "1/sqrt(d_k)"}
    if len(match.factors) > 1 and abs(match.factors[1] / match.factors[0] - 1) > 1e-6:
        evidence["at another size by"] = match.factors[1]
    return evidence


def _without_attention(bench: Bench, match: Match, *, heads: bool) -> list[tuple[str, ...]]:
    """When tokens never meet: the layer in use was meant for the output if all three others are there and idle, and
    may have been if others are there that cannot be read."""
    idle = sum(block.idle for block in match.layout.blocks)
    alone = sum(not block.idle for block in match.layout.blocks) == 1
    used = match.layout.output is not None and not match.layout.output.idle
    if not heads or not alone or used:
        return [("attention-unused",)]
    if idle >= 3 or match.layout.output is not None:
        return [("loop-discards-heads", "attention-unused")]
    if _left_over(bench, match):
        return [("attention-unused", "loop-discards-heads")]
    return [("attention-unused", "loop-discards-heads"), ("output-projection-missing",)]


def _of_layout(bench: Bench, match: Match, *, heads: bool, explained: bool) -> Mistakes:
    """What the layout says; without heads, a layer whose role another plays is `explained`."""
    layout = match.layout
    found: Mistakes = []
    width = len(layout.blocks[0].rows) if layout.blocks else 0
    if layout.finding:
        found.append(((layout.finding,), {}))
    if "head for all" in layout.name:
        found.append((("heads-list-multiplied", "heads-share-weights"), {}))
    if width > FIRST_SIZE.embed_dim:
        found.append((("heads-full-width",), {"features of all heads together": width}))
    # One big head: its values' projection, put after attention instead of before, is an output projection.
    same = ("value-not-projected",) if match.variant.split == "none" else ()
    if layout.output is None and heads:
        if meant := _left_over(bench, match, at_least=FIRST_SIZE.embed_dim**2):
            found.append((("output-projection-unused", "output-projection-missing", *same), {"unused": meant[0]}))
        else:
            found.append((("output-projection-missing", *same), {}))
    if layout.output is not None and layout.output.idle and (heads or not explained):
        ids = ("output-projection-unused", *same) if heads else ("layers-unused", "output-projection-unused")
        found.append((ids, {"unused": " and ".join(layout.output.paths[:2])}))
    return found


def _of_roles(match: Match) -> Mistakes:
    query, key, value = match.variant.roles
    unused = _idle_paths(match)
    evidence: Evidence = {"unused": " and ".join(unused[:2])} if unused else {}
    if query == key == value:
        return [(("no-projections",) if query == IDENTITY else ("qkv-one-projection",), evidence)]
    found: list[tuple[str, ...]] = []
    if value == IDENTITY:
        found.append(("value-not-projected",))
    if query == key == IDENTITY:
        found += [("query-not-projected",), ("key-not-projected",)]
    elif IDENTITY in (query, key):
        found.append(("key-not-projected", "query-not-projected"))
    elif query == key:
        found.append(("key-uses-query",))
    if value == key != IDENTITY:
        found.append(("value-uses-key",))
    if value == query != IDENTITY:
        found.append(("value-uses-query",))
    return [(ids, evidence) for ids in found]


def _idle_paths(match: Match) -> list[str]:
    """The leaves of projections that no role is played by."""
    serving = set(match.variant.roles)
    idle = [block for number, block in enumerate(match.layout.blocks) if block.idle and number not in serving]
    return list(dict.fromkeys(path for block in idle for path in block.paths))


# -- what is plain to see --------------------------------------------------------------------------------------------


def _beside(bench: Bench, match: Match, *, heads: bool, explained: set[str]) -> list[Named]:
    """Layers that serve and get no gradient, and layers that do not serve at all."""
    if bench.experiment is None or match.variant.merge == "values":
        return []
    blocks = [match.layout.blocks[number] for number in match.variant.roles if number != IDENTITY]
    detached = [path for block in blocks if block.idle for path in block.paths]
    if detached:
        return [_seen("gradients-detached", "without a gradient", detached)]
    unused = _idle_paths(match) + _left_over(bench, match)
    if unused and not explained & EXPLAIN_UNUSED:
        return [_seen("layers-unused", "unused", unused)]
    return []


EXPLAIN_UNUSED: Final = frozenset(
    {
        *("value-uses-key", "value-uses-query", "key-uses-query", "qkv-one-projection", "value-not-projected"),
        *("no-projections", "key-not-projected", "query-not-projected", "loop-keeps-last-head", "loop-returns-early"),
        *("output-projection-unused", "layers-unused", "attention-unused", "loop-discards-heads"),
    }
)
"""Mistakes by which some layer is left without a use."""


def _left_over(bench: Bench, match: Match, *, at_least: int = 0) -> list[str]:
    """Matrices that are in no part of the layout, with so many elements at least."""
    output = match.layout.output
    places = [places for block in match.layout.blocks for places in (block.rows, block.biases)]
    places += [output.columns, output.biases] if output is not None else []
    known = set(torch.cat([each.flatten() for each in places]).tolist()) if places else set()
    matrices = [leaf for leaf in lay_out(shapes_of(bench.subject.values)) if len(leaf.shape) > 1]
    return [leaf.path for leaf in matrices if leaf.offset not in known and leaf.size >= at_least]


def _seen(id_: str, what: str, paths: list[str]) -> Named:
    return Named(id=id_, certainty="observed", evidence={what: " and ".join(dict.fromkeys(paths[:2]))})


def _observed(search: Search, bench: Bench, matches: tuple[Match, ...]) -> Iterator[Named]:
    if bench.subject.is_narrow:
        yield Named(id="hard-coded-dtype", certainty="observed")
    if bench.subject.wrote_to_input:
        yield Named(id="inplace-on-input", certainty="observed")
    if bench.decimals is not None:
        yield Named(id="output-rounded", certainty="observed", evidence={"decimals": bench.decimals})
    if bench.silent is not None and matches:
        explaining = search.ways_to(bench.silent, matches[0])
        if "zero times inf" in explaining and not {"-inf", matches[0].way} & set(explaining):
            ids = dict.fromkeys(WRONG[name][1][0] for name in explaining if name in WRONG)
            others = tuple(id_ for id_ in ids if id_ != "mask-zero-times-inf")
            yield Named(id="mask-zero-times-inf", certainty="observed", alternatives=others)
