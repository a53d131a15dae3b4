"""`<assignment>/<student>.html`: a page for each student.

Every page stands alone: its style is inside, it loads nothing, it runs nothing, and its security policy says so. What a
policy inside a page cannot forbid is being framed by another page: `frame-ancestors` counts only as a header, so who
serves these pages sets it there.
"""

from __future__ import annotations

from grader.model import Cohort
from grader.reports import templating
from grader.reports.names import report_paths
from grader.reports.templating import html
from grader.reports.views import StudentView, student_views

BUDGET = 200_000
"""Bytes of a student's page."""


def render(cohort: Cohort) -> dict[str, bytes]:
    """One page per grade."""
    paths = report_paths(cohort, "html")
    return {paths[grade.student, grade.assignment]: student_page(view) for grade, view in student_views(cohort)}


def student_page(view: StudentView) -> bytes:
    """One student's page for one assignment."""
    return templating.render(html(view.templates), "student.html", BUDGET, view=view)
