"""Pictures of attention weights: which heads are drawn, in which colours, and the same as numbers."""

from __future__ import annotations

import math
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.model import AttentionPicture, Grade
from grader.reports import colours, heatmaps, matrices, pages
from grader.reports.heatmaps import Drawing

from . import sample

EQUAL = ((0.5, 0.5), (0.25, 0.75))
OTHER = ((0.9, 0.1), (0.25, 0.75))


def picture(*heads: tuple[tuple[float | None, ...], ...], masked: bool = False) -> AttentionPicture:
    """Heads that should all be `EQUAL`."""
    return AttentionPicture(tokens=("a", "b"), masked=masked, student=heads, expected=(EQUAL,) * len(heads))


def drawn(*heads: tuple[tuple[float | None, ...], ...], most: int = 8) -> Drawing:
    [found] = heatmaps.drawings([picture(*heads)], most)
    return found


def test_only_heads_that_differ_are_drawn_and_the_others_are_named() -> None:
    found = drawn(EQUAL, OTHER, EQUAL, OTHER)

    assert [head.title for head in found.heads] == ["Head 2", "Head 4"]
    assert found.equal == "Heads 1, 3 are as they should be."
    assert found.heads[0].greatest == "the greatest difference is 0.40"


def test_a_picture_in_which_nothing_differs_is_not_drawn() -> None:
    assert heatmaps.drawings([picture(EQUAL, EQUAL)], 8) == ()
    assert matrices.weights((picture(EQUAL, EQUAL),)) == ""


def test_a_single_head_is_not_numbered() -> None:
    assert [head.title for head in drawn(OTHER).heads] == ["Your weights"]


def test_heads_that_are_too_many_are_counted() -> None:
    found = drawn(*[OTHER] * 5, most=2)

    assert len(found.heads) == 2
    assert found.left_out == "3 more heads are not drawn."


def test_every_cell_says_what_it_shows() -> None:
    cells = [str(panel.cells) for panel in drawn(OTHER).heads[0].panels]

    assert re.findall("<title>(.*?)</title>", cells[0]) == ["a → a: 0.90", "a → b: 0.10", "b → a: 0.25", "b → b: 0.75"]
    assert re.findall("<title>(.*?)</title>", cells[2]) == ["a → a: 0.40", "a → b: -0.40", "b → a: 0.00", "b → b: 0.00"]
    assert re.findall(r">([+−.\d]+)</text>", cells[2]) == ["+.40", "−.40"]


def test_only_the_first_head_has_numbers_in_its_cells() -> None:
    first, second = drawn(OTHER, OTHER).heads

    assert "<text" in first.panels[0].cells
    assert "<text" not in second.panels[0].cells
    assert second.panels[0].cells.count("<title>") == 4


def test_what_is_no_number_is_hatched_and_said() -> None:
    [head] = drawn(((None, 0.5), (0.25, 0.75))).heads

    assert head.greatest == "some weights are not numbers (hatched)"
    assert [panel.cells.count("hatch") for panel in head.panels] == [1, 0, 1]
    assert "a → a: not a number" in head.panels[0].cells
    assert head.table[0] == ("a", ("not a number (0.50)", "0.50"))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_not_finite_is_no_number(value: float) -> None:
    [head] = drawn(((value, 0.5), (0.9, 0.1))).heads

    assert head.panels[0].cells.count("hatch") == 1
    assert "not a number" in head.table[0][1][0]


def test_all_pictures_have_the_same_scales() -> None:
    unmasked, masked = heatmaps.drawings([picture(OTHER), picture(((0.5, 0.5), (0.2, 0.8)), masked=True)], 8)

    assert unmasked.scales == masked.scales
    assert [(scale.least, scale.most) for scale in unmasked.scales] == [("0.00", "0.90"), ("-0.40", "0.40")]
    assert unmasked.stairs == ""
    assert masked.stairs == "M24 0V24H48V48"


