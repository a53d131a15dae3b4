"""Which heads are in an output that is as wide as one head.

Theory of operation. For a sequence of one token, attention has no choice: what a head returns is its value, a matrix
times the token. With all biases at zero, an output that is one head wide is then a sum of products of the token with
blocks of the module's matrices, each times a constant. The constants are found by least squares from more equations
than there are blocks; where nothing is left over, they say exactly which heads are in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from grader.attention import draw_tokens, relative_error
from grader.checks.faults import Fault
from grader.examiner.answers import Unfit, first_tensor
from grader.examiner.mismatch import Explained
from grader.examiner.scenes import PATIENCE
from grader.examiner.session import Session
from grader.examiner.student import Student
from grader.model import Contract

TOLERANCE: Final = 1e-6
MOST_BLOCKS: Final = 64


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of a matrix that make the features of one head: `(head, embed)`.

    Attributes:
        index: the number in the matrix's path, for a matrix that is one head's alone; otherwise None.
    """

    rows: Tensor
    index: int | None


def explain_one_head(session: Session, contract: Contract, config: dict[str, float]) -> Explained | None:
    """What an output that is one head wide consists of; None where that is not exactly known."""
    heads, embed = int(config.get("num_heads", 1)), int(config.get("embed_dim", 0))
    if heads < 2 or embed % heads:
        return None
    generator = torch.Generator().manual_seed(17)
    session.begin_check(at_most=PATIENCE)
    try:
        attention = Student(session, contract, generator)(**config)
        values = {path: value * (value.dim() > 1) for path, value in attention.values.items()}
        attention.load(values)
        blocks = blocks_of(values, embed, heads)
        x = draw_tokens(2 * len(blocks) + 8, 1, embed, generator)
        answer = attention.answer(x)
    except Fault:
        return None
    output = first_tensor(answer.value) if isinstance(answer, Unfit) else answer
    if not blocks or not isinstance(output, Tensor) or tuple(output.shape) != (len(x), 1, embed // heads):
        return None
    return _explained(output.double(), x, blocks, heads)


def blocks_of(values: dict[str, Tensor], embed: int, heads: int) -> list[Block]:
    """The blocks of matrices that may be one head's values."""
    head = embed // heads
    found: list[Block] = []
    for path, value in values.items():
        if value.dim() != 2 or embed not in value.shape:
            continue
        matrix = value if value.shape[1] == embed else value.T
        number = re.search(r"\d+", path)
        alone = len(matrix) == head
        found += [
            Block(matrix[start : start + head], int(number[0]) if alone and number else None)
            for start in range(0, len(matrix) - head + 1, head)
        ]
    return found[:MOST_BLOCKS]


def _explained(output: Tensor, x: Tensor, blocks: list[Block], heads: int) -> Explained | None:
    parts = torch.stack([(x @ block.rows.T).flatten() for block in blocks], dim=1)
    constants = torch.linalg.lstsq(parts, output.flatten()).solution
    error = relative_error((parts @ constants).view(output.shape), output)
    present = [
        (block, float(constant)) for block, constant in zip(blocks, constants, strict=True) if abs(constant) > 1e-4
    ]
    if not error <= TOLERANCE or not present or any(abs(constant - present[0][1]) > 1e-4 for _, constant in present):
        return None
    constant, indices = present[0][1], [block.index for block, _ in present]
    if len(present) == heads and abs(constant - 1) < 1e-4:
        said = f"The {heads} heads are added up instead of concatenated, so the output is one head wide."
        return Explained("heads-summed", said, error)
    if len(present) == heads and abs(constant - 1 / heads) < 1e-4:
        said = f"The {heads} heads are averaged instead of concatenated, so the output is one head wide."
        return Explained("heads-averaged", said, error)
    if len(present) != 1 or abs(constant - 1) > 1e-4:
        return None
    if indices[0] in (0, heads - 1):
        id_, which = ("loop-returns-early", "first") if indices[0] == 0 else ("loop-keeps-last-head", "last")
        return Explained(id_, f"Of {heads} heads only the {which} is returned, so the output is one head wide.", error)
    return Explained("shape-error", f"Of {heads} heads only one is returned, so the output is one head wide.")
