"""What an exception of torch says about sizes that do not fit, as numbers.

The texts differ between versions of torch, so fragments are looked for that hold across them. They come from a
student's process and may be anything: only their beginning is read, every pattern is bounded and has one way to match,
and a number of more than nine digits is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

LONGEST: Final = 1000
"""Characters of a text that are read."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Base: something that does not fit."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """All its numbers, in order."""
        values = [getattr(self, field.name) for field in fields(self)]
        lists = [value if isinstance(value, tuple) else (value,) for value in values]
        return tuple(number for each in lists for number in each if isinstance(number, int))


@dataclass(frozen=True, slots=True)
class Product(Clash):
    """A matrix or layer that takes `takes` features, and gives `gives`, meets `rows` rows of `fed` features."""

    rows: int
    fed: int
    takes: int
    gives: int


@dataclass(frozen=True, slots=True)
class Batches(Clash):
    """Stacked matrices are multiplied: `lefts` of them with `left` columns, and `rights` with `right` rows.

    How many there are on each side is not always told.
    """

    left: int
    right: int
    lefts: int | None = None
    rights: int | None = None


@dataclass(frozen=True, slots=True)
class Broadcast(Clash):
    """Two tensors meet element by element, or as stacks of matrices; along `axis` one has `a`, the other `b`."""

    a: int
    b: int
    axis: int


@dataclass(frozen=True, slots=True)
class Shapes(Clash):
    """Two tensors meet whose shapes are known as a whole."""

    one: tuple[int, ...]
    other: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reshape(Clash):
    """`size` numbers are to become a tensor of this shape; -1 stands for what is left."""

    shape: tuple[int, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Joint(Clash):
    """Tensors are put together along `axis`; along another one, the first has `first` and a later one `later`."""

    axis: int
    first: int
    later: int


@dataclass(frozen=True, slots=True)
class Features(Clash):
    """What is made for `made` numbers is given `given`."""

    made: int
    given: int


@dataclass(frozen=True, slots=True)
class Subscript(Clash):
    """A letter of an einsum stands for two sizes."""

    letter: str
    first: int
    later: int


@dataclass(frozen=True, slots=True)
class Axes(Clash):
    """A tensor with `has` axes is treated as if it had `wanted`."""

    has: int
    wanted: int


@dataclass(frozen=True, slots=True)
class NoAxis(Clash):
    """A tensor with `has` axes is asked for axis `axis`."""

    has: int
    axis: int


@dataclass(frozen=True, slots=True)
class Unreadable(Clash):
    """Sizes do not fit, but the text does not say which."""


def clash(text: str) -> Clash | None:
    """What does not fit, as far as a text says it; None for a text about something else."""
    for pattern, make in _COMPILED:
        found = pattern.search(text, 0, LONGEST)
        if found is not None:
            return make(*found.groups())
    return None


# -- fragments of texts, and what they tell ----------------------------------------------------------------------------

Make = Callable[..., Clash]

N: Final = r"([0-9]{1,9})"
LIST: Final = r"\[((?:-?[0-9]{1,9}, ){0,7}-?[0-9]{1,9})\]"


def _in_order(kind: Callable[..., Clash], *order: int) -> Make:
    """Makes a clash of the numbers that are found, in this order."""

    def make(*found: str) -> Clash:
        return kind(*(int(found[index]) for index in order or range(len(found))))

    return make


def _list(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(", ")))


def _vector(rows: str, columns: str, length: str) -> Clash:
    return Product(int(rows), int(columns), int(length), 1)


def _shapes(one: str, other: str) -> Clash:
    return Shapes(_list(one), _list(other))


def _reshape(shape: str, size: str) -> Clash:
    return Reshape(_list(shape), int(size))


def _parts(size: str, parts: str) -> Clash:
    return Features(sum(_list(parts)), int(size))


def _subscript(letter: str, later: str, first: str) -> Clash:
    return Subscript(letter, int(first), int(later))


def _unreadable(*_: str) -> Clash:
    return Unreadable()


