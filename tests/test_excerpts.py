from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from grader.model import (
    Attempt,
    Cell,
    Certainty,
    CheckResult,
    Excerpt,
    Finding,
    Outcome,
    Place,
    SecondLook,
    SourceFile,
    Submission,
)
from grader.submissions.excerpts import AROUND, LONGEST_LINE, MOST_PLACES, excerpts

TWELVE = "\n".join(f"line {number}" for number in range(1, 13))


def handed_in(text: str, path: str = "attention.py", **more: object) -> Submission:
    file = SourceFile(path=path, content=text.encode(), **more)  # type: ignore[arg-type]
    return Submission(student="ada", origin=Path("ada"), files=(file,), digest="d" * 64)


def about(*places: Place, **more: object) -> Attempt:
    """An attempt with a finding at each place."""
    findings = tuple(Finding(id="x", certainty=Certainty.OBSERVED, title="t", where=where) for where in places)
    return Attempt(key="k", student="ada", assignment="a", results=(), findings=findings, **more)  # type: ignore[arg-type]


def at(line: int, source: str | None = None, file: str = "attention.py", cell: int | None = None) -> Place:
    return Place(file=file, line=line, source=f"line {line}" if source is None else source, cell=cell)


def test_the_lines_around_a_place_are_kept() -> None:
    (kept,) = excerpts(handed_in(TWELVE), about(at(6)))

    assert kept == Excerpt(file="attention.py", first=3, lines=tuple(f"line {number}" for number in range(3, 10)))
    assert len(kept.lines) == 2 * AROUND + 1


@pytest.mark.parametrize(("line", "first", "last"), [(1, 1, 4), (2, 1, 5), (12, 9, 12)])
def test_a_file_has_no_lines_before_its_first_or_after_its_last(line: int, first: int, last: int) -> None:
    (kept,) = excerpts(handed_in(TWELVE), about(at(line)))

    assert (kept.first, kept.first + len(kept.lines) - 1) == (first, last)


def test_places_near_each_other_share_their_lines_and_distant_ones_do_not() -> None:
    text = "\n".join(f"line {number}" for number in range(1, 101))

    kept = excerpts(handed_in(text), about(at(50), at(54), at(90), at(50)))

    assert [(each.first, len(each.lines)) for each in kept] == [(47, 11), (87, 7)]


def test_a_line_of_a_notebook_is_found_in_its_cell_as_it_was_written() -> None:
    cells = (
        Cell(number=1, source="!pip install torch\nimport torch", python="pass\nimport torch", line=3),
        Cell(number=2, source="def f():\n    return 1", python="def f():\n    return 1", line=6),
    )

    kept = excerpts(
        handed_in("", "a.ipynb", cells=cells),
        about(at(2, "import torch", "a.ipynb", cell=1), at(2, "return 1", "a.ipynb", cell=2)),
    )

    assert [(each.cell, each.lines) for each in kept] == [
        (1, ("!pip install torch", "import torch")),
        (2, ("def f():", "    return 1")),
    ]


@pytest.mark.parametrize(
    "place",
    [at(6, "something else"), at(0, ""), at(13, ""), at(-3, ""), at(6, file="other.py"), at(6, cell=1), at(10**12, "")],
)
def test_where_no_such_line_is_in_the_file_nothing_is_kept(place: Place) -> None:
    assert excerpts(handed_in(TWELVE), about(place)) == ()


def test_all_places_that_a_report_may_show_are_looked_at() -> None:
    text = "\n".join(f"line {number}" for number in range(1, 101))

    def result(line: int, outcome: Outcome = Outcome.FAILED) -> CheckResult:
        return CheckResult(check=f"c{line}", outcome=outcome, where=at(line))

    look = SecondLook(supplied=(), results=(result(40),), findings=about(at(60)).findings)
    attempt = msgspec.structs.replace(
        about(at(5)), results=(result(20), result(95, Outcome.PASSED)), second_look=look, loading_where=at(80)
    )

    assert sorted(each.first + AROUND for each in excerpts(handed_in(text), attempt)) == [5, 20, 40, 60, 80]


def test_lines_are_cleaned_and_bounded_and_so_is_their_number() -> None:
    text = "\n".join(["x = '\x1b[2J\u202e'", "y" * 1_000_000] + ["z"] * 1_000)
    many = about(at(1, ""), *(at(line, "") for line in range(10, 1_000, 8)))

    kept = excerpts(handed_in(text), many)

    assert kept[0].lines[0] == "x = '\\x1b[2J\\u202e'"
    assert kept[0].lines[1].startswith("y" * LONGEST_LINE + "… (")
    assert sum(len(each.lines) for each in kept) <= MOST_PLACES * (2 * AROUND + 1)


@pytest.mark.parametrize(
    ("before", "inside"),
    [
        ("x = 1", ""),
        ('"""doc\nmore', '"""'),
        ('"""doc"""', ""),
        ("'''doc\n\"\"\"", "'''"),
        ('# """', ""),
        ('x = \'"""\'', ""),
        ("x = \"it's\"  # '''", ""),
        ('x = """a\\"""b', '"""'),
        ("x = 'open\ny = '''z", "'''"),
    ],
)
def test_it_is_known_whether_the_first_line_begins_inside_a_string(before: str, inside: str) -> None:
    text = "\n".join([before, *(["pad"] * AROUND), "here"])

    (kept,) = excerpts(handed_in(text), about(at(text.count("\n") + 1, "here")))

    assert kept.inside == inside


def test_a_text_made_to_take_long_does_not() -> None:
    (kept,) = excerpts(handed_in('"' + '\\"' * 90_000 + "\n" * 9 + "here"), about(at(10, "here")))

    assert kept.inside == ""
