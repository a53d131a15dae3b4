from __future__ import annotations

import math

import pytest
import torch

from grader.checks.asserting import Failed, Inconclusive, assert_same, fail, inconclusive, require

EXPECTED = torch.linspace(-2.0, 2.0, 24, dtype=torch.float64).reshape(2, 3, 4)


def refused(actual: torch.Tensor, expected: torch.Tensor = EXPECTED, *, tolerance: float | None = None) -> str:
    with pytest.raises(Failed) as caught:
        assert_same(actual, expected, "It differs.", tolerance=tolerance)

    return str(caught.value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_same_tensor_is_the_same_in_every_working_precision(dtype):
    assert_same(EXPECTED.to(dtype), EXPECTED, "It differs.")


@pytest.mark.parametrize(("dtype", "small", "large"), [(torch.float64, 1e-8, 1e-5), (torch.float32, 1e-5, 1e-3)])
def test_what_may_differ_depends_on_the_precision(dtype, small, large):
    assert_same((EXPECTED * (1 + small)).to(dtype), EXPECTED, "It differs.")

    assert refused((EXPECTED * (1 + large)).to(dtype)).startswith("It differs. (Relative difference ")


def test_differences_are_measured_in_the_greatest_expected_number():
    assert_same(EXPECTED * 1e6 + 1e-2, EXPECTED * 1e6, "It differs.")

    assert refused(EXPECTED * 1e-6 + 1e-2, EXPECTED * 1e-6)


def test_a_tolerance_can_be_given():
    assert_same(EXPECTED * 1.05, EXPECTED, "It differs.", tolerance=0.1)

    assert "allowed 0" in refused(EXPECTED + 1e-15, tolerance=0.0)


def test_the_message_tells_how_far_apart_they_are_and_no_expected_value():
    assert refused(EXPECTED * 1.5) == "It differs. (Relative difference 0.5, allowed 1e-06.)"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_an_answer_that_is_not_finite_is_never_the_same(number):
    actual = EXPECTED.clone()
    actual[0, 0, 0] = number

    assert refused(actual) == "It differs. The output contains NaN or infinite numbers."
    assert refused(torch.full_like(EXPECTED, number), torch.full_like(EXPECTED, number), tolerance=math.inf)


@pytest.mark.parametrize("shape", [(), (1, 1, 1), (2, 3, 1), (1, 3, 4), (2, 4, 3), (24,), (0,), (2, 3, 4, 1)])
def test_an_answer_of_another_shape_is_not_the_same_even_where_it_would_be_broadcast(shape):
    assert "The shape is" in refused(torch.zeros(shape, dtype=torch.float64), torch.zeros(2, 3, 4, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_an_answer_of_low_precision_is_judged_and_no_failure_of_ours(dtype):
    assert refused((EXPECTED * 1.5).to(dtype))
    assert refused(EXPECTED.to(dtype).clone())


def test_nothing_is_the_same_as_an_expectation_that_is_not_finite():
    assert refused(EXPECTED, torch.full_like(EXPECTED, math.nan))


def test_a_check_says_no_with_a_sentence():
    with pytest.raises(Failed, match=r"^no\.$"):
        fail("no.")


def test_a_requirement_says_no_only_when_it_does_not_hold():
    require(True, "no.")

    with pytest.raises(Failed, match=r"^no\.$"):
        require(False, "no.")


def test_what_cannot_be_judged_is_no_failure():
    with pytest.raises(Inconclusive) as caught:
        inconclusive("something else is wrong.")

    assert not isinstance(caught.value, AssertionError)
