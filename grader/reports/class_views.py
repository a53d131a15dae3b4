"""What an instructor is told about a class: everything, hidden checks too, put into the order in which it is read.

Nothing here knows a format; numbers come from `grader.reports.statistics`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from grader.catalogue import CATALOGUE
from grader.model import (
    Assignment,
    Change,
    CheckResult,
    CheckStatistics,
    Cohort,
    Entity,
    Grade,
    IgnoredFile,
    IsolationLevel,
    Mistake,
    Outcome,
    Place,
    Spread,
)
from grader.reports.concerns import Concerns, Link, Links, Marks, Titles, attention, marks
from grader.reports.names import report_paths, safe_names
from grader.reports.statistics import ENOUGH, check_statistics, mistakes, spread
from grader.reports.wording import what_went_wrong

MESSAGES = 3
"""Different messages of a check that are shown."""

_COMPARED = 500  # characters of a message
_NUMBER = re.compile(r"\d[\d.]*(?:e[+-]?\d+)?")


class Said(Entity, frozen=True, kw_only=True):
    """What a check told students, and whom; where their messages differ in numbers, the first of them."""

    message: str
    people: tuple[Link, ...]
    where: Place | None


class CheckView(Entity, frozen=True, kw_only=True):
    """How the class did on a check.

    Attributes:
        anchor: names the check within the page.
        standing: `everybody`, `nobody` or `backwards`, where that should be noticed; otherwise empty.
        few: whether there are too few submissions for a correlation.
        said: the messages that most students read, with the number of the others in `others`.
    """

    anchor: str
    statistics: CheckStatistics
    standing: str
    few: bool
    said: tuple[Said, ...]
    others: int

    @property
    def waiting(self) -> int:
        """How many have not got to it, as another check must pass before."""
        return self.statistics.counts.get(Outcome.BLOCKED, 0)


class MistakeView(Entity, frozen=True, kw_only=True):
    """A mistake, with who made it and what the catalogue says about it. `number` counts an assignment's from 0."""

    number: int
    mistake: Mistake
    people: tuple[Link, ...]
    explanation: str
    why: str


class Row(Entity, frozen=True, kw_only=True):
    """One student's work on one assignment, check by check.

    Attributes:
        outcomes: one for each check of the assignment; empty where nothing was examined.
        mistakes: the numbers of the mistakes in it.
        marks: why a person should look at it: reasons of `Concerns`.
    """

    link: Link
    grade: Grade
    headline: str
    outcomes: tuple[Outcome, ...]
    mistakes: tuple[int, ...]
    marks: tuple[str, ...]


class AssignmentView(Entity, frozen=True, kw_only=True):
    """One assignment and everybody who handed something in for it."""

    anchor: str
    title: str
    spread: Spread
    mistakes: tuple[MistakeView, ...]
    harmless: tuple[MistakeView, ...]
    checks: tuple[CheckView, ...]
    rows: tuple[Row, ...]


class ChangeView(Entity, frozen=True, kw_only=True):
    """A change, and whom it is about."""

    link: Link
    assignment: str
    change: Change


class Unread(Entity, frozen=True, kw_only=True):
    """Files of one student that were not looked at."""

    link: Link
    files: tuple[IgnoredFile, ...]


class ClassView(Entity, frozen=True, kw_only=True):
    """A cohort as its instructor sees it.

    Attributes:
        finished, since: when the run ended, and the one it is compared with.
        levels: how many submissions ran at each level of isolation, best first.
        unread: by student; the same files of several assignments once.
    """

    cohort: Cohort
    finished: str
    since: str
    students: int
    attention: tuple[Concerns, ...]
    changes: tuple[ChangeView, ...]
    assignments: tuple[AssignmentView, ...]
    levels: dict[IsolationLevel, int]
    unread: tuple[Unread, ...]


def class_view(cohort: Cohort) -> ClassView:
    """All of it. Assignments for which nobody handed anything in are left out."""
    paths = report_paths(cohort, "html")
    links = {key: Link(student=key[0], page=page) for key, page in paths.items()}
    titles = {assignment.id: assignment.title for assignment in cohort.assignments}
    concerns = tuple(attention(cohort, titles, links))
    levels = Counter(grade.attempt.isolation.level for grade in cohort.grades if grade.attempt)
    return ClassView(
        cohort=cohort,
        finished=moment(cohort.finished),
        since=moment(cohort.changes.since) if cohort.changes else "",
        students=len({grade.student for grade in cohort.grades}),
        attention=concerns,
        changes=tuple(_changes(cohort, titles, links)),
        assignments=tuple(_assignments(cohort, links, marks(concerns))),
        levels={level: levels[level] for level in IsolationLevel if levels[level]},
        unread=tuple(_unread(cohort, links)),
    )


