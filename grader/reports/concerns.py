"""Why a person should look at some work: our own failures, what cannot be read, what was stopped, flags, little
isolation, and code that is nearly the same as another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from grader.model import CheckGrade, Cohort, Entity, Grade, IsolationLevel, Likeness, Outcome, Place, Status

STOPPED: Final = (Outcome.TIMED_OUT, Outcome.KILLED)

Titles = Mapping[str, str]
Marks = Mapping[str, tuple[str, ...]]


class Link(Entity, frozen=True, kw_only=True):
    """A student, and the page that is about their work on an assignment; empty where there is none."""

    student: str
    page: str


Links = Mapping[tuple[str, str], Link]
"""By student and assignment."""


class Note(Entity, frozen=True, kw_only=True):
    """One thing to know about a submission.

    Attributes:
        check: the title of the check it is about; empty for none.
        outcome: what became of that check.
        detail: what only an instructor may read, as it stands.
    """

    text: str = ""
    check: str = ""
    outcome: Outcome | None = None
    id: str = ""
    detail: str = ""
    where: Place | None = None


class Concern(Entity, frozen=True, kw_only=True):
    """Why a person should look at some work: of one student, or of several who have it in common.

    Attributes:
        level: what the code ran behind, where that is the reason.
        alike: what their code has in common, where that is the reason.
    """

    people: tuple[Link, ...] = ()
    assignment: str = ""
    notes: tuple[Note, ...] = ()
    level: IsolationLevel | None = None
    alike: Likeness | None = None


class Concerns(Entity, frozen=True, kw_only=True):
    """All work that is looked at for one reason: `internal`, `rejected`, `stopped`, `flagged`, `weak` or `alike`."""

    reason: str
    concerns: tuple[Concern, ...]


def attention(cohort: Cohort, titles: Titles, links: Links) -> Iterator[Concerns]:
    """The reasons there are to look at something, the most urgent first."""
    for reason, concern_of in _REASONS.items():
        concerns = [
            msgspec.structs.replace(found, people=(links[key],), assignment=titles.get(grade.assignment, ""))
            for grade in cohort.grades
            if (key := (grade.student, grade.assignment)) in links and (found := concern_of(grade)) is not None
        ]
        if concerns:
            yield Concerns(reason=reason, concerns=tuple(concerns))
    weak = tuple(_weak(cohort, titles, links))
    if weak:
        yield Concerns(reason="weak", concerns=weak)
    if cohort.likenesses:
        yield Concerns(reason="alike", concerns=tuple(_alike(each, titles, links) for each in cohort.likenesses))


def _failed_by_us(grade: Grade) -> Concern | None:
    notes = [Note(text=grade.reason)] if grade.reason else []
    notes += [_check_note(check) for check in grade.checks if check.result.outcome is Outcome.INTERNAL]
    return Concern(notes=tuple(notes)) if grade.status is Status.NEEDS_ATTENTION else None


def _rejected(grade: Grade) -> Concern | None:
    return Concern(notes=(Note(text=grade.reason),)) if grade.status is Status.REJECTED else None


def _stopped(grade: Grade) -> Concern | None:
    notes = tuple(_check_note(check) for check in grade.checks if check.result.outcome in STOPPED)
    return Concern(notes=notes) if notes else None


def _flagged(grade: Grade) -> Concern | None:
    flags = grade.attempt.flags if grade.attempt else ()
    notes = tuple(Note(text=flag.message, id=flag.id, where=flag.where) for flag in flags)
    return Concern(notes=notes) if notes else None


_REASONS: Final[dict[str, Callable[[Grade], Concern | None]]] = {
    "internal": _failed_by_us,
    "rejected": _rejected,
    "stopped": _stopped,
    "flagged": _flagged,
}


def _weak(cohort: Cohort, titles: Titles, links: Links) -> Iterator[Concern]:
    """Work that ran behind less than the best; of nobody in particular where that is true of all."""
    ran = [grade for grade in cohort.grades if grade.attempt is not None]
    levels = {grade.attempt.isolation.level for grade in ran if grade.attempt}
    if len(levels) == 1 and levels != {IsolationLevel.SEALED}:
        yield Concern(level=levels.pop())
        return
    for grade in ran:
        level = grade.attempt.isolation.level if grade.attempt else IsolationLevel.SEALED
        if level is not IsolationLevel.SEALED:
            link = links[grade.student, grade.assignment]
            yield Concern(people=(link,), assignment=titles.get(grade.assignment, ""), level=level)


def _check_note(check: CheckGrade) -> Note:
    result = check.result
    return Note(
        text=result.message, check=check.spec.title, outcome=result.outcome, detail=result.detail, where=result.where
    )


def _alike(likeness: Likeness, titles: Titles, links: Links) -> Concern:
    people = (
        links.get((student, likeness.assignment)) or Link(student=student, page="") for student in likeness.students
    )
    title = titles.get(likeness.assignment, likeness.assignment)
    return Concern(people=tuple(people), assignment=title, alike=likeness)


def marks(found: Iterable[Concerns]) -> dict[str, tuple[str, ...]]:
    """The reasons to look at each page's work, by page."""
    reasons: dict[str, list[str]] = {}
    for concerns in found:
        for page in {link.page: None for concern in concerns.concerns for link in concern.people if link.page}:
            reasons.setdefault(page, []).append(concerns.reason)
    return {page: tuple(several) for page, several in reasons.items()}
