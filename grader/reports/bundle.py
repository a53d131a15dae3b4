"""All files of a run, from all formats."""

from __future__ import annotations

from collections.abc import Callable

from grader.model import Cohort
from grader.reports import class_page, grades, markdown, pages, plain, results

RENDERERS: tuple[Callable[[Cohort], dict[str, bytes]], ...] = (
    results.render,
    grades.render,
    class_page.render,
    pages.render,
    markdown.render,
    plain.render,
)


def render_all(cohort: Cohort) -> dict[str, bytes]:
    """Every report of a run: relative file name, with `/` between its parts, to content."""
    return {name: content for render in RENDERERS for name, content in render(cohort).items()}
