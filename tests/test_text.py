from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.text import clean, nearest


@pytest.mark.parametrize(
    "text", ["", "plain", "Zoë Ångström", "注意力", "tab\there", "two\nlines", "🙂", "a\u0301", "❤\ufe0f", "שָׁ"]
)
def test_ordinary_text_stays_as_it_is(text):
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x00", r"\x00"),
        ("\x7f\x9b", r"\x7f\x9b"),
        ("a\rb", r"a\rb"),
        ("abc\u202etxt", r"abc\u202etxt"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\ufeffbom", r"\ufeffbom"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\U000e0041", r"\U000e0041"),
        ("a\u3164\u2800", r"a\u3164\u2800"),
        ("a\U000e0080\ue000", r"a\U000e0080\ue000"),
        ("a\ufe01\U000e0100", r"a\ufe01\U000e0100"),
        ("\u0301a", r"\u0301a"),
        ("a\u0489", r"a\u0489"),
    ],
)
def test_what_acts_instead_of_being_read_is_shown_as_an_escape(text, shown):
    assert clean(text) == shown


def test_marks_heaped_on_a_letter_are_shown_as_far_as_writing_needs_them():
    assert clean("a" + "\u0301" * 6 + "b\u0301") == "a" + "\u0301" * 4 + r"\u0301" * 2 + "b\u0301"


def test_lone_surrogates_and_undecodable_bytes_become_the_replacement_character():
    undecodable = b"caf\xe9".decode(errors="surrogateescape")

    assert clean(undecodable) == "caf\ufffd"
    assert clean("\ud800") == "\ufffd"


def test_windows_line_ends_become_plain_ones():
    assert clean("one\r\ntwo\r\n") == "one\ntwo\n"


def test_newlines_are_escaped_where_one_line_is_wanted():
    assert clean("a\nb\r\nc", keep_newlines=False) == r"a\nb\nc"


def test_a_long_text_is_cut_and_the_cut_is_counted():
    assert clean("x" * 10, limit=4) == "xxxx… (6 more characters)"


def test_a_text_of_exactly_the_limit_is_not_cut():
    assert clean("x" * 4, limit=4) == "xxxx"


def test_escapes_count_as_long_as_they_are_shown_and_are_never_cut_in_two():
    assert clean("\x1b\x1b\x1b", limit=9) == r"\x1b\x1b… (1 more characters)"


def test_a_flood_is_cut_after_its_escapes_are_counted():
    cleaned = clean("\x1b" * 20_000_000)

    assert len(cleaned) < 4100


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_nothing_that_acts_survives(text):
    cleaned = clean(text)

    cleaned.encode()
    assert not {unicodedata.category(char) for char in cleaned if char not in "\n\t"} & {
        "Cc",
        "Cf",
        "Cn",
        "Co",
        "Cs",
        "Me",
        "Zl",
        "Zp",
    }


def test_the_nearest_known_word_is_found():
    assert nearest("secnds", ["seconds", "memory"]) == "seconds"


def test_a_word_that_is_like_no_other_has_no_nearest():
    assert nearest("entirely-else", ["seconds", "memory"]) is None
    assert nearest("x", []) is None


def test_an_endless_word_is_not_compared():
    assert nearest("s" * 1_000_000, ["s" * 1_000_000]) is None
