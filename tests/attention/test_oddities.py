"""Whatever a module returns, the diagnosis comes to an end, and claims nothing that is not so."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from textbook import Textbook
from torch import Tensor, nn

from grader.attention import Diagnosis, diagnose
from grader.attention.bench import rounded_to
from grader.attention.subject import has_numbers


def returning(change: Callable[[Tensor], Any]) -> type[Textbook]:
    """Right, but for what is done with the output."""

    class Odd(Textbook):
        def forward(self, x: Tensor, mask: Tensor | None = None) -> Any:
            return change(super().forward(x, mask))

    return Odd


def told(found: Diagnosis) -> set[str]:
    return {each.id for each in found.findings if not each.informative}


NO_ANSWER = {
    "no tensor": lambda output: None,
    "a number": lambda output: output.sum(),
    "no token": lambda output: output[:, :0],
    "nothing at all": lambda output: output[:0, :0, :0],
    "whole numbers": lambda output: output.long(),
    "complex numbers": lambda output: output.to(torch.complex128),
    "a sparse tensor": lambda output: output.to_sparse(),
    "a tensor without numbers": lambda output: output.to("meta"),
    "two axes": lambda output: output.flatten(0, 1),
    "four axes": lambda output: output[None],
}


@pytest.mark.parametrize("change", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_what_is_no_answer_is_not_judged(change: Callable[[Tensor], Any]) -> None:
    found = diagnose(returning(change))

    assert (told(found), found.begins, found.correct, found.match) == (set(), "", False, None)


NO_EVIDENCE = {
    "nan": lambda output: output * math.nan,
    "infinite": lambda output: output / 0.0,
    "zero": lambda output: output * 0.0,
}


@pytest.mark.parametrize("change", NO_EVIDENCE.values(), ids=NO_EVIDENCE.keys())
def test_an_answer_without_a_number_proves_nothing(change: Callable[[Tensor], Any]) -> None:
    found = diagnose(returning(change))

    assert told(found) <= {"dropout-never-on"}
    assert not found.correct
    assert found.begins == "one token"
    assert found.evaluations == 0


ANOTHER_SHAPE = {
    "one token": lambda output: output[:, :1],
    "one sample": lambda output: output[:1],
    "one feature": lambda output: output[..., :1],
    "one feature more": lambda output: torch.cat((output, output[..., :1]), -1),
    "samples behind tokens": lambda output: output.transpose(0, 1),
}


@pytest.mark.parametrize("change", ANOTHER_SHAPE.values(), ids=ANOTHER_SHAPE.keys())
def test_an_answer_of_another_shape_gets_no_name(change: Callable[[Tensor], Any]) -> None:
    found = diagnose(returning(change))

    assert told(found) == set()
    assert not found.correct
    assert found.begins


NOT_ROUNDED = {
    "ones": torch.ones_like,
    "signs": torch.sign,
    "large numbers": lambda output: output * 1e300,
}


@pytest.mark.parametrize("change", NOT_ROUNDED.values(), ids=NOT_ROUNDED.keys())
def test_numbers_that_are_whole_for_other_reasons_are_not_called_rounded(change: Callable[[Tensor], Any]) -> None:
    assert "output-rounded" not in told(diagnose(returning(change)))


@pytest.mark.parametrize("decimals", [0, 1, 4, 6])
def test_rounded_numbers_are_told_with_their_decimals_and_what_else_is_wrong_is_still_proven(decimals: int) -> None:
    class Unscaled(returning(lambda output: output.round(decimals=decimals))):  # type: ignore[misc]
        def scale(self, query: Tensor) -> float:
            return 1.0

    found = diagnose(Unscaled)

    rounded = [each for each in found.findings if each.id == "output-rounded"]
    assert [each.evidence["decimals"] for each in rounded] == [decimals]
    assert "scale-missing" in {each.id for each in found.findings if each.certainty == "proven"}


def test_decimals_are_counted_in_the_finite_numbers() -> None:
    numbers = torch.tensor([0.25, 1.5, -2.75, 3.0, 0.01, math.nan, math.inf], dtype=torch.float64)

    assert rounded_to(numbers) == 2
    assert rounded_to(numbers / 3) is None
    assert rounded_to(torch.full((9,), math.nan)) is None


class Nothing(nn.Module):
    """Learns nothing, and returns what it is given: the sharpest attention to oneself would be nearly the same."""

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x


def test_where_two_explanations_are_too_near_neither_is_claimed_and_no_stage_is_blamed() -> None:
    found = diagnose(Nothing)

    assert not any(each.certainty == "proven" for each in found.findings)
    assert not found.correct
    assert found.begins == ""
    assert found.fact == "No token's output depends on another token."


ODD_LEAVES = {
    "without an element": (0, 24),
    "without an axis": (),
    "with one row": (1, 24),
    "with five axes": (1, 2, 1, 24, 3),
}


@pytest.mark.parametrize("shape", ODD_LEAVES.values(), ids=ODD_LEAVES.keys())
def test_parameters_of_odd_shapes_without_a_use_do_no_harm(shape: tuple[int, ...]) -> None:
    class More(Textbook):
        def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
            super().__init__(embed_dim, num_heads, dropout)
            self.odd = nn.Parameter(torch.zeros(shape))

    found = diagnose(More)

    assert found.match is not None
    assert told(found) <= {"layers-unused"}


def test_only_real_numbers_at_hand_are_an_answer() -> None:
    assert has_numbers(torch.ones(1))
    assert has_numbers(torch.full((2, 2), math.nan))
    for nothing in (
        torch.ones(()),
        torch.ones(0, 3),
        torch.ones(3, dtype=torch.long),
        torch.ones(3, dtype=torch.complex64),
        torch.ones(3).to_sparse(),
        torch.ones(3, device="meta"),
    ):
        assert not has_numbers(nothing)
