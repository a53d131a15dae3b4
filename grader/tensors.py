"""Tensors to bytes and back, for the two processes that have torch.

A decoded tensor is always a plain `torch.Tensor` in memory of its own: no subclass, no aliasing, no shared storage.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from grader import wire
from grader.errors import WireError

DTYPES: Final[dict[str, torch.dtype]] = {name: getattr(torch, name) for name in wire.ITEM_SIZE}
NAMES: Final[dict[torch.dtype, str]] = {dtype: name for name, dtype in DTYPES.items()}
DEPTH_CAP: Final = 6
ITEMS_CAP: Final = 4096
TEXT_CAP: Final = 4000


def encode_tensor(tensor: Tensor) -> wire.Array | wire.Hollow | wire.Opaque:
    """The wire's form of a tensor. Layouts and dtypes that do not cross become `Opaque`, device `meta` `Hollow`."""
    dtype = NAMES.get(tensor.dtype)
    if tensor.layout is not torch.strided:
        return wire.Opaque("sparse tensor")
    if dtype is None:
        return wire.Opaque(f"tensor of dtype {tensor.dtype}")
    shape = tuple(tensor.shape)
    if tensor.device.type != "cpu":
        return wire.Hollow(dtype, shape, tensor.device.type)
    if math.prod(shape) * wire.ITEM_SIZE[dtype] > wire.FRAME_CAP // 2:
        return wire.Opaque(f"Tensor of shape {shape}, which is too large")
    flat = tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
    return wire.Array(dtype, shape, flat.numpy().tobytes())


def decode_tensor(array: wire.Array) -> Tensor:
    """The tensor an `Array` stands for. Raises `WireError` unless dtype, shape and bytes agree."""
    wire.check_array(array)
    dtype = DTYPES[array.dtype]
    if not array.data:
        return torch.empty(array.shape, dtype=dtype)
    return torch.frombuffer(bytearray(array.data), dtype=dtype).reshape(array.shape)


def hollow_tensor(hollow: wire.Hollow) -> Tensor:
    """A tensor of that shape and dtype on the `meta` device."""
    dtype = DTYPES.get(hollow.dtype)
    if dtype is None:
        raise WireError("a tensor without data has an impossible dtype")
    wire.check_shape(hollow.shape)
    return torch.empty(hollow.shape, dtype=dtype, device="meta")


def encode(value: object, depth: int = 0) -> wire.Value:
    """The wire's form of whatever a student's code returned. What does not cross becomes `Opaque`."""
    match value:
        case None | bool():
            return value
        case float():
            return float(value)  # of a derived class, such as numpy's, too
        case int() if abs(value) < 1 << 62:
            return int(value)
        case str():
            return _text(value, TEXT_CAP)
        case Tensor():
            return encode_tensor(value)
        case tuple() | list() if depth < DEPTH_CAP and len(value) <= ITEMS_CAP:
            return wire.Sequence(tuple(encode(item, depth + 1) for item in value))
        case dict() if depth < DEPTH_CAP and len(value) <= ITEMS_CAP:
            return wire.Mapping({_text(str(key), 200): encode(item, depth + 1) for key, item in value.items()})
        case _:
            return wire.Opaque(type(value).__name__[:200])


def _text(text: str, limit: int) -> str:
    return text[:limit].encode("utf-8", "replace").decode()


def decode(value: wire.Value, depth: int = 0) -> object:
    """The Python value the wire's form stands for; `Opaque` stays as it is. Raises `WireError` on malformed tensors."""
    if depth > DEPTH_CAP:
        raise WireError("a value is nested too deeply")
    match value:
        case wire.Array():
            return decode_tensor(value)
        case wire.Hollow():
            return hollow_tensor(value)
        case wire.Sequence(items=items):
            return tuple(decode(item, depth + 1) for item in items)
        case wire.Mapping(items=named):
            return {name: decode(item, depth + 1) for name, item in named.items()}
        case _:
            return value
