"""Programs that the kernel runs before each system call, put together from blocks.

A block is a piece of program that always ends in an answer, so blocks can stand behind each other and be jumped to, and
need no links: every jump leads forward over a block whose length is known. The accumulator holds the call's number when
a rule's block begins.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

SIZE: Final = 8
"""Bytes of an instruction."""
CONSTANT_OFFSET: Final = 4
"""Where in them its constant begins."""

_LOAD: Final = 0x20
_AND: Final = 0x54
_JUMP: Final = 0x05
_IF_EQUAL: Final = 0x15
_IF_GREATER: Final = 0x25
_IF_AT_LEAST: Final = 0x35
_IF_ANY_BIT: Final = 0x45
_ANSWER: Final = 0x06

_NUMBER_OFFSET: Final = 0
_ARCHITECTURE_OFFSET: Final = 4
_ARGUMENTS_OFFSET: Final = 16
"""In `struct seccomp_data`; an argument has 64 bits, the lower half first."""

_ANSWER_ERRNO: Final = 0x0005_0000
_ANSWER_ALLOW: Final = 0x7FFF_0000
_LEAF: Final = 4
"""So few numbers are compared one by one."""


class Step(NamedTuple):
    """One instruction. The jumps count the instructions to skip."""

    operation: int
    if_true: int
    if_false: int
    constant: int

    @property
    def compares(self) -> bool:
        """Whether it compares the accumulator with its constant."""
        return self.operation == _IF_EQUAL

    def packed(self) -> bytes:
        """`struct sock_filter`. An instruction whose jump is too long for its field is an error."""
        return struct.pack("=HBBI", *self)


Block = tuple[Step, ...]

ALLOW: Final[Block] = (Step(_ANSWER, 0, 0, _ANSWER_ALLOW),)


def answer(error: int) -> Block:
    """Do not make the call; its result is this error."""
    return (Step(_ANSWER, 0, 0, _ANSWER_ERRNO | error),)


def among(argument: int, values: Iterable[int], then: Block, otherwise: Block, *, mask: int | None = None) -> Block:
    """Go on with `then` where the lower half of an argument, or the bits of `mask` in it, is one of the values."""
    wanted = tuple(values)
    head = [_load_argument(argument)]
    if mask is not None:
        head.append(Step(_AND, 0, 0, mask))
    for position, value in enumerate(wanted):
        rest = len(wanted) - 1 - position
        head.append(Step(_IF_EQUAL, rest + len(otherwise), 0, value))
    return (*head, *otherwise, *then)


def any_bit(argument: int, bits: int, then: Block, otherwise: Block) -> Block:
    """Go on with `then` where the lower half of an argument has one of these bits set."""
    return (_load_argument(argument), Step(_IF_ANY_BIT, len(otherwise), 0, bits), *otherwise, *then)


def program(rules: Mapping[int, Block], *, architecture: int, elsewhere: Block, last: int, beyond: Block) -> Block:
    """The whole program: what is answered to calls by number; those that no rule is for are allowed.

    Args:
        rules: blocks by the number of the call.
        architecture: whose numbers these are.
        elsewhere: the answer to calls through any other architecture's table.
        last: the highest number that is known.
        beyond: the answer to those above it.
    """
    return (
        Step(_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        Step(_IF_EQUAL, len(elsewhere), 0, architecture),
        *elsewhere,
        Step(_LOAD, 0, 0, _NUMBER_OFFSET),
        Step(_IF_GREATER, 0, len(beyond), last),
        *beyond,
        *_search(sorted(rules.items())),
    )


def _search(rules: list[tuple[int, Block]]) -> Block:
    """Finds the block for the number in the accumulator by halves."""
    if len(rules) > _LEAF:
        middle = len(rules) // 2
        lower, upper = _search(rules[:middle]), _search(rules[middle:])
        # A conditional jump reaches 255 instructions, a plain one any number.
        return (Step(_IF_AT_LEAST, 0, 1, rules[middle][0]), Step(_JUMP, 0, 0, len(lower)), *lower, *upper)
    steps: list[Step] = []
    for number, block in rules:
        steps += [Step(_IF_EQUAL, 0, len(block), number), *block]
    return (*steps, *ALLOW)


def _load_argument(index: int) -> Step:
    return Step(_LOAD, 0, 0, _ARGUMENTS_OFFSET + 8 * index)
