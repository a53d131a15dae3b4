"""The order in which findings are read: what others may follow from comes first.

A submission has to run before its output can be wrong, and a value that is never projected says more than the gradient
that its layer misses. What is true of many mistakes comes after what names one, and what only informs comes last.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grader.catalogue import CATALOGUE, Group
from grader.model import Finding

ORDER: Final = (
    Group.PLUMBING,
    Group.CONTRACT,
    Group.PROJECTIONS,
    Group.HEADS,
    Group.SCORES,
    Group.MASKS,
    Group.DROPOUT,
    Group.AUTOGRAD,
)

GENERAL: Final = frozenset(
    {
        "not-repeatable",
        "layers-unused",
        "gradients-detached",
        "answers-depend-on-history",
        "answers-depend-on-precision",
    }
)
"""Findings that may follow from many others."""


def in_reading_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Root causes first; those alike stay in the order in which they were seen."""
    return tuple(sorted(findings, key=_rank))


def _rank(found: Finding) -> tuple[bool, bool, int]:
    return found.informative, found.id in GENERAL, ORDER.index(CATALOGUE[found.id].group)