def moment(written: str) -> str:
    """A time as the results have it to the minute, `2026-03-14 15:09`; anything else as it stands."""
    try:
        return datetime.fromisoformat(written).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return written


# -- what changed, and what nobody looked at ---------------------------------------------------------------------------


def _changes(cohort: Cohort, titles: Titles, links: Links) -> Iterator[ChangeView]:
    for change in cohort.changes.changes if cohort.changes else ():
        link = links.get((change.student, change.assignment))
        yield ChangeView(
            link=link or Link(student=change.student, page=""),
            assignment=titles.get(change.assignment, change.assignment),
            change=change,
        )


def _unread(cohort: Cohort, links: Links) -> Iterator[Unread]:
    seen: set[tuple[str, tuple[IgnoredFile, ...]]] = set()
    for grade in cohort.grades:
        if grade.ignored and (grade.student, grade.ignored) not in seen:
            seen.add((grade.student, grade.ignored))
            yield Unread(link=links[grade.student, grade.assignment], files=grade.ignored)


# -- one assignment ----------------------------------------------------------------------------------------------------


def _assignments(cohort: Cohort, links: Links, reasons: Marks) -> Iterator[AssignmentView]:
    names = safe_names(assignment.id for assignment in cohort.assignments)
    for assignment in cohort.assignments:
        grades = [grade for grade in cohort.grades if grade.assignment == assignment.id]
        if grades:
            found = _mistakes(assignment, grades, links)
            anchor = f"for-{names[assignment.id]}"
            yield AssignmentView(
                anchor=anchor,
                title=assignment.title,
                spread=spread(assignment, grades),
                mistakes=tuple(each for each in found if not each.mistake.informative),
                harmless=tuple(each for each in found if each.mistake.informative),
                checks=tuple(_checks(assignment, grades, links, anchor)),
                rows=tuple(_rows(assignment, grades, links, reasons, found)),
            )


def _mistakes(assignment: Assignment, grades: list[Grade], links: Links) -> list[MistakeView]:
    views = []
    for number, mistake in enumerate(mistakes(assignment, grades)):
        entry = CATALOGUE.get(mistake.id)
        views.append(
            MistakeView(
                number=number,
                mistake=mistake,
                people=tuple(links[student, assignment.id] for student in mistake.students),
                explanation=entry.explanation if entry else "",
                why=entry.why if entry else "",
            )
        )
    return views


def _checks(assignment: Assignment, grades: list[Grade], links: Links, anchor: str) -> Iterator[CheckView]:
    told: dict[str, dict[str, list[tuple[Link, CheckResult]]]] = {spec.id: {} for spec in assignment.checks}
    for grade in grades:
        for check in grade.checks:
            if check.result.message and check.spec.id in told:
                kind = _NUMBER.sub("#", check.result.message[:_COMPARED])
                link = links[grade.student, grade.assignment]
                told[check.spec.id].setdefault(kind, []).append((link, check.result))
    for statistics in check_statistics(assignment, grades):
        messages = told[statistics.spec.id]
        common = sorted(messages.values(), key=len, reverse=True)[:MESSAGES]
        yield CheckView(
            anchor=f"{anchor}-{statistics.number}",
            statistics=statistics,
            standing=_standing(statistics),
            few=statistics.total < ENOUGH,
            said=tuple(map(_said, common)),
            others=len(messages) - len(common),
        )


def _said(heard: list[tuple[Link, CheckResult]]) -> Said:
    """The first of messages that differ only in their numbers; where it is about, if only one student heard it."""
    first = heard[0][1]
    where = first.where if len(heard) == 1 else None
    return Said(message=first.message, people=tuple(link for link, _ in heard), where=where)


def _standing(statistics: CheckStatistics) -> str:
    if not statistics.total:
        return ""
    if statistics.passed == statistics.total:
        return "everybody"
    if not statistics.passed:
        return "nobody"
    return "backwards" if statistics.discrimination is not None and statistics.discrimination < 0 else ""


def _rows(
    assignment: Assignment, grades: list[Grade], links: Links, reasons: Marks, found: list[MistakeView]
) -> Iterator[Row]:
    numbers = {view.mistake.id: view.number for view in found}
    for grade in grades:
        outcomes = {check.spec.id: check.result.outcome for check in grade.checks}
        link = links[grade.student, grade.assignment]
        named = {finding.id for finding in grade.attempt.findings} if grade.attempt else ()
        yield Row(
            link=link,
            grade=grade,
            headline=what_went_wrong(grade),
            outcomes=tuple(outcomes.get(spec.id, Outcome.INTERNAL) for spec in assignment.checks) if outcomes else (),
            mistakes=tuple(sorted(numbers[id_] for id_ in named)),
            marks=reasons.get(link.page, ()),
        )
