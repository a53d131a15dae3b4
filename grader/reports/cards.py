"""Findings as their reader gets them: what happened, why it matters, where, what shows it, and where to look next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from grader.catalogue import CATALOGUE
from grader.model import Certainty, CheckGrade, Entity, Excerpt, Finding, Outcome
from grader.reports.diagrams import SHAPES, Diagram, diagram
from grader.reports.snippets import Snippet, snippet
from grader.reports.texts import TEXTS
from grader.reports.wording import capital, count, shown_value
from grader.submissions.excerpts import AROUND

MOST: Final = 50
"""Cards of a kind; further findings are only counted."""
_MOST_EVIDENCE: Final = 50


class Card(Entity, frozen=True, kw_only=True):
    """One finding.

    Attributes:
        what: what happened.
        why: why it matters; of what is only worth knowing, why it costs nothing.
        how: how it is known, as a sentence; empty where nothing more can be said than that it was seen.
        evidence: what shows it, as sentences.
        same: that others are the same function, as a sentence; mostly empty.
        look: where to look next.
        right: what correct looks like; empty where that may not be told.
        cost: the checks and points that hang on it; empty where that is not certain.
    """

    id: str
    certainty: Certainty
    title: str
    what: str
    why: str = ""
    snippet: Snippet | None = None
    diagram: Diagram | None = None
    how: str = ""
    evidence: tuple[str, ...] = ()
    same: str = ""
    look: str = ""
    right: str = ""
    cost: str = ""


def cards(
    findings: Iterable[Finding], checks: Iterable[CheckGrade], excerpts: tuple[Excerpt, ...], *, solved: bool
) -> tuple[tuple[Card, ...], int]:
    """A card for each mistake, that on which most points hang first, in the order of the findings where they are equal;
    and how many mistakes there are beyond these.

    Args:
        findings: root causes first.
        checks: all checks of the submission, with their points.
        excerpts: lines of its code.
        solved: whether it may be told what correct looks like.
    """
    mistakes = [finding for finding in findings if not finding.informative]
    chosen = mistakes[:MOST]
    lost = _lost(chosen, tuple(checks))
    order = sorted(range(len(chosen)), key=lambda index: -sum(check.spec.points for check in lost[index]))
    made = (_card(chosen[index], excerpts, solved=solved, lost=lost[index]) for index in order)
    return tuple(made), len(mistakes) - len(chosen)


def worth_knowing(findings: Iterable[Finding], excerpts: tuple[Excerpt, ...]) -> tuple[tuple[Card, ...], int]:
    """A card for each finding that is no mistake, and how many there are beyond these."""
    remarks = [finding for finding in findings if finding.informative]
    made = (_card(finding, excerpts, solved=False) for finding in remarks[:MOST])
    return tuple(made), max(0, len(remarks) - MOST)


def _card(finding: Finding, excerpts: tuple[Excerpt, ...], *, solved: bool, lost: tuple[CheckGrade, ...] = ()) -> Card:
    entry = CATALOGUE.get(finding.id)
    others = [CATALOGUE[id_].title for id_ in finding.alternatives if id_ in CATALOGUE]
    evidence = _sentences(finding.evidence)
    cost = TEXTS.say("card.cost", points=_points(lost), checks=count(len(lost), "check"))
    return Card(
        id=finding.id,
        certainty=finding.certainty,
        title=finding.title,
        what=finding.explanation or (entry.explanation if entry else ""),
        why=(entry.harmless if finding.informative else entry.why) if entry else "",
        snippet=snippet(finding.where, excerpts, AROUND),
        diagram=diagram(finding.evidence),
        how=TEXTS[f"card.how.{finding.certainty}"] if evidence or finding.certainty is Certainty.PROVEN else "",
        evidence=evidence,
        same=TEXTS.say("card.same", n=len(others), others=_listed(others)) if others else "",
        look=entry.look if entry else "",
        right=entry.right if entry and solved else "",
        cost=cost if lost and finding.check else "",
    )


# -- what hangs on a finding -------------------------------------------------------------------------------------------


def _lost(findings: list[Finding], checks: tuple[CheckGrade, ...]) -> list[tuple[CheckGrade, ...]]:
    """For each finding the checks that are wrong, or wait, because of it: those of the check that saw it.

    What no single check saw is behind all those that no other finding explains.
    """
    root = first_cause(checks)
    open_checks = [check for check in checks if check.result.outcome not in (Outcome.PASSED, Outcome.INTERNAL)]
    seen = {finding.check for finding in findings}
    rest = tuple(check for check in open_checks if root(check.spec.id) not in seen)
    return [
        tuple(check for check in open_checks if root(check.spec.id) == finding.check) if finding.check else rest
        for finding in findings
    ]


def first_cause(checks: Iterable[CheckGrade]) -> Callable[[str], str]:
    """Which check a check waits for in the end: the first in the chain that does not wait itself."""
    blocked_by = {check.spec.id: check.result.blocked_by for check in checks if check.result.outcome is Outcome.BLOCKED}

    def root(id_: str) -> str:
        passed: set[str] = set()
        while id_ not in passed and (cause := blocked_by.get(id_)):
            passed.add(id_)
            id_ = cause
        return id_

    return root


def _points(checks: Iterable[CheckGrade]) -> str:
    return count(sum(check.spec.points - check.points for check in checks), "point")


# -- what shows it -----------------------------------------------------------------------------------------------------


def _sentences(evidence: dict[str, float | int | str]) -> tuple[str, ...]:
    """What a finding's evidence says; shapes are drawn instead."""
    told = [(name, value) for name, value in evidence.items() if name not in SHAPES]
    return tuple(_sentence(name, shown_value(value)) for name, value in told[:_MOST_EVIDENCE])


def _sentence(name: str, value: str) -> str:
    key = f"evidence.{name.replace(' ', '-')}"
    return TEXTS.say(key, value=value) if key in TEXTS else f"{capital(name)}: {value}."


def _listed(titles: list[str]) -> str:
    quoted = [TEXTS.say("card.quoted", title=title) for title in titles]
    return quoted[0] if len(quoted) == 1 else TEXTS.say("card.listed", first=", ".join(quoted[:-1]), last=quoted[-1])
