"""Every mistake shows on what modules are asked, and no two with different names are the same there."""

from __future__ import annotations

import pytest
import torch
from family import Asked, changes, coinciding

from grader.attention.bench import FIRST_SIZE, SECOND_SIZE, Size
from grader.attention.comparison import TOLERANCE
from grader.attention.masking import OVER_HEADS, TOO_SMALL
from grader.attention.power import MARGIN
from grader.attention.questions import FAINTEST, Questions, distances, draw, questions, textbook, unseen
from grader.attention.trial import SCALES

ENOUGH = MARGIN * TOLERANCE[torch.float64]
FAINT = -5
"""With some weights, fills below this are as good as -inf even for large tokens."""
SIZES = [
    pytest.param(
        size, size.num_heads if several else 1, id=f"{name} size, {'several heads' if several else 'one head'}"
    )
    for name, size in (("first", FIRST_SIZE), ("second", SECOND_SIZE))
    for several in (True, False)
]
SAME_FUNCTION = {("mask: filled with +inf", "mask: after softmax, -inf")}
"""Both give nan to every query that some token is hidden from, and the right output to all others."""
SAME_FOR_ONE_HEAD = {("scale: 1", "scale: 1/num_heads"), ("scale: 1", "scale: 1/sqrt(num_heads)")}
"""With one head, to divide by the number of heads is not to divide."""


def drawn(size: Size, heads: int, seed: int) -> Questions:
    return questions(embed_dim=size.embed_dim, num_heads=heads, batch=size.batch, seq=size.seq, seed=seed)


def is_none(name: str, heads: int) -> bool:
    """Whether a change is no mistake: its name says so for any number of heads, or for one."""
    what = name.partition(": ")[2]
    return (
        what == "1/sqrt(head_dim)"  # as wide as a query, except where heads are as wide as all together
        or (what in TOO_SMALL and TOO_SMALL[what][1] < FAINTEST)
        or (heads == 1 and (what in OVER_HEADS or what == "1/sqrt(embed_dim)"))
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("size", "heads"), SIZES)
def test_every_mistake_moves_the_output_by_a_hundred_tolerances_with_other_weights_too(
    size: Size, heads: int, seed: int
) -> None:
    asked = drawn(size, heads, seed)
    right = textbook(size.embed_dim, heads, torch.Generator().manual_seed(seed + 100))

    measured = dict(distances(asked, right, heads))

    assert len(measured) > 130
    faint = {f"a mask that is {name}" for name, (_, number) in TOO_SMALL.items() if number < FAINT}
    assert [name for name, error in measured.items() if error <= ENOUGH and name not in faint] == []


def test_what_hides_a_mistake_is_told() -> None:
    asked = drawn(FIRST_SIZE, 4, 0)
    right = textbook(24, 4, torch.Generator().manual_seed(0))
    whole = torch.ones_like(asked.mask)

    hiding = dict(unseen(Questions(**{**fields(asked), "mask": whole}), right, 4))

    assert "a mask that is ignored" in hiding
    assert "a mask that is inverted" not in hiding
    assert not any("scores" in name for name in hiding)


def fields(asked: Questions) -> dict[str, torch.Tensor]:
    return {name: getattr(asked, name) for name in Questions.__slots__}


@pytest.mark.parametrize("several", [True, False], ids=["several heads", "one head"])
def test_two_mistakes_with_different_names_are_the_same_only_where_it_is_known_why(several: bool) -> None:
    heads = [size.num_heads if several else 1 for size in (FIRST_SIZE, SECOND_SIZE)]
    asked = [
        Asked(size, count, seed=0, loud=size is FIRST_SIZE)
        for size, count in zip((FIRST_SIZE, SECOND_SIZE), heads, strict=True)
    ]

    found = coinciding(asked, heads, ENOUGH)

    named = {pair for pair in found if not any(is_none(name, heads[0]) for name in pair)}
    assert named == SAME_FUNCTION | (set() if several else SAME_FOR_ONE_HEAD)


def test_the_table_of_changes_is_whole() -> None:
    found = list(changes(4))

    assert len({change.name for change in found}) == len(found) > 180
    assert {change.name for change in found} > {f"scale: {name}" for name, ids in SCALES.items() if ids}
    assert len(list(changes(1))) < len(found)


@pytest.mark.parametrize(
    ("sizes", "hidden"),
    [((24, 4, 3, 6), "scores times 1/sqrt(seq_len)"), ((12, 3, 1, 5), "a mask that is of the first sample")],
)
def test_a_size_at_which_some_mistake_is_none_is_refused(sizes: tuple[int, int, int, int], hidden: str) -> None:
    embed_dim, num_heads, batch, seq = sizes

    with pytest.raises(ValueError, match="is no mistake") as refused:
        questions(embed_dim=embed_dim, num_heads=num_heads, batch=batch, seq=seq, seed=0, draws=2)

    asked = draw(embed_dim, batch, seq, torch.Generator().manual_seed(0))
    assert str(sizes) in str(refused.value)
    assert hidden in dict(unseen(asked, textbook(embed_dim, num_heads, torch.Generator().manual_seed(0)), num_heads))


def test_questions_are_drawn_once_for_a_size_and_a_seed() -> None:
    assert drawn(FIRST_SIZE, 4, 3) is drawn(FIRST_SIZE, 4, 3)
    assert not torch.equal(drawn(FIRST_SIZE, 4, 3).tokens, drawn(FIRST_SIZE, 4, 4).tokens)


def test_one_query_may_attend_to_everything_and_all_others_have_something_to_hide() -> None:
    full = drawn(FIRST_SIZE, 4, 0).mask.all(-1)

    assert full.nonzero().tolist() == [[0, 0]]
