"""Finds the place in the family of variants whose output is the module's.

Theory of operation. Each question asked of the module is a sieve, the cheapest first: one token alone fixes the path of
the values (`values`), tokens without a mask everything but the mask, and masks the rest. Variants are tried in order of
how much is changed, and what is least changed and passes every sieve, at two sizes, is the answer. That level is
always finished: where several pass, they are the same function of the input and are named together. A mask may refute
what only seemed to fit: without one, some mistakes are others with queries and keys exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from grader.attention.bench import Bench
from grader.attention.enumeration import extended, role_maps, without_attention
from grader.attention.fitting import FILL_GRID, SCALE_GRID, fit
from grader.attention.masking import (
    FREE_ADDITION,
    FREE_FILL,
    RIGHT,
    RIGHT_IN_OTHER_WORDS,
    RIGHT_WITHOUT_SOFTMAX,
    WAYS,
    WRONG,
    Way,
    free_addition,
    free_fill,
)
from grader.attention.power import MARGIN
from grader.attention.projections import Layout
from grader.attention.subject import NoAnswer
from grader.attention.trial import SCALES, Trial
from grader.attention.values import ValuePath, untested_paths, value_paths
from grader.attention.variants import LINEAR, Variant

EVALUATIONS: Final = 3000
"""What may be tried for one module: less than a second of computing."""

FITTING_UNTIL: Final = 4000
"""Numbers without a name are looked for until so much was tried in all."""

MOST_CHANGES: Final = 4
MOST_CHANGES_OF_VALUES: Final = 3

_SCALE_NAMES: Final = tuple(SCALES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A variant whose output is the module's.

    Attributes:
        layout: how the parameters are read.
        scale: the name of what the scores are multiplied by; "constant" for a number without a name.
        factors: what that is in numbers, at both sizes, when it has no name.
        way: what is done with masks; None where nothing is known of that.
        fill: what hidden scores are set to, where the way is "filled with a number".
        changes: how many mistakes it has.
        error: the greatest relative error over all trials.
    """

    layout: Layout
    variant: Variant
    scale: str
    factors: tuple[float, ...] = ()
    way: str | None
    fill: float | None = None
    changes: int
    error: float


