"""Checks as their student sees them: under their concepts, and what waits under what it waits for."""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from grader.model import CheckGrade, Entity, Excerpt, Outcome, Place
from grader.reports.cards import first_cause
from grader.reports.snippets import Snippet, snippet, unless_shown
from grader.reports.texts import TEXTS
from grader.reports.wording import OUTCOME_SENTENCES

_AROUND = 1
"""Lines around that of a check; those around a finding's line are on its card."""


class CheckView(Entity, frozen=True, kw_only=True):
    """One check.

    Attributes:
        waiting_for: of a check that waits, the title of the check that must be put right first.
        waiting: the checks that wait for this one.
    """

    title: str
    concept: str
    hidden: bool
    outcome: Outcome
    points: float
    max_points: float
    message: str
    snippet: Snippet | None
    waiting_for: str
    waiting: tuple[CheckView, ...] = ()


class ConceptView(Entity, frozen=True, kw_only=True):
    """The checks about one idea, in the assignment's order."""

    concept: str
    checks: tuple[CheckView, ...]

    @property
    def points(self) -> float:
        """What they have brought."""
        return sum(check.points for check in self.checks)


class ConceptScore(Entity, frozen=True, kw_only=True):
    """What the checks about one idea have brought."""

    concept: str
    points: float
    max_points: float
    correct: int
    total: int


def check_view(
    check: CheckGrade, titles: dict[str, str], excerpts: tuple[Excerpt, ...], shown: Container[Place] = ()
) -> CheckView:
    """One check; `titles` are those of all checks by id, and `shown` the places whose lines are shown already."""
    spec, result = check.spec, check.result
    waits = result.outcome is Outcome.BLOCKED
    return CheckView(
        title=spec.title,
        concept=spec.concept,
        hidden=spec.hidden,
        outcome=result.outcome,
        points=check.points,
        max_points=spec.points,
        message=result.message or OUTCOME_SENTENCES[result.outcome],
        snippet=unless_shown(snippet(result.where, excerpts, _AROUND), shown),
        waiting_for=titles.get(result.blocked_by or "", TEXTS["check.another"]) if waits else "",
    )


def wrong_checks(
    checks: tuple[CheckGrade, ...], excerpts: tuple[Excerpt, ...], shown: Container[Place]
) -> tuple[CheckView, ...]:
    """Those that are not correct, each that waits under the first cause of its waiting where that is wrong itself."""
    root = first_cause(checks)
    titles = {check.spec.id: check.spec.title for check in checks}
    views = {
        check.spec.id: check_view(check, titles, excerpts, shown)
        for check in checks
        if check.result.outcome is not Outcome.PASSED
    }
    waiting: dict[str, list[CheckView]] = {}
    for id_, view in views.items():
        if root(id_) in views and root(id_) != id_:
            waiting.setdefault(root(id_), []).append(view)
    return tuple(
        msgspec.structs.replace(view, waiting=tuple(waiting.get(id_, ())))
        for id_, view in views.items()
        if root(id_) not in views or root(id_) == id_
    )


def by_concept(checks: Iterable[CheckView]) -> tuple[ConceptView, ...]:
    """Checks under their concepts, each where its first check stands."""
    groups: dict[str, list[CheckView]] = {}
    for check in checks:
        groups.setdefault(check.concept, []).append(check)
    return tuple(ConceptView(concept=concept, checks=tuple(group)) for concept, group in groups.items())


def scores(checks: Iterable[CheckGrade]) -> tuple[ConceptScore, ...]:
    """What each concept has brought, in the assignment's order."""
    groups: dict[str, list[CheckGrade]] = {}
    for check in checks:
        groups.setdefault(check.spec.concept, []).append(check)
    return tuple(
        ConceptScore(
            concept=concept,
            points=sum(check.points for check in group),
            max_points=sum(check.spec.points for check in group),
            correct=sum(check.result.outcome is Outcome.PASSED for check in group),
            total=len(group),
        )
        for concept, group in groups.items()
    )
