from __future__ import annotations

import pytest

from grader.catalogue import CATALOGUE
from grader.examiner.explaining import finding
from grader.examiner.precedence import GENERAL, in_reading_order
from grader.model import Certainty


def order(*ids: str) -> list[str]:
    return [found.id for found in in_reading_order(finding(id_, Certainty.OBSERVED) for id_ in ids)]


@pytest.mark.parametrize(
    ("seen", "read"),
    [
        (["gradients-detached", "value-not-projected"], ["value-not-projected", "gradients-detached"]),
        (["scale-missing", "heads-summed"], ["heads-summed", "scale-missing"]),
        (["mask-ignored", "scale-missing"], ["scale-missing", "mask-ignored"]),
        (["indivisible-heads-accepted", "shape-error"], ["shape-error", "indivisible-heads-accepted"]),
        (["class-renamed", "mask-ignored"], ["mask-ignored", "class-renamed"]),
        (["notebook-cell-failed", "syntax-error"], ["syntax-error", "notebook-cell-failed"]),
        (["not-repeatable", "parameters-made-in-forward"], ["parameters-made-in-forward", "not-repeatable"]),
        (["mask-no-head-axis", "returns-none"], ["returns-none", "mask-no-head-axis"]),
    ],
)
def test_what_others_may_follow_from_is_read_first(seen: list[str], read: list[str]) -> None:
    assert order(*seen) == order(*reversed(seen)) == read


def test_those_alike_stay_in_the_order_in_which_they_were_seen() -> None:
    assert order("mask-inverted", "mask-fill-zero") == ["mask-inverted", "mask-fill-zero"]
    assert order("mask-fill-zero", "mask-inverted") == ["mask-fill-zero", "mask-inverted"]


def test_everything_in_the_catalogue_has_its_place_and_what_only_informs_comes_last() -> None:
    read = order(*CATALOGUE)
    informs = [CATALOGUE[id_].informative for id_ in read]

    assert sorted(read) == sorted(CATALOGUE)
    assert informs == sorted(informs)
    assert set(CATALOGUE) >= GENERAL
