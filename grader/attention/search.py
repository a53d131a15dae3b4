"""Finds the place in the family of variants whose output is the module's.

Theory of operation. Each question asked of the module is a sieve, the cheapest first: one token alone fixes the path of
the values (`values`), tokens without a mask everything but the mask, and masks the rest. Variants are tried in the order
of how much is changed, and what is least changed and passes every sieve, at two sizes, is the answer. That level is
always finished: where several pass, they are the same function of the input and are named together. A mask may refute
what only seemed to fit: without one, some mistakes are others with queries and keys exchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from torch import Tensor

from grader.attention.bench import Bench
from grader.attention.layouts import Layout
from grader.attention.masking import RIGHT, RIGHT_IN_OTHER_WORDS, RIGHT_WITHOUT_SOFTMAX, WAYS, WRONG
from grader.attention.trial import SCALES
from grader.attention.values import ValuePath, untested_paths, value_paths
from grader.attention.variants import ACTIVATIONS, CERTAIN, CHANGES, IDENTITY, LINEAR, Variant, steps_from_reference

MARGIN: Final = 100.0
"""How many times farther everything else must be for a match to be a proof."""

EVALUATIONS: Final = 3500
"""What may be tried for one module: about a second of computing."""

MOST_CHANGES: Final = 4

_SCALE_NAMES: Final = tuple(SCALES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A variant whose output is the module's.

    Attributes:
        layout: the name of the layout.
        scale: the name of what the scores are multiplied by.
        way: what is done with masks; None where nothing is known of that.
        changes: how many mistakes it has.
        error: the greatest relative error over all trials.
    """

    layout: Layout
    variant: Variant
    scale: str
    way: str | None
    changes: int
    error: float


