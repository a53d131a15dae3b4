"""An assignment's own templates stand in the place of ours, in what its students get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from grader.errors import ConfigurationError
from grader.model import Cohort
from grader.reports import class_page, markdown, pages, plain

from . import sample

FORMATS = {"html": pages.render, "md": markdown.render, "txt": plain.render}


def cohort(folder: Path, **templates: str) -> Cohort:
    """Ada's grade on an assignment with these templates, by their names with `_` for the dot."""
    own = folder / "templates"
    own.mkdir()
    for name, text in templates.items():
        (own / name.replace("_", ".")).write_text(text)
    found = sample.cohort(sample.ada())
    assignments = tuple(msgspec.structs.replace(each, folder=folder) for each in found.assignments)
    return msgspec.structs.replace(found, assignments=assignments)


def rendered(render: Callable[[Cohort], dict[str, bytes]], of: Cohort) -> str:
    [content] = render(of).values()
    return content.decode()


@pytest.mark.parametrize("extension", FORMATS)
def test_a_template_of_the_assignments_own_is_used_instead_of_ours(extension: str, tmp_path: Path) -> None:
    of = cohort(tmp_path, **{f"student_{extension}": "Dear {{ view.student }}: {{ view.points|number }}\n"})

    assert rendered(FORMATS[extension], of) == f"Dear {of.grades[0].student}: {of.grades[0].points:g}\n"


@pytest.mark.parametrize("extension", FORMATS)
def test_without_one_ours_is_used(extension: str, tmp_path: Path) -> None:
    render = FORMATS[extension]

    assert render(cohort(tmp_path)) == render(sample.cohort(sample.ada()))


def test_a_part_can_be_replaced_alone(tmp_path: Path) -> None:
    text = rendered(markdown.render, cohort(tmp_path, cards_md="Come to room 12 on Monday.\n"))
    ours = rendered(markdown.render, sample.cohort(sample.ada()))

    assert "Come to room 12 on Monday." in text
    assert text.splitlines()[0] == ours.splitlines()[0]
    assert len(text) < len(ours)


def test_one_can_build_upon_ours(tmp_path: Path) -> None:
    text = rendered(markdown.render, cohort(tmp_path, student_md='{% include "grader/student.md" %}\nCome by.\n'))

    ours = rendered(markdown.render, sample.cohort(sample.ada()))

    assert text.startswith(ours)
    assert text[len(ours) :].strip() == "Come by."


def test_what_is_shown_in_one_is_still_made_harmless(tmp_path: Path) -> None:
    of = cohort(tmp_path, student_html="{{ view.student }}")
    grades = tuple(msgspec.structs.replace(each, student="<script>\u202e") for each in of.grades)
    text = rendered(pages.render, msgspec.structs.replace(of, grades=grades))

    assert "<script>" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("template", "line"),
    [("\n{% if %}", 2), ("\n\n{{ view.nothing }}", 3), ("{{ 1 / 0 }}", 1), ('{% include "nowhere.md" %}', 1)],
)
def test_one_that_cannot_be_used_is_told_with_its_line(template: str, line: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        markdown.render(cohort(tmp_path, student_md=template))

    assert caught.value.message.startswith(f"{tmp_path}/templates/student.md: line {line}: ")
    assert caught.value.hint


def test_the_class_page_is_ours_in_any_case(tmp_path: Path) -> None:
    of = cohort(tmp_path, class_html="mine", page_html="mine")

    assert class_page.render(of) == class_page.render(sample.cohort(sample.ada()))
