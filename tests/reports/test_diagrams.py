"""Shapes that do not fit: read from evidence, put into columns, drawn without boxes that overlap."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.reports.boxes import boxes
from grader.reports.diagrams import ROLES, Diagram, diagram, lines

PRODUCT = {
    "left shape": "10 (batch * seq) × 96 (num_heads * embed_dim)",
    "right shape": "24 (embed_dim) × 24 (embed_dim)",
}


def drawn(first: str, second: str, kind: str = "product") -> Diagram:
    found = diagram(dict(zip(ROLES[kind], (first, second), strict=True)))
    assert found
    return found


def clashing(found: Diagram) -> list[list[str]]:
    return [[axis.size for axis in tensor.axes if axis.clashes] for tensor in found.tensors]


@pytest.mark.parametrize(
    ("kind", "first", "second", "sizes", "sentence"),
    [
        ("product", "10 × 96", "24 × 24", [["96"], ["24"]], "The left factor has 96 where the right one takes 24"),
        ("product", "2 × ? × 24", "2 × 5 × ?", [["24"], ["5"]], "has 24 where the right one takes 5"),
        ("product", "3 × 2 × ? × 24", "2 × 24 × ?", [[], []], ""),
        ("product", "2 × 4 × ? × 6", "2 × 5 × 6 × ?", [["4"], ["5"]], "has 4 where the right one takes 5"),
        ("meeting", "? × 3 × …", "? × 4 × …", [["3"], ["4"]], "one has 3 and the other 4"),
        ("meeting", "2 × 4 × 5 × 5", "3 × 5 × 5", [["4"], ["3"]], "one has 4 and the other 3"),
        ("meeting", "2 × 1 × 5", "2 × 4 × 5", [[], []], ""),
        ("meeting", "… × 24", "… × 10", [["24"], ["10"]], "one has 24 and the other 10"),
        ("reshape", "50", "32 × 10 × 10", [[], []], "50 numbers do not fill 32 × 10 × 10 = 3200."),
        ("reshape", "50", "4 × -1", [[], []], "50 numbers do not fill 4 × -1."),
        ("output", "2 × 24 × 5", "2 × 5 × 24", [["24", "5"], ["5", "24"]], "An axis of 5 should be one of 24."),
        ("output", "2 × 1 × 24", "2 × 5 × 24", [["1"], ["5"]], "An axis of 1 should be one of 5."),
        ("output", "2 × 4 × 5 × 6", "2 × 5 × 24", [["4", "6"], ["2", "24"]], "has 4 axes; it should have 3."),
    ],
)
def test_the_axes_that_do_not_fit_are_marked_and_said(
    kind: str, first: str, second: str, sizes: list[list[str]], sentence: str
) -> None:
    found = drawn(first, second, kind)

    assert clashing(found) == sizes
    assert sentence in found.sentence
    assert bool(sentence) is bool(found.sentence)


def test_as_text_the_axes_that_clash_stand_in_brackets() -> None:
    found = diagram(PRODUCT)

    assert found
    assert lines(found) == (
        "left factor   10 (batch * seq) × [96 (num_heads * embed_dim)]",
        "right factor  [24 (embed_dim)] × 24 (embed_dim)",
    )


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"left shape": "2 × 3"},
        {"left shape": "2 × 3", "right shape": "two"},
        {"left shape": "2 × 3", "right shape": "1 × 2 × 3 × 4 × 5 × 6 × 7 × 8 × 9"},
        {"left shape": "2 × 3", "right shape": "4 × " + "9" * 13},
        {"left shape": "2 × 3", "right shape": ""},
        {"one shape": "2 (<b>\n</b>) × 3", "other shape": "2"},
        {"left shape": "2" * 100_000, "right shape": "2 × 3"},
    ],
)
def test_what_tells_no_shapes_is_not_drawn(evidence: dict[str, str]) -> None:
    assert diagram(evidence) is None


@given(
    st.sampled_from(sorted(ROLES)),
    st.lists(st.sampled_from(["1", "2", "24 (embed_dim)", "96 (num_heads * embed_dim)", "?"]), min_size=1, max_size=6),
    st.lists(
        st.sampled_from(["1", "3", "24 (embed_dim or seq * (embed_dim // num_heads))", "?"]), min_size=1, max_size=6
    ),
)
def test_boxes_do_not_overlap_and_stay_in_the_picture(kind: str, first: list[str], second: list[str]) -> None:
    found = drawn(" × ".join(first), " × ".join(second), kind)
    picture = boxes(found)

    assert [[box.size for box in row.boxes] for row in picture.rows] == [
        [axis.size for axis in tensor.axes] for tensor in found.tensors
    ]
    for row in picture.rows:
        for left, right in itertools.pairwise(row.boxes):
            assert left.x + left.width < right.x
        assert all(box.x >= 0 and box.x + box.width <= picture.width for box in row.boxes)
        assert all(box.y >= 0 and box.y + box.height <= picture.height for box in row.boxes)
        assert 0 <= row.y <= picture.height
    upper, lower = picture.rows
    assert max(box.y + box.height for box in upper.boxes) < min(box.y for box in lower.boxes)
    centres = {box.x + box.width // 2 for box in upper.boxes} & {box.x + box.width // 2 for box in lower.boxes}
    assert {x for x, _, _ in picture.links} <= centres