class Search:
    """The search for one module, at two sizes.

    Attributes:
        evaluations: how many outputs of variants were computed.
        nearest: the least error of a variant that is no match.
        one_token: whether some path of the values explains what one token becomes.
        plain: whether some variant explains the output without a mask.
    """

    def __init__(self, first: Bench, second: Bench | None, *, tolerance: float) -> None:
        self._first = first
        self._second = second
        self._tolerance = tolerance
        self.evaluations = 0
        self.nearest = float("inf")
        self.one_token = False
        self.plain = False
        self.plain_matches: list[Match] = []

    def run(self) -> tuple[Match, ...]:
        """Every variant of least change that passes all sieves."""
        pending: list[Match] = []
        waiting: list[Match] = []
        seen: set[tuple[str, Variant]] = set()
        for level in range(MOST_CHANGES + 1):
            for layout, variant, changes in self._variants(level):
                if (layout.name, variant) in seen or self.evaluations > EVALUATIONS:
                    continue
                seen.add((layout.name, variant))
                pending += self._without_mask(layout, variant, changes)
            due = [match for match in pending if match.changes <= level]
            pending = [match for match in pending if match.changes > level]
            waiting += due
            self.plain_matches = waiting + pending
            complete = [found for match in waiting for found in self._with_mask(match, level)]
            if complete:
                return self._proven(complete)
            if not self._first.masked and due:
                return self._proven(due)
            if self.evaluations > EVALUATIONS:
                break
            if level >= 2 and any(match.changes == 0 for match in waiting):
                break  # right without a mask: deeper there is nothing but far-fetched explanations of the mask
        return ()

    # -- one token -----------------------------------------------------------------------------------------------------

    def _paths(self, layout: Layout) -> list[ValuePath]:
        key = layout.name
        if key not in self._first.paths:
            one = self._first.one_token
            heads, tolerance = self._first.num_heads, self._first.tolerance(self._tolerance)
            if one is None:
                found = untested_paths(layout, heads)
            else:
                found = value_paths(*one, layout, self._first.elements, heads=heads, tolerance=tolerance, most=3)
            self._first.paths[key] = found
        self.one_token = self.one_token or bool(self._first.paths[key])
        return self._first.paths[key]

    # -- without a mask ------------------------------------------------------------------------------------------------

    def _variants(self, level: int) -> Iterator[tuple[Layout, Variant, int]]:
        """Variants with this many changes, and with one change less where the scale or the mask may be another."""
        for layout in self._first.layouts:
            base = bool(layout.finding)
            for path in self._paths(layout):
                for roles, exchanged in _roles(layout, path, relaxed=self._first.is_silent):
                    spent = path.changes + exchanged + base
                    for extra in range(level - spent + 1):
                        for variant in _extended(path, roles, extra, self._first.num_heads):
                            yield layout, variant, spent + extra

    def _without_mask(self, layout: Layout, variant: Variant, changes: int) -> Iterator[Match]:
        self.evaluations += 1
        errors = self._first.plain.errors(layout, variant)
        if errors is None:
            return
        for index in self._fitting(errors):
            scale = _SCALE_NAMES[index]
            error = self._confirmed(layout.name, variant, index, None)
            if error is not None:
                self.plain = True
                wrong = bool(self._scale_ids(layout, variant, scale))
                yield Match(
                    layout=layout,
                    variant=variant,
                    scale=scale,
                    way=None,
                    changes=changes + wrong,
                    error=max(error, float(errors[index])),
                )
                return

    def _fitting(self, errors: Tensor) -> list[int]:
        """The scales that fit, and a note of the nearest that does not."""
        fits = errors <= self._tolerance
        others = errors[~fits]
        if len(others):
            self.nearest = min(self.nearest, float(others.min()))
        return [int(index) for index in fits.nonzero().flatten()]

    def _confirmed(self, name: str, variant: Variant, scale: int, way: str | None) -> float | None:
        """The error at the second size; None where it does not fit there. 0 where there is no second."""
        if self._second is None:
            return 0.0
        layout = next((each for each in self._second.layouts if each.name == name), None)
        if layout is None:
            return None
        trials = self._second.masked if way else (self._second.plain,)
        worst = 0.0
        for trial in trials:
            errors = trial.errors(layout, variant, WAYS[way] if way else None)
            if errors is None or not float(errors[scale]) <= self._tolerance:
                return None
            worst = max(worst, float(errors[scale]))
        return worst

    def scale_ids(self, match: Match) -> tuple[str, ...]:
        """The ids of a wrong scale."""
        return self._scale_ids(match.layout, match.variant, match.scale)

    def _scale_ids(self, layout: Layout, variant: Variant, scale: str) -> tuple[str, ...]:
        """One big head may be scaled by its own width or by what a head's would be: the mistake is another."""
        width = len(layout.blocks[0].rows) if layout.blocks else self._first.embed_dim
        unusual = variant.split == "none" or width != self._first.embed_dim
        if unusual and scale in ("1/sqrt(embed_dim)", "1/sqrt(head_dim)"):
            return ()
        return SCALES[scale]

    # -- with a mask ---------------------------------------------------------------------------------------------------

    def _with_mask(self, match: Match, level: int) -> Iterator[Match]:
        """The match with every way to treat masks that fits and makes it `level` changes in all."""
        if not self._first.masked:
            return
        if match.changes == level:
            usual = match.variant.softmax in ("keys", "twice", "hard") and not match.variant.causal
            right = RIGHT if usual else {**RIGHT, **RIGHT_IN_OTHER_WORDS}
            if match.variant.softmax in LINEAR:
                right = {**right, **RIGHT_WITHOUT_SOFTMAX}
            for name in right:
                error = self._fits_masked(match, name)
                if error is not None:
                    yield replace(match, way=name, error=max(match.error, error))
                    return
        elif match.changes == level - 1:
            for name in WRONG:
                error = self._fits_masked(match, name)
                if error is not None:
                    yield replace(match, way=name, changes=level, error=max(match.error, error))

    def _fits_masked(self, match: Match, way: str) -> float | None:
        index = _SCALE_NAMES.index(match.scale)
        worst = 0.0
        for trial in self._first.masked:
            self.evaluations += 1
            errors = trial.errors(match.layout, match.variant, WAYS[way])
            if errors is None:
                return None
            worst = max(worst, float(errors[index]))
        if worst > self._tolerance:
            self.nearest = min(self.nearest, worst)
            return None
        confirmed = self._confirmed(match.layout.name, match.variant, index, way)
        return None if confirmed is None else max(worst, confirmed)

    # -- proof -----------------------------------------------------------------------------------------------------------

    def _proven(self, matches: list[Match]) -> tuple[Match, ...]:
        least = min(match.changes for match in matches)
        best = [match for match in matches if match.changes == least]
        if self.nearest <= MARGIN * self._tolerance:
            return ()
        return tuple(best)


