"""A student's page as a student reads it: cards, lines, shapes, pictures; and the same in the other formats."""

from __future__ import annotations

import pytest

from grader.model import Cohort, HiddenFeedback
from grader.reports import markdown, pages, plain

from . import sample
from .gold import assert_gold

REPRESENTATIVE = {
    "ada": sample.ada(),
    "alan": sample.ordinary_grades()[1],
    "barbara": sample.ordinary_grades()[2],
    "donald": sample.ordinary_grades()[4],
    "haskell": sample.ordinary_grades()[8],
    "ingrid": sample.partly_run(),
    "john": sample.rescued(),
    "katherine": sample.import_forgotten(),
    "mary": sample.misshapen(),
    "radia": sample.nameless(),
    "hostile": sample.hostile(sample.HOSTILE_NAMES[0]),
}
"""All correct, a proven mistake with pictures, shapes, a second look, ways of loading, our failure, nothing at all."""


def files(cohort: Cohort) -> dict[str, bytes]:
    """The one student's file in each format, by its extension."""
    rendered = pages.render(cohort) | markdown.render(cohort) | plain.render(cohort)
    return {name.rpartition(".")[2]: content for name, content in rendered.items()}


@pytest.mark.parametrize("name", REPRESENTATIVE)
@pytest.mark.parametrize("extension", ["html", "md", "txt"])
def test_a_students_report_is_the_one_accepted_before(name: str, extension: str) -> None:
    assert_gold(f"{name}.{extension}", files(sample.cohort(REPRESENTATIVE[name]))[extension])


@pytest.mark.parametrize("feedback", [HiddenFeedback.HINT, HiddenFeedback.OUTCOME])
def test_a_report_that_withholds_something_is_the_one_accepted_before(feedback: HiddenFeedback) -> None:
    assert_gold(f"ada-{feedback}.html", files(sample.cohort(sample.ada(), feedback=feedback))["html"])
