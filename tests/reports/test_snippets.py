from __future__ import annotations

import pytest

from grader.model import Excerpt, Place
from grader.reports.snippets import snippet, unless_shown

LINES = ("def forward(self, x):", "    a = 1", "    b = 2", "    c = 3", "    d = 4", "    return a")


def kept(*lines: str, first: int = 10, inside: str = "", cell: int | None = None) -> tuple[Excerpt, ...]:
    return (Excerpt(file="a.py", first=first, lines=lines, inside=inside, cell=cell),)


def at(line: int, source: str = "", cell: int | None = None) -> Place:
    return Place(file="a.py", line=line, source=source, cell=cell)


def shown(line: int, excerpts: tuple[Excerpt, ...], around: int = 3) -> tuple[int, tuple[str, ...]]:
    found = snippet(at(line), excerpts, around)
    assert found
    return found.first, found.lines


def test_as_many_lines_are_shown_as_are_wanted() -> None:
    assert shown(12, kept(*LINES), around=1) == (11, ("a = 1", "b = 2", "c = 3"))
    assert shown(10, kept(*LINES), around=1) == (10, ("def forward(self, x):", "    a = 1"))


def test_where_no_lines_were_kept_the_line_itself_is_shown() -> None:
    for other in ((), kept(*LINES, cell=1), kept(*LINES, first=90)):
        found = snippet(at(12, "b = 2"), other, 3)
        assert found
        assert (found.first, found.lines) == (12, ("b = 2",))


def test_where_not_even_the_line_is_known_none_is_shown() -> None:
    found = snippet(at(12), (), 3)

    assert found
    assert found.lines == ()
    assert snippet(None, kept(*LINES), 3) is None


@pytest.mark.parametrize(
    ("lines", "line", "first", "expected"),
    [
        (("old", "", "", "here", "", "", "new"), 13, 13, ("here",)),
        (("", "here", "", "next"), 11, 11, ("here", "", "next")),
        (("    x", "", "    here", "", ""), 12, 10, ("x", "", "here")),
        (("", "", ""), 11, 11, ("",)),
    ],
)
def test_what_two_blank_lines_part_from_the_line_is_left_out(
    lines: tuple[str, ...], line: int, first: int, expected: tuple[str, ...]
) -> None:
    assert shown(line, kept(*lines)) == (first, expected)


def test_tabs_and_spaces_are_not_taken_for_the_same() -> None:
    assert shown(11, kept("\tx", "    y", "\tz")) == (10, ("\tx", "    y", "\tz"))


def test_lines_that_are_left_out_may_open_or_close_a_string() -> None:
    opened = snippet(at(13), kept("x = 1", '"""doc', "more", "more", "more"), 1)
    closed = snippet(at(13), kept("doc", '"""', "x = 1", "y = 2"), 1)

    assert opened
    assert opened.inside == '"""'
    assert closed
    assert closed.inside == '"""'  # the closing quotes open another one, where nothing was open before


def test_a_string_that_was_open_before_is_closed_by_its_quotes() -> None:
    found = snippet(at(13), kept("doc", '"""', "x = 1", "y = 2", inside='"""'), 1)

    assert found
    assert found.inside == ""


def test_the_same_place_is_shown_once() -> None:
    found = snippet(at(12), kept(*LINES), 3)
    again = unless_shown(found, {at(12)})

    assert again
    assert again.lines == ()
    assert again.where == at(12)
    assert unless_shown(found, {at(11)}) is found
    assert unless_shown(None, {at(12)}) is None
