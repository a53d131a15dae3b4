"""`<assignment>/<student>.md`: a student's report for an LMS or a GitHub comment."""

from __future__ import annotations

from grader.model import Cohort
from grader.reports import templating
from grader.reports.names import report_paths
from grader.reports.templating import markdown
from grader.reports.views import StudentView, student_views

BUDGET = 60_000
"""Bytes; GitHub takes comments of 65 536 characters."""


def render(cohort: Cohort) -> dict[str, bytes]:
    """One file per grade."""
    paths = report_paths(cohort, "md")
    return {paths[grade.student, grade.assignment]: student_comment(view) for grade, view in student_views(cohort)}


def student_comment(view: StudentView) -> bytes:
    """One student's report on one assignment, short enough for a comment."""
    return templating.render(markdown(view.templates), "student.md", BUDGET, view=view)
