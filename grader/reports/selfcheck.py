"""A student's own look at their work: a plain text for the terminal, a card for a notebook, and the usual page."""

from __future__ import annotations

import msgspec

from grader.model import Assignment, Entity, Grade, Match
from grader.reports.pages import student_page
from grader.reports.templating import html, plain, render
from grader.reports.texts import TEXTS
from grader.reports.views import StudentView, student_view

TEXT_BUDGET = 16_000
CARD_BUDGET = 60_000
"""Bytes; a notebook keeps every card."""


class Checked(Entity, frozen=True, kw_only=True):
    """One class after the public checks, as its author sees it.

    Attributes:
        target, file: the class and where it stands.
    """

    view: StudentView
    target: str
    file: str

    @property
    def passed(self) -> bool:
        """Whether every public check is correct."""
        return self.view.correct == self.view.total


def checked(grade: Grade, assignment: Assignment, match: Match) -> Checked:
    """What a student sees of a grade for public checks."""
    return Checked(view=student_view(grade, assignment), target=match.target, file=match.file)


def text(one: Checked) -> str:
    """For a terminal, at most so wide as e-mails are."""
    shown = {"view": one.view, "target": one.target, "file": one.file}
    return render(plain(one.view.templates), "selfcheck.txt", TEXT_BUDGET, **shown).decode()


def card(several: tuple[Checked, ...]) -> str:
    """For the output of a notebook's cell: a piece of HTML that needs nothing else."""
    budget = CARD_BUDGET // max(1, len(several))
    cards = (render(html(one.view.templates), "selfcheck.html", budget, checked=(one,)) for one in several)
    return b"".join(cards).decode()


def problem(message: str, hint: str | None) -> tuple[str, str]:
    """Why there is nothing to show: as a card and as text."""
    shown = {"message": message, "hint": hint or ""}
    formats = ((html(), "selfcheck-problem.html"), (plain(), "selfcheck-problem.txt"))
    made = [environment.get_template(name).render(**shown) for environment, name in formats]
    return made[0], made[1].rstrip()


def page(one: Checked) -> bytes:
    """The page that students get of a grade, which says under its title what it is instead of whose it is."""
    return student_page(msgspec.structs.replace(one.view, student=TEXTS["self-check.what"]))
