from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from grader.model import Cohort
from grader.reports.terminal import render_table

from . import sample


def printed(cohort: Cohort, width: int, **console: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width, **console).print(render_table(cohort, width=width))  # type: ignore[arg-type]
    return stream.getvalue()


def test_the_table_says_all_in_words() -> None:
    text = printed(sample.cohort(*sample.ordinary_grades()), 120, no_color=True)

    rows = {line.split()[0]: " ".join(line.split()) for line in text.splitlines() if line.strip()}
    assert rows["Student"] == "Student Assignment Points What went wrong Report"
    assert rows["ada"] == ("ada self-attention 5 / 12 Scores divided by sqrt(embed_dim) self-attention/ada.html")
    assert rows["donald"].startswith("donald self-attention 12 / 12 not graded: shape (needs attention)")
    assert rows["clara"].startswith("clara self-attention 0 / 12 cannot be read")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(cell_len(line) for line in printed(sample.cohort(), width).splitlines()) <= width


def test_a_students_text_is_neither_markup_nor_a_control_sequence() -> None:
    text = printed(sample.cohort(sample.hostile("[bold red]x[/]"), sample.hostile("esc\x1b[2J\u202e")), 200)

    assert "[bold red]x[/]" in text
    assert "esc\\x1b[2J\\u202e" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
