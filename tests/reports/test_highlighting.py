from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.model import Place
from grader.reports.highlighting import rows
from grader.reports.snippets import Snippet


def coloured(*lines: str, inside: str = "", longest: int = 300) -> list[str]:
    found = Snippet(where=Place(file="a.py", line=1), first=1, lines=lines, inside=inside)
    return [str(text) for _, _, text in rows(found, longest, 99)]


def plain(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if not x:", '<span class="k">if</span>'),
        ("x = 'a'", '<span class="s">&#x27;</span>'),
        ("x  # why", '<span class="c"># why</span>'),
        ("x = 12.5", '<span class="m">12.5</span>'),
        ("def forward(self):", '<span class="f">forward</span>'),
        ("len(x)", '<span class="b">len</span>'),
        ("a < b & c", "a &lt; b &amp; c"),
    ],
)
def test_words_have_their_classes(source: str, expected: str) -> None:
    assert expected in coloured(source)[0].replace("&#34;", "&#x27;")


def test_what_begins_inside_a_string_is_read_as_such() -> None:
    doc, code = coloured('of a head"""', "for x in y:", inside='"""')

    assert "k" not in re.findall(r'class="(\w)"', doc)
    assert '<span class="k">for</span>' in code
    assert '<span class="k">for</span>' not in coloured('of a head"""', "for x in y:")[1]


@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_categories=["C", "M", "Z"]) | st.just(" "), max_size=40),
        min_size=1,
        max_size=7,
    )
)
def test_no_text_is_lost_or_moved_to_another_line(lines: list[str]) -> None:
    for inside in ("", '"""', "'''"):
        assert [plain(line) for line in coloured(*lines, inside=inside)] == lines


def test_the_line_that_is_meant_is_marked_and_lines_are_counted() -> None:
    found = Snippet(where=Place(file="a.py", line=8), first=7, lines=("a", "b", "c", "d"))

    assert [(number, meant) for number, meant, _ in rows(found, 300, 99)] == [
        (7, False),
        (8, True),
        (9, False),
        (10, False),
    ]
    assert [number for number, _, _ in rows(found, 300, 0)] == [8]


def test_long_lines_are_cut_and_hidden_characters_shown() -> None:
    cut, hidden = coloured("x" * 500, "a\u202eb\x1b\nc", longest=50)

    assert plain(cut) == "x" * 50 + "… (450 more characters)"
    assert plain(hidden) == "a\\u202eb\\x1b\\nc"
