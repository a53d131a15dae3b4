"""`<assignment>/<student>.txt`: a student's report for an e-mail, without markup."""

from __future__ import annotations

from grader.model import Cohort
from grader.reports import templating
from grader.reports.names import report_paths
from grader.reports.templating import plain
from grader.reports.views import StudentView, student_views

BUDGET = 60_000
"""Bytes; more than anybody reads in an e-mail."""


def render(cohort: Cohort) -> dict[str, bytes]:
    """One file per grade."""
    paths = report_paths(cohort, "txt")
    return {paths[grade.student, grade.assignment]: student_text(view) for grade, view in student_views(cohort)}


def student_text(view: StudentView) -> bytes:
    """One student's report on one assignment."""
    return templating.render(plain(view.templates), "student.txt", BUDGET, view=view)
