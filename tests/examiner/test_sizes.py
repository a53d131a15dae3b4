from __future__ import annotations

from collections import Counter

import pytest

from grader.examiner.sizes import HEAD, OTHER_SIZES, CallSizes, Reader, other_than

USED = [
    CallSizes(embed=24, heads=4, batch=batch, seq=seq)
    for batch, seq in ((2, 5), (3, 5), (2, 9), (1, 5), (3, 1), (1, 1))
]
USED += [CallSizes(embed=15, heads=3, batch=2, seq=7), CallSizes(embed=24, batch=2, seq=5), CallSizes(embed=24, seq=5)]
"""What checks build with and call with."""


@pytest.mark.parametrize("sizes", USED, ids=str)
def test_elsewhere_no_number_stands_for_what_it_stands_for_here(sizes: CallSizes) -> None:
    other = other_than(sizes)

    assert other.named.keys() == sizes.named.keys()
    assert not [name for name in sizes.named if sizes.named[name] == other.named[name]]


@pytest.mark.parametrize("numbers", OTHER_SIZES, ids=str)
def test_elsewhere_no_number_stands_for_two_things(numbers: tuple[int, int, int, int]) -> None:
    heads, head, batch, seq = numbers
    named = CallSizes(embed=heads * head, heads=heads, batch=batch, seq=seq).named

    assert [value for value, count in Counter(named.values()).items() if count > 1] == []


def test_what_has_no_heads_or_no_batch_has_none_elsewhere_either() -> None:
    assert other_than(CallSizes(embed=24, heads=1, batch=2, seq=5)).heads == 1
    assert other_than(CallSizes(embed=24, seq=5)).batch is None


def test_a_single_head_is_no_part_of_anything() -> None:
    sizes = CallSizes(embed=24, heads=1, batch=2, seq=5)

    assert sizes.head is None
    assert "num_heads" not in sizes.named


HERE = CallSizes(embed=24, heads=4, batch=2, seq=5)
THERE = other_than(HERE)


@pytest.mark.parametrize(
    ("number", "other", "said"),
    [
        (24, None, "24 (embed_dim)"),
        (6, None, f"6 ({HEAD})"),
        (10, None, "10 (batch * seq)"),
        (7, None, "7"),
        (48, None, "48 (2 * embed_dim or batch * embed_dim)"),
        (48, 2 * 35, "48 (2 * embed_dim)"),
        (48, 4 * 35, "48 (batch * embed_dim)"),
        (10, 10, "10"),
        (10, 24, "10 (batch * seq)"),
        (24, 24, "24"),
        (24, 35, "24 (embed_dim)"),
    ],
)
def test_a_number_is_told_with_all_it_may_stand_for(number: int, other: int | None, said: str) -> None:
    assert (THERE.embed, THERE.heads, THERE.batch, THERE.seq) == (35, 5, 4, 6)
    assert Reader(HERE, None if other is None else THERE).say(number, other) == said


def test_a_number_that_may_stand_for_two_products_stands_for_none_with_certainty() -> None:
    assert not Reader(HERE).is_("2 * embed_dim", 48, None)
    assert Reader(HERE, THERE).is_("2 * embed_dim", 48, 70)
    assert not Reader(HERE, THERE).is_("batch * embed_dim", 48, 70)


def test_a_size_counts_before_a_product_only_where_nothing_else_is_known() -> None:
    same = CallSizes(embed=24, heads=4, batch=2, seq=12)  # 12 is seq, and 2 * head

    assert Reader(same).is_("seq", 12, None)
    assert not Reader(same).is_(f"2 * ({HEAD})", 12, None)
    assert Reader(same, THERE).is_(f"2 * ({HEAD})", 12, 14)


def test_two_sizes_that_are_equal_are_told_apart_elsewhere_only() -> None:
    square = CallSizes(embed=24, heads=4, batch=4, seq=4)

    assert not any(Reader(square).is_(name, 4, None) for name in ("batch", "seq", "num_heads"))
    assert Reader(square, other_than(square)).is_("num_heads", 4, 5)


def test_a_constant_is_what_does_not_change_and_stands_for_nothing() -> None:
    assert Reader(HERE, THERE).is_constant(10, 10)
    assert not Reader(HERE, THERE).is_constant(10, 24)
    assert not Reader(HERE).is_constant(10, None)