class Search:
    """The search for one module, at two sizes.

    Attributes:
        evaluations: how many outputs of variants were computed.
        nearest: the least error of a variant that is no match, without a mask.
        one_token: whether some path of the values explains what one token becomes.
        plain: whether some variant explains the output without a mask.
        is_undecided: whether some variant explains all that was asked, and another does so nearly.
    """

    def __init__(self, first: Bench, second: Bench | None, *, tolerance: float) -> None:
        self._first = first
        self._second = second
        self._tolerance = tolerance
        self.evaluations = 0
        self._budget = EVALUATIONS
        self._relaxed = False
        self.nearest = math.inf
        self._nearest_masks: dict[str, float] = {}
        self._paths = self._find_paths()
        self.one_token = first.one_token is not None and first.plain.is_evidence and any(self._paths.values())
        self.is_undecided = False
        self.plain = False
        self.plain_matches: list[Match] = []

    def run(self) -> tuple[Match, ...]:
        """Every variant of least change that passes all sieves.

        First every projection that gets a gradient is taken to serve, and no other. Where that explains nothing,
        gradients may have been cut off: from a simple mistake, before many at once are thought of.
        """
        if not self._first.plain.is_evidence:
            return ()
        matches: tuple[Match, ...] = ()
        relaxed = False
        if self._first.is_silent:
            matches = self._run(relaxed=False, most=1)
            if not matches and not self.plain:
                matches = self._run(relaxed=True, most=1)
                relaxed = self.plain
        matches = matches or self._run(relaxed=relaxed, most=MOST_CHANGES)
        if not matches and not self.plain and self._first.is_silent:
            self._budget += EVALUATIONS // 2
            matches = self._run(relaxed=True, most=MOST_CHANGES)
        return matches

    def _run(self, *, relaxed: bool, most: int) -> tuple[Match, ...]:
        """The least changed variants, with so many changes at most."""
        self._relaxed = relaxed
        pending: list[Match] = []
        waiting: list[Match] = []
        seen: set[tuple[str, Variant]] = set()
        for level in range(most + 1):
            for layout, variant, changes in self._variants(level):
                if self.evaluations > self._budget:
                    break
                if (layout.name, variant) in seen:
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
            if level >= 1 and (numbered := self._with_numbers(waiting, level)):
                return self._proven(numbered)
            if self.evaluations > self._budget:
                break
            if level >= 2 and any(match.changes == 0 for match in waiting):
                break  # right without a mask: deeper there is nothing but far-fetched explanations of the mask
        return ()

    def _with_numbers(self, waiting: list[Match], level: int) -> list[Match]:
        """Matches in which a number without a name takes the place of the scale, or of what hides a token.

        Such a number is one more change, and is looked for only where a name has been ruled out.
        """
        if waiting or level > 2:
            return [found for match in waiting if match.changes == level - 1 for found in self._with_fill(match)]
        found: list[Match] = []
        for match in self._with_factor(level - 1):
            complete = list(self._with_mask(match, match.changes))
            complete = complete or list(self._with_mask(match, match.changes + 1))
            found += complete or ([] if self._first.masked else [match])
        return found

    # -- one token -----------------------------------------------------------------------------------------------------

    def _find_paths(self) -> dict[str, list[ValuePath]]:
        """For each layout how the values reach the output; as soon as one layout explains it, none is strained more."""
        bench, tolerance = self._first, self._first.tolerance(self._tolerance)
        if bench.one_token is None:
            return {layout.name: untested_paths(layout, bench.num_heads) for layout in bench.layouts}
        for changes in range(MOST_CHANGES_OF_VALUES + 1):
            found = self._paths_with(changes, tolerance)
            if any(found.values()):
                bare = self._paths_with(changes + 1, tolerance, bare=True)  # the only projection may be the last one
                return {name: [*paths, *bare[name]] for name, paths in found.items()}
        if bench.is_overheard:  # a neighbour may hear more than that
            return {layout.name: untested_paths(layout, bench.num_heads) for layout in bench.layouts}
        return {}

    def _paths_with(self, changes: int, tolerance: float, *, bare: bool = False) -> dict[str, list[ValuePath]]:
        bench = self._first
        assert bench.one_token is not None
        return {
            layout.name: value_paths(
                *bench.one_token,
                layout,
                bench.elements,
                heads=bench.num_heads,
                tolerance=tolerance,
                changes=changes,
                bare=bare,
            )
            for layout in bench.layouts
        }

    # -- without a mask ------------------------------------------------------------------------------------------------

    def _variants(self, level: int) -> Iterator[tuple[Layout, Variant, int]]:
        """Variants with this many changes, and with one change less where the scale or the mask may be another."""
        blind = self._first.experiment is None
        for layout in self._first.layouts:
            base = bool(layout.finding)
            for path in self._paths.get(layout.name, ()):
                if level == path.changes + 1 and not path.weighted:
                    yield layout, without_attention(path), level
                for roles, exchanged in role_maps(layout, path, relaxed=self._relaxed, blind=blind):
                    spent = path.changes + exchanged + base
                    for extra in range(level - spent + 1):
                        for variant in extended(path, roles, extra, self._first.num_heads):
                            yield layout, variant, spent + extra

    def _without_mask(self, layout: Layout, variant: Variant, changes: int) -> Iterator[Match]:
        self.evaluations += 1
        errors = self._first.plain.errors(layout, variant)
        if errors is None:
            return
        for index in self._fitting(errors):
            scale = _SCALE_NAMES[index]
            wrong = bool(self._scale_ids(layout, variant, scale))
            error = float(errors[index])
            match = Match(layout=layout, variant=variant, scale=scale, way=None, changes=changes + wrong, error=error)
            confirmed = self._confirmed(match, None)
            if confirmed is not None:
                self.plain = True
                yield replace(match, error=max(error, confirmed))
                return

    def _fitting(self, errors: Tensor) -> list[int]:
        """The scales that fit, and a note of the nearest that does not."""
        found: list[float] = errors.tolist()
        self.nearest = min(self.nearest, *(error for error in found if error > self._tolerance), math.inf)
        return [index for index, error in enumerate(found) if error <= self._tolerance]

    def factor(self, match: Match) -> float:
        """What the scores are multiplied by, in numbers, at the first size."""
        return float(self._scale(self._first.plain, match)[0])

    def scale_ids(self, match: Match) -> tuple[str, ...]:
        """The ids of a wrong scale."""
        if match.factors:
            return ("scale-constant",)
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

    def _fits_masked(self, match: Match, name: str) -> float | None:
        worst = 0.0
        for trial in self._first.masked:
            self.evaluations += 1
            error = self._error(trial, match.layout, match, WAYS[name], 0)
            if error is None:
                return None
            worst = max(worst, error)
        if worst > self._tolerance:
            kind = _kind(name)
            self._nearest_masks[kind] = min(self._nearest_masks.get(kind, math.inf), worst)
            return None
        confirmed = self._confirmed(match, WAYS[name])
        return None if confirmed is None else max(worst, confirmed)

    def _error(self, trial: Trial, layout: Layout, match: Match, way: Way | None, size: int) -> float | None:
        """The error of a match in one trial, at the first or the second size."""
        factor = torch.tensor([match.factors[size]], dtype=torch.float64) if match.factors else None
        errors = trial.errors(layout, match.variant, way, scales=factor)
        if errors is None:
            return None
        return float(errors[0 if match.factors else _SCALE_NAMES.index(match.scale)])

    def _confirmed(self, match: Match, way: Way | None) -> float | None:
        """The error at the second size; None where it does not fit there. 0 where there is no second."""
        if self._second is None:
            return 0.0
        layout = self._second.layout(match.layout.name)
        if layout is None or len(layout.blocks) != len(match.layout.blocks):
            return None
        worst = 0.0
        for trial in self._second.masked if way else (self._second.plain,):
            error = self._error(trial, layout, match, way, 1)
            if error is None or not error <= self._tolerance:
                return None
            worst = max(worst, error)
        return worst

    def ways_to(self, trial: Trial, match: Match) -> list[str]:
        """The ways to treat the mask by which this match gives the output of a trial, numbers or not."""
        return [name for name, way in WAYS.items() if self._error(trial, match.layout, match, way, 0) == 0.0]

    # -- numbers without a name ----------------------------------------------------------------------------------------

    def _with_fill(self, match: Match) -> Iterator[Match]:
        """The match with a number that hidden scores are set to, or that is added to them."""
        if not self._first.masked or match.variant.softmax not in ("keys", "twice"):
            return
        for name, way in ((FREE_FILL, free_fill), (FREE_ADDITION, free_addition)):
            fitted = self._fitted_fill(match, way)
            if fitted is None:
                continue
            found = way(torch.tensor([fitted[0]], dtype=torch.float64))
            errors = [self._error(each, match.layout, match, found, 0) for each in self._first.masked]
            confirmed = self._confirmed(match, found)
            if confirmed is not None and all(error is not None and error <= self._tolerance for error in errors):
                error = max(fitted[1], confirmed)
                yield replace(match, way=name, fill=fitted[0], changes=match.changes + 1, error=error)
                return

    def _fitted_fill(self, match: Match, way: Callable[[Tensor], Way]) -> tuple[float, float] | None:
        trial = self._first.masked[-1]  # where scores are large, a fill is small

        def errors(fills: Tensor) -> Tensor | None:
            self.evaluations += 1
            scale = self._scale(trial, match).expand(len(fills))
            return trial.errors(match.layout, match.variant, way(fills), scales=scale)

        return fit(errors, FILL_GRID, tolerance=self._tolerance)

    def _scale(self, trial: Trial, match: Match) -> Tensor:
        if match.factors:
            return torch.tensor([match.factors[0]], dtype=torch.float64)
        return trial.scales(match.layout)[_SCALE_NAMES.index(match.scale)][None]

    def _with_factor(self, structure: int) -> Iterator[Match]:
        """Matches with so many changes and a scale that has no name; the same for other weights of this size."""
        for layout, variant, changes in self._variants(structure):
            if changes != structure or variant.merge == "values" or self.evaluations > FITTING_UNTIL:
                continue
            fitted = self._fitted(self._first, layout, variant)
            if fitted is None or not self._is_constant(layout, variant, fitted[0]):
                continue
            factors, error = [fitted[0]], fitted[1]
            if self._second is not None:
                other = self._second.layout(layout.name)
                again = self._fitted(self._second, other, variant) if other is not None else None
                if again is None:
                    continue
                factors, error = [*factors, again[0]], max(error, again[1])
            self.plain = True
            yield Match(
                layout=layout,
                variant=variant,
                scale="constant",
                factors=tuple(factors),
                way=None,
                changes=changes + 1,
                error=error,
            )

    def _fitted(self, bench: Bench, layout: Layout, variant: Variant) -> tuple[float, float] | None:
        def errors(scales: Tensor) -> Tensor | None:
            self.evaluations += 1
            return bench.plain.errors(layout, variant, scales=scales)

        return fit(errors, SCALE_GRID, tolerance=self._tolerance)

    def _is_constant(self, layout: Layout, variant: Variant, factor: float) -> bool:
        """Whether the scale is the same for other weights: one that is learned is none of ours."""
        try:
            trial = self._first.with_other_weights()
        except NoAnswer:
            return False
        errors = trial.errors(layout, variant, scales=torch.tensor([factor], dtype=torch.float64))
        return errors is not None and float(errors[0]) <= self._tolerance

    # -- proof ---------------------------------------------------------------------------------------------------------

    def _proven(self, matches: list[Match]) -> tuple[Match, ...]:
        least = min(match.changes for match in matches)
        best = [match for match in matches if match.changes == least]
        found = tuple(match for match in best if self._runner_up(match) > MARGIN * self._tolerance)
        self.is_undecided = not found
        return found

    def _runner_up(self, match: Match) -> float:
        """The least error of what would be called otherwise."""
        kind = None if match.way is None else _kind(match.way)
        others = [error for other, error in self._nearest_masks.items() if other != kind]
        return min([self.nearest, *others])


def _kind(way: str) -> str:
    """What a way to treat masks is called: all right ways are one."""
    if way in (FREE_FILL, FREE_ADDITION):
        return "mask-fill-too-small"
    return WRONG[way][1][0] if way in WRONG else ""
