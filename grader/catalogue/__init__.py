"""The mistakes that can be named: what each does, in words for the student who made it.

Pure data, one module for each part of the exercise. A title is what fits into a table; the other texts say what
happens, why it matters, where to look, and what correct looks like. Only the last of them shows how it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from grader.catalogue.autograd import AUTOGRAD
from grader.catalogue.contract import CONTRACT
from grader.catalogue.dropout import DROPOUT
from grader.catalogue.entry import GROUP_TITLES, TOLD_SENTENCES, Alike, Entry, Group, Told
from grader.catalogue.heads import HEADS
from grader.catalogue.masks import MASKS
from grader.catalogue.plumbing import PLUMBING
from grader.catalogue.projections import PROJECTIONS
from grader.catalogue.scores import SCORES

CATALOGUE: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        entry.id: entry
        for group in (CONTRACT, PROJECTIONS, SCORES, MASKS, HEADS, DROPOUT, AUTOGRAD, PLUMBING)
        for entry in group
    }
)
"""By the id of the finding, in reading order."""

ALIKE: Final = (
    Alike(ids=("batch-sequence-mixed", "sequence-first")),
    Alike(
        ids=("softmax-dim-query", "attention-transposed"),
        when="Without a mask, or under a symmetric one, with the query and key layers exchanged.",
    ),
    Alike(
        ids=("query-not-projected", "key-not-projected"),
        when="With a single head and without biases.",
    ),
    Alike(
        ids=("value-not-projected", "output-projection-missing"),
        when="With a single head, where one matrix can do the work of both.",
    ),
    Alike(
        ids=("softmax-dim-implicit", "softmax-dim-batch"),
        when="For scores with three axes: the axis that torch takes is then the batch.",
    ),
    Alike(
        ids=("softmax-dim-implicit", "softmax-dim-head"),
        when="For scores with four axes: the axis that torch takes is then that of the heads.",
    ),
)
"""Mistakes that an output cannot tell apart, always or in some circumstances."""

SAME_FUNCTION: Final[tuple[tuple[str, ...], ...]] = tuple(alike.ids for alike in ALIKE if not alike.when)
"""Sets of ids that are the same function of the input, whatever the input is."""

__all__ = [
    "ALIKE",
    "CATALOGUE",
    "GROUP_TITLES",
    "SAME_FUNCTION",
    "TOLD_SENTENCES",
    "Alike",
    "Entry",
    "Group",
    "Told",
]
