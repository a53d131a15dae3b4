"""How a check says no."""

from __future__ import annotations

from typing import NoReturn

import torch
from torch import Tensor

from grader.attention import TOLERANCE, relative_error


class Failed(AssertionError):
    """The student's code answered, and the answer is wrong.

    Attributes:
        finding: the id of the mistake, where the check itself has seen it.
    """

    def __init__(self, message: str, *, finding: str | None = None) -> None:
        super().__init__(message)
        self.finding = finding


class Inconclusive(Exception):
    """Nothing can be said about this idea as long as something else is wrong."""


def fail(message: str, *, finding: str | None = None) -> NoReturn:
    """End the check as failed, with a sentence for the student: it holds no hidden input and no expected value.

    Args:
        message: what the student reads.
        finding: the id of the mistake, if this failure can mean nothing else.
    """
    raise Failed(message, finding=finding)


def require(condition: bool, message: str, *, finding: str | None = None) -> None:
    """Fail with this sentence, as `fail` does, unless the condition holds."""
    if not condition:
        raise Failed(message, finding=finding)


def inconclusive(message: str) -> NoReturn:
    """End the check as blocked: it can only be judged once something else is right."""
    raise Inconclusive(message)


def assert_same(actual: Tensor, expected: Tensor, message: str, *, tolerance: float | None = None) -> None:
    """Fail unless two tensors agree.

    Args:
        actual, expected: of the same shape.
        message: what it means that they differ.
        tolerance: the greatest difference over the greatest expected number; by default the one of `actual`'s dtype.
    """
    allowed = TOLERANCE.get(actual.dtype, TOLERANCE[torch.float32]) if tolerance is None else tolerance
    if tuple(actual.shape) != tuple(expected.shape):
        raise Failed(f"{message} The shape is {tuple(actual.shape)}; expected {tuple(expected.shape)}.")
    if not bool(actual.isfinite().all()):
        raise Failed(f"{message} The output contains NaN or infinite numbers.")
    error = relative_error(actual.to(expected.dtype), expected)
    if not error <= allowed:
        raise Failed(f"{message} (Relative difference {error:.1g}, allowed {allowed:.0g}.)")
