"""The values that may cross: numbers, text, tensors as bytes, and collections of them."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from grader.errors import WireError

FRAME_CAP: Final = 48 << 20
"""The most bytes a frame's body may have."""

MAX_AXES: Final = 8

ITEM_SIZE: Final[dict[str, int]] = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
"""Bytes per element of every dtype that may cross."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True, tag_field="is"):
    """Base of everything inside a frame: immutable, tagged with its class name, strict about its keys."""


class Array(Part, frozen=True):
    """A dense tensor: `data` holds `prod(shape)` little-endian elements in row-major order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class Hollow(Part, frozen=True):
    """A tensor without data, as the `meta` device gives it; `device` is where the answering side says it lives."""

    dtype: str
    shape: tuple[int, ...]
    device: str


class Sequence(Part, frozen=True):
    """A tuple or a list."""

    items: tuple[Value, ...]


class Mapping(Part, frozen=True):
    """A dict with text keys."""

    items: dict[str, Value]


class Opaque(Part, frozen=True):
    """Something that does not cross, by the name of its type. It equals nothing."""

    type: str


Value = None | bool | int | float | str | Array | Hollow | Sequence | Mapping | Opaque


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise `WireError` unless a tensor of this shape could cross, empty axes counted as one."""
    if len(shape) > MAX_AXES or any(axis < 0 or axis > FRAME_CAP for axis in shape):
        raise WireError("a tensor has too many axes, or an impossible one")
    if math.prod(max(axis, 1) for axis in shape) > FRAME_CAP:
        raise WireError("a tensor has an impossible shape")


def check_array(array: Array) -> None:
    """Raise `WireError` unless dtype, shape and byte count agree. Runs before anything is allocated for the tensor."""
    size = ITEM_SIZE.get(array.dtype)
    if size is None:
        raise WireError(f"a tensor of dtype {array.dtype[:40]!r} may not cross")
    check_shape(array.shape)
    if math.prod(array.shape) * size != len(array.data):
        raise WireError("a tensor's bytes do not agree with its shape")
    if array.dtype == "bool" and array.data.strip(b"\x00\x01"):
        raise WireError("a boolean tensor holds bytes other than 0 and 1")
