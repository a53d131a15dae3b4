"""Reports: one module per format, each a pure `render(cohort) -> {file name: content}`."""

from __future__ import annotations

from grader.reports.bundle import RENDERERS, render_all
from grader.reports.comparison import compared
from grader.reports.names import file_names, folder_names, report_paths
from grader.reports.views import StudentView, student_view
from grader.reports.wording import visible, what_went_wrong

__all__ = [
    "RENDERERS",
    "StudentView",
    "compared",
    "file_names",
    "folder_names",
    "render_all",
    "report_paths",
    "student_view",
    "visible",
    "what_went_wrong",
]
