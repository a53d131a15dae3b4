"""`index.html`: the class, for its instructor. It holds everything, hidden checks too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from grader.model import (
    Assignment,
    CheckGrade,
    CheckSpec,
    Cohort,
    Entity,
    Flag,
    Grade,
    IsolationLevel,
    Outcome,
    Status,
)
from grader.reports.names import report_paths
from grader.reports.templating import Caps, fit, html
from grader.reports.wording import LITTLE_ISOLATION, what_went_wrong

INDEX = "index.html"
BUDGET = 200_000
"""Bytes the page keeps to, until its rows, each of them bounded, are too many."""


class Cell(Entity, frozen=True, kw_only=True):
    """One student's result on one assignment, for the class page: with everything, hidden checks too."""

    grade: Grade
    assignment: str
    headline: str
    page: str
    problems: tuple[CheckGrade, ...]

    @property
    def unusual(self) -> bool:
        """Whether a person should look at it."""
        return self.grade.status in {Status.NEEDS_ATTENTION, Status.REJECTED}

    @property
    def failures(self) -> tuple[CheckGrade, ...]:
        """The checks that we failed to carry out."""
        return tuple(check for check in self.problems if check.result.outcome is Outcome.INTERNAL)

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What only an instructor is told."""
        return self.grade.attempt.flags if self.grade.attempt else ()

    @property
    def level(self) -> IsolationLevel | None:
        """What the code ran behind; None when none was run."""
        return self.grade.attempt.isolation.level if self.grade.attempt else None

    @property
    def weak(self) -> bool:
        """Whether an instructor must not overlook how little walled it in."""
        return self.level in LITTLE_ISOLATION


class PassRate(Entity, frozen=True, kw_only=True):
    """How a class did on one check, of all submissions that were checked."""

    spec: CheckSpec
    passed: int
    waiting: int
    total: int

    @property
    def percent(self) -> int:
        """Passed of total, rounded down so that only all is 100."""
        return 100 * self.passed // self.total if self.total else 0


def render(cohort: Cohort) -> dict[str, bytes]:
    """The one file of this format."""
    return {INDEX: class_page(cohort)}


def class_page(cohort: Cohort) -> bytes:
    """The instructor's page: who got what and why, what needs a person, and how each check did."""
    cells = _cells(cohort)
    rows: dict[str, dict[str, Cell]] = {}
    for cell in cells:
        rows.setdefault(cell.grade.student, {})[cell.grade.assignment] = cell
    columns = _columns(cohort)
    levels = _levels(cells)
    rates = [(assignment, _pass_rates(assignment, cohort.grades)) for assignment in cohort.assignments]
    template = html().get_template("class.html")

    def draw(caps: Caps) -> str:
        return template.render(
            cohort=cohort,
            columns=columns,
            rows=rows,
            rates=rates,
            levels=levels,
            weak=bool(levels) and cohort.isolation.level in LITTLE_ISOLATION,
            attention=[cell for cell in cells if cell.unusual],
            flagged=[cell for cell in cells if cell.flags],
            ignoring=[cell for cell in cells if cell.grade.ignored],
            caps=caps,
        )

    return fit(draw, BUDGET)


def _cells(cohort: Cohort) -> list[Cell]:
    titles = {assignment.id: assignment.title for assignment in cohort.assignments}
    paths = report_paths(cohort, "html")
    silent = {Outcome.PASSED, Outcome.BLOCKED}
    return [
        Cell(
            grade=grade,
            assignment=titles.get(grade.assignment, grade.assignment),
            headline=what_went_wrong(grade),
            page=paths[grade.student, grade.assignment],
            problems=tuple(check for check in grade.checks if check.result.outcome not in silent),
        )
        for grade in cohort.grades
    ]


def _levels(cells: list[Cell]) -> dict[str, int]:
    """How many submissions ran at each level, best first."""
    counts = Counter(cell.level for cell in cells)
    return {level.value: counts[level] for level in IsolationLevel if counts[level]}


def _columns(cohort: Cohort) -> dict[str, str]:
    """Titles of all assignments by id: those of the run in their order, then any that only a grade names."""
    named = {assignment.id: assignment.title for assignment in cohort.assignments}
    return named | {grade.assignment: grade.assignment for grade in cohort.grades if grade.assignment not in named}


def _pass_rates(assignment: Assignment, grades: Iterable[Grade]) -> list[PassRate]:
    outcomes: dict[str, list[Outcome]] = {spec.id: [] for spec in assignment.checks}
    for grade in grades:
        if grade.assignment == assignment.id:
            for check in grade.checks:
                outcomes.setdefault(check.spec.id, []).append(check.result.outcome)
    return [
        PassRate(
            spec=spec,
            passed=outcomes[spec.id].count(Outcome.PASSED),
            waiting=outcomes[spec.id].count(Outcome.BLOCKED),
            total=len(outcomes[spec.id]),
        )
        for spec in assignment.checks
    ]