_BROADCAST: Final = _in_order(Broadcast)
_BATCHES: Final = _in_order(Batches, 1, 3, 0, 2)
_GIVEN_FIRST: Final = _in_order(Axes, 1, 0)

_FRAGMENTS: Final[tuple[tuple[str, Make], ...]] = (
    (rf"multiplied \({N}x{N} and {N}x{N}\)", _in_order(Product)),
    (rf"m1: \[{N} x {N}\], m2: \[{N} x {N}\]", _in_order(Product)),
    (rf"reduction dim, but got \[{N}, {N}\] X \[{N}, {N}\]", _in_order(Product)),
    (rf"mat \({N}x{N}\), vec \({N}\)", _vector),
    (rf"batch2 tensor to be: \[{N}, {N}\] but got: \[{N}, {N}\]", _BATCHES),
    (rf"to have size {N} at dimension 1, but got size {N} for argument #[0-9] 'batch2'", _in_order(Batches)),
    (rf"[Tt]arget sizes: {LIST}\. {{1,3}}Tensor sizes: {LIST}", _shapes),
    (rf"output with shape {LIST} doesn't match the broadcast shape {LIST}", _shapes),
    (rf"shape of the mask {LIST} at index [0-9] does not match the shape of the indexed tensor {LIST}", _shapes),
    (rf"equal size, but got {LIST} at entry [0-9]{{1,4}} and {LIST}", _shapes),
    (rf"tensor a \({N}\) must match the size of tensor b \({N}\) at non-singleton dimension {N}", _BROADCAST),
    (rf"tensor \({N}\) must match the existing size \({N}\) at non-singleton dimension {N}", _BROADCAST),
    (rf"shape '{LIST}' is invalid for input (?:of size|with) {N}", _reshape),
    (rf"Provided sizes {LIST} don't multiply up to the size of dim -?[0-9] \({N}\)", _reshape),
    (rf"except in dimension {N}\. (?:Expected size|Got) {N} (?:but got size|and) {N}", _in_order(Joint)),
    (rf"with shape \[\*, {N}\], but got input of size ?\[(?:[0-9]{{1,9}}, ){{0,7}}{N}\]", _in_order(Features)),
    (rf"expected tensor \[{N}\] and src \[{N}\]", _in_order(Features)),
    (rf"expecting embedding dimension of {N}, but got {N}", _in_order(Features)),
    (rf"running_mean should contain {N} elements not {N}", _in_order(Features, 1, 0)),
    (rf"to sum exactly to {N} \(input tensor's size at dimension -?[0-9]\), but got split_sizes={LIST}", _parts),
    (rf"subscript (\w) has size {N} for operand [0-9] which does not broadcast with [^0-9]{{1,30}}{N}", _subscript),
    (rf"subscripts in the equation \({N}\) does not match the number of dimensions \({N}\)", _GIVEN_FIRST),
    (rf"dimension mismatch for operand [0-9]: equation {N} tensor {N}", _GIVEN_FIRST),
    (rf"input\.dim\(\) = {N} is not equal to len\(dims\) = {N}", _in_order(Axes)),
    (rf"same number of dimensions: got {N} and {N}", _in_order(Axes)),
    (rf"values to unpack \(expected {N}, got {N}\)", _GIVEN_FIRST),
    (rf"range of \[-{N}, -?[0-9]\], but got (-?[0-9]{{1,3}})\)", _in_order(NoAxis)),
    (
        r"mat1 dim 1 must match mat2 dim 0|batch2_sizes\[0\] == bs|wrong matrix size|must have the same dimension"
        r"|don't match in permute|must be a 3D tensor|must be a matrix|1D tensors expected|[Ss]izes? mismatch"
        r"|shape mismatch|(?:cannot be|not) broadcast|values to unpack",
        _unreadable,
    ),
)
"""They hold across versions of torch. The first that is found counts."""

_COMPILED: Final = tuple((re.compile(fragment), make) for fragment, make in _FRAGMENTS)
