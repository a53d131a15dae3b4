"""What authors of checks import.

    from grader.checks import assert_same, check

    @check(points=2, concept="softmax", hidden=True, after="test_output_shape")
    def test_weights_sum_to_one(student, draw):
        \"\"\"For every query, the attention weights over the keys sum to one.\"\"\"
        attention = student(embed_dim=24)
        ...

The docstring is the line a student reads. A check that raises nothing passes. `student` builds the student's module in
another process and gives a stand-in for it (`grader.examiner.attention.Attention`); `draw` gives tokens and masks that
are fresh for every submission and the same at every regrade.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from grader.checks.asserting import Failed, Inconclusive, assert_same, fail, inconclusive, require
from grader.checks.faults import Raised

Check = TypeVar("Check", bound=Callable[..., None])

__all__ = ["Failed", "Inconclusive", "Raised", "assert_same", "check", "fail", "inconclusive", "require"]


def check(
    *, points: float, concept: str, hidden: bool = False, after: str | tuple[str, ...] = ()
) -> Callable[[Check], Check]:
    """Mark a test function as a check.

    Args:
        points: what it is worth, more than 0.
        concept: the idea it is about, in a word or two; reports group by it.
        hidden: whether students can see it before they hand in.
        after: the check or checks that must pass first, by function name; otherwise this one is blocked, not failed.
    """
    return pytest.mark.check(points=points, concept=concept, hidden=hidden, after=after)
