"""One answer out of several to the same call, for a worker that has contradicted another one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

import msgspec
import torch

from grader import tensors, wire
from grader.examiner.answers import decoded_array

TIMES: Final = (8, 9, 10, 11, 12)
"""How often such a worker is asked: many times, so that one wrong answer in ten shows, and never a known number."""
HURRIED: Final = (2, 3)
"""How often it is asked where that would take too long."""


def times(dice: random.Random, *, hurried: bool = False) -> int:
    """How often to ask this time."""
    return dice.choice(HURRIED if hurried else TIMES)


def believed(answers: Sequence[wire.Returned]) -> wire.Returned:
    """What is believed of several answers: their mean.

    Where they are all the same, that is the answer. Where they are not, the mean equals no right answer that is among
    wrong ones by luck or by count, but is as good as any of them for checks that look at its shape only.
    """
    return msgspec.structs.replace(answers[-1], value=_mean([answer.value for answer in answers]))


def _mean(values: Sequence[wire.Value]) -> wire.Value:
    first, last = values[0], values[-1]
    if all(value == first for value in values):
        return first
    arrays = [value for value in values if isinstance(value, wire.Array)]
    if len(arrays) == len(values) and len({(array.dtype, array.shape) for array in arrays}) == 1:
        return _mean_of_arrays(arrays)
    sequences = [value.items for value in values if isinstance(value, wire.Sequence)]
    if len(sequences) == len(values) and len({len(items) for items in sequences}) == 1:
        return wire.Sequence(tuple(_mean(items) for items in zip(*sequences, strict=True)))
    named = [value.items for value in values if isinstance(value, wire.Mapping)]
    if len(named) == len(values) and all(items.keys() == named[0].keys() for items in named):
        return wire.Mapping({name: _mean([items[name] for items in named]) for name in named[0]})
    return last


def _mean_of_arrays(arrays: Sequence[wire.Array]) -> wire.Value:
    stacked = torch.stack([decoded_array(array) for array in arrays])
    return tensors.encode_tensor(stacked.mean(0)) if stacked.is_floating_point() else arrays[-1]
