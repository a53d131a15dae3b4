import math

import torch

from grader.attention.comparison import TOLERANCE, relative_error


def test_the_error_is_measured_in_the_greatest_expected_number() -> None:
    expected = torch.tensor([1e-9, -4.0])

    assert math.isclose(relative_error(expected + torch.tensor([0.002, 0.0]), expected), 0.0005, rel_tol=1e-4)


def test_another_shape_is_infinitely_far() -> None:
    assert relative_error(torch.ones(2, 1), torch.ones(2)) == math.inf


def test_a_number_that_is_not_finite_is_infinitely_far() -> None:
    for bad in (math.nan, math.inf, -math.inf):
        assert relative_error(torch.tensor([1.0, bad]), torch.ones(2)) == math.inf
        assert relative_error(torch.ones(2), torch.tensor([1.0, bad])) == math.inf


def test_equal_zeros_are_equal() -> None:
    assert relative_error(torch.zeros(3), torch.zeros(3)) == 0
    assert relative_error(torch.ones(3), torch.zeros(3)) > 1


def test_a_scale_in_float32_is_within_the_tolerance_of_float64() -> None:
    exact = torch.tensor([6.0], dtype=torch.float64) ** -0.5
    rounded = 1 / torch.sqrt(torch.tensor([6.0]))

    assert 0 < relative_error(rounded.double(), exact) < TOLERANCE[torch.float64]
