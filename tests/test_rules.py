from __future__ import annotations

from enum import StrEnum

import pytest

from grader.rules import COMPUTED, FLAG, NAME, TEXT, Table, at_most, number, one_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def table(**values: object) -> Table:
    return Table(values, "file: ", [])


def test_a_value_that_obeys_is_handed_out_and_no_problem():
    given = table(a=2)

    assert given.take("a", number) == 2
    assert given.problems == []


def test_a_missing_value_is_its_default_or_a_problem():
    given = table()

    assert given.take("a", number, 3) == 3
    given.take("b", number)
    assert given.problems == ["file: b: is missing"]


def test_a_value_that_does_not_obey_is_a_problem_and_the_next_one_is_still_read():
    given = table(a="two", b="word", c=COMPUTED)

    assert given.take("a", number, 3) == 3
    assert given.take("b", TEXT) == "word"
    given.take("c", FLAG)
    assert given.problems == [
        'file: a: expected a number, got "two"',
        "file: c: expected true or false, got something computed",
    ]


def test_each_value_of_a_list_has_its_own_problem_and_place():
    given = table(names=["a", "1", "b", "a"])

    assert given.take_each("names", NAME) == ("a", "b", "a")
    assert given.problems == [
        'file: names[1]: expected the name of a class or function, got "1"',
        'file: names: "a" stands there twice',
    ]


def test_a_key_that_nobody_asked_for_is_a_problem_also_in_a_table_below():
    given = table(below={"nmae": "x", "name": "y"}, zzz=1)
    given.table("below").take("name", TEXT)

    given.finish()

    assert given.problems == [
        "file: zzz: unknown key; known here: below",
        'file: below.nmae: unknown key; did you mean "name"?',
    ]


@pytest.mark.parametrize("value", ["RED", "", None, [], 1])
def test_one_of_a_set_of_words_is_expected_in_their_order(value):
    assert one_of(Colour)("red") == ""
    assert one_of(Colour)(value) == "one of red, blue"


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [
        (3, 3, ""),
        (2.5, 3, ""),
        (3.5, 3, "at most total, 3"),
        (0, 3, "a number above 0"),
        ("1", 3, "a number"),
        (3.5, "three", ""),
        (3.5, -1, ""),
    ],
)
def test_a_number_is_held_against_its_limit_when_that_is_a_number(value, limit, expected):
    assert at_most(limit, "total")(value) == expected