def _roles(layout: Layout, path: ValuePath, *, relaxed: bool) -> Iterator[tuple[tuple[int, int, int], int]]:
    """Which projections may serve as query, key and value when every one that is used serves, and how many changes
    that is."""
    if layout.sure:
        yield (0, 1, path.value), 0
        return
    if path.merge == "tokens":
        yield (IDENTITY, IDENTITY, IDENTITY), 0
        return
    used = {number for number, block in enumerate(layout.blocks) if not block.idle}
    idle = {number for number, block in enumerate(layout.blocks) if block.idle}
    choices = [*range(len(layout.blocks)), IDENTITY]
    value_counts = path.value != IDENTITY
    for query in choices:
        for key in choices:
            serving = {number for number in (query, key, path.value) if number != IDENTITY}
            if serving != used and not (relaxed and serving >= used and serving - used <= idle):
                continue
            own = len(serving) == 3
            changes = 0 if own else _role_changes((query, key, path.value)) - (not value_counts)
            yield (query, key, path.value), changes


def _role_changes(roles: tuple[int, int, int]) -> int:
    """How many mistakes an assignment of projections is: each that is missing is one, all alike is one."""
    if len(set(roles)) == 1:
        return 1
    missing = sum(number == IDENTITY for number in roles)
    doubled = 3 - missing - len({number for number in roles if number != IDENTITY})
    return missing + doubled


def _extended(path: ValuePath, roles: tuple[int, int, int], extra: int, heads: int) -> Iterator[Variant]:
    """The variants with this path of the values and so many further changes."""
    kind = path.activation
    base = Variant(
        roles=roles,
        normed=path.normed,
        activation=(kind, "v") if kind else ("", ""),
        merge=path.merge,
        projected=path.projected,
        after=path.after,
    )
    if path.merge == "tokens":
        if extra == 0:
            yield base
        return
    if path.weighted:
        for softmax in CHANGES["softmax"]:
            if softmax not in CERTAIN or softmax == "relu sum":
                yield from _changed(replace(base, softmax=str(softmax)), extra - 1, path, heads)
        return
    yield from _changed(base, extra, path, heads)


def _changed(base: Variant, count: int, path: ValuePath, heads: int) -> Iterator[Variant]:
    """The variants with so many changes that one token alone does not show."""
    if count < 0:
        return
    if path.activation:
        yield from _steps(base, count, path, heads)
        if count == 0 or count == 1:
            yield from _steps(replace(base, activation=(path.activation, "qkv")), count, path, heads)
        return
    yield from _steps(base, count, path, heads)


def _steps(base: Variant, count: int, path: ValuePath, heads: int) -> Iterator[Variant]:
    steps = [each for each in steps_from_reference(heads) if _unseen_at_one_token(each, path)]
    if count > 2:
        steps = [each for each in steps if each[0] != "activation"]
    for chosen in combinations(steps, count):
        names = [step for step, _ in chosen]
        if len(set(names)) == len(names):
            yield replace(base, **dict(chosen))  # type: ignore[arg-type]


def _unseen_at_one_token(change: tuple[str, object], path: ValuePath) -> bool:
    step, value = change
    match step:
        case "normed" | "after" | "projected":
            return False
        case "activation":
            return not path.activation and isinstance(value, tuple) and "v" not in value[1] and value[0] in ACTIVATIONS
        case "softmax":
            return not path.weighted and value in CERTAIN
        case "merge":
            return path.merge == "concatenated" and value in ("raw", "heads first", "tokens first", "values")
    return True