def test_weights_that_are_no_shares_have_the_colours_of_the_ends() -> None:
    [head] = drawn(((-3.0, 4.0), (12.0, 5e8))).heads
    fills = re.findall('fill="(#.{6})"', head.panels[0].cells)

    assert fills == [colours.WEIGHTS[0], *[colours.WEIGHTS[-1]] * 3]
    assert "b → b: 5e+08" in head.panels[0].cells
    assert ">…</text>" in head.panels[0].cells


def test_the_table_tells_the_expected_weight_where_it_is_another() -> None:
    assert drawn(OTHER).heads[0].table == (("a", ("0.90 (0.50)", "0.10 (0.50)")), ("b", ("0.25", "0.75")))


def test_a_picture_is_bounded() -> None:
    many = 30
    wide = tuple(tuple(1.0 if row == column else 0.0 for column in range(many)) for row in range(many))
    other = tuple(tuple(1 / many for _ in range(many)) for _ in range(many))
    big = AttentionPicture(tokens=("word",) * many, masked=False, student=(wide,) * 99, expected=(other,) * 99)

    [found] = heatmaps.drawings([big], 8)

    assert len(found.heads) == 8
    assert found.size == heatmaps.CELL * heatmaps.MOST_TOKENS
    assert found.heads[0].panels[0].cells.count("<title>") == heatmaps.MOST_TOKENS**2
    assert max(map(len, matrices.weights((big,)).splitlines())) <= matrices.WIDEST


# -- as text -----------------------------------------------------------------------------------------------------------


def test_as_text_the_first_head_that_differs_stands_beside_what_it_should_be() -> None:
    assert matrices.weights((picture(EQUAL, OTHER, masked=True),)).splitlines() == [
        "Head 2, with a causal mask",
        "",
        "Yours        Expected",
        "    a   b        a   b",
        "a .90 .10    a .50 .50",
        "b .25 .75    b .25 .75",
    ]


def test_as_text_a_single_head_is_not_numbered_either() -> None:
    assert matrices.weights((picture(OTHER),)).startswith("Without a mask\n")


def test_where_there_is_no_room_beside_it_stands_below() -> None:
    wide = msgspec.structs.replace(picture(((1e9, -1.5), (0.25, 0.75))), tokens=("exceed", "inglyw"))
    tokens = ("token",) * 9
    rows = tuple(tuple(0.5 for _ in tokens) for _ in tokens)
    large = AttentionPicture(tokens=tokens, masked=False, student=(rows,), expected=(((0.1,) * 9,) * 9,))

    assert max(map(len, matrices.weights((wide,)).splitlines())) <= matrices.WIDEST
    text = matrices.weights((large,)).splitlines()
    assert text.index("Expected") > text.index("Yours") + len(tokens)


# -- colours -----------------------------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in channels]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


@given(st.floats(-2, 2), st.sampled_from([colours.WEIGHTS, colours.DIFFERENCES]))
def test_a_number_in_a_cell_can_be_read_on_its_colour(value: float, stops: tuple[str, ...]) -> None:
    colour, dark = colours.Scale("any", stops, -1.0, 1.0).colour(value)
    light, shade = (1.0, luminance(colour)) if dark else (luminance(colour), 0.0)

    assert (light + 0.05) / (shade + 0.05) >= 4.5


def test_the_ends_of_a_scale_have_its_first_and_last_colour() -> None:
    scale = colours.Scale("any", colours.WEIGHTS, 0.0, 0.5)

    assert [scale.colour(value)[0] for value in (-1, 0, 0.5, math.inf)] == [
        *[colours.WEIGHTS[0]] * 2,
        *[colours.WEIGHTS[-1]] * 2,
    ]


def test_weights_get_lighter_all_the_way() -> None:
    shades = [luminance(colour) for colour in colours.WEIGHTS]

    assert shades == sorted(shades)  # so that they can be told apart without any colour


@pytest.mark.parametrize("grade", [sample.ada(), sample.grade("alan")])
def test_pictures_are_on_the_page_of_whom_they_are_about(grade: Grade) -> None:
    page = next(iter(pages.render(sample.cohort(grade)).values())).decode()

    assert ('class="heat"' in page) is (grade.student == "ada")
