"""Finds its way in what a student's module returned, and says in words what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from grader import tensors, wire
from grader.checks.faults import Killed, WrongResult
from grader.errors import WireError
from grader.text import clean

Way = tuple[int | str, ...]
"""Steps from a returned value to a tensor inside it: indices into tuples, keys into dicts."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A returned value in which there is no tensor of the wanted shape."""

    value: object
    shape: tuple[int, ...]


def pick(value: object, shape: tuple[int, ...]) -> Way | None:
    """The way from a returned value to the first tensor of this shape in it, or None."""
    if isinstance(value, Tensor):
        return () if tuple(value.shape) == shape and value.is_floating_point() and _has_data(value) else None
    inner = enumerate(value) if isinstance(value, tuple) else value.items() if isinstance(value, dict) else ()
    for step, item in inner:
        rest = pick(item, shape)
        if rest is not None:
            return (step, *rest)
    return None


def first_tensor(value: object) -> object:
    """The first tensor in a returned value, or the value itself."""
    if isinstance(value, tuple):
        return next((item for item in value if isinstance(item, Tensor)), value)
    if isinstance(value, dict):
        return next((item for item in value.values() if isinstance(item, Tensor)), value)
    return value


def wrong_result(answer: Unfit) -> WrongResult:
    """The fault that a returned value without the wanted tensor is."""
    tensor = first_tensor(answer.value)
    return WrongResult(
        describe_answer(answer.value, answer.shape),
        finding="returns-none" if answer.value is None else None,
        shape=tuple(tensor.shape) if isinstance(tensor, Tensor) else None,
        wanted=answer.shape,
    )


def describe_answer(value: object, shape: tuple[int, ...]) -> str:
    """What is wrong with a returned value, for the student."""
    wanted = f"a tensor of the input's shape {shape}"
    if isinstance(value, tuple) and len(value) > 1 and all(isinstance(item, Tensor) for item in value):
        shapes = ", ".join(str(tuple(item.shape)) for item in value[:4])
        return f"forward returned a tuple or list of {len(value)} tensors, of shapes {shapes}, instead of {wanted}."
    value = first_tensor(value)
    match value:
        case None:
            return f"forward returned nothing (None) instead of {wanted}. Does it end with a return statement?"
        case Tensor() if tuple(value.shape) != shape:
            return f"forward returned a tensor of shape {tuple(value.shape)} instead of {wanted}."
        case Tensor() if not _has_data(value):
            return f"forward returned a tensor on the device {value.device.type!r} instead of {wanted} on the input's."
        case Tensor():
            dtype = str(value.dtype).removeprefix("torch.")
            return f"forward returned a tensor of dtype {dtype}, not of floating-point numbers, instead of {wanted}."
        case wire.Opaque(type=name):
            return f"forward returned a {clean(name, limit=100, keep_newlines=False)} instead of {wanted}."
        case tuple():
            return f"forward returned a tuple or list of {len(value)} items without {wanted} in it."
        case _:
            return f"forward returned a {type(value).__name__} instead of {wanted}."


def _has_data(value: Tensor) -> bool:
    return value.device.type == "cpu"


def follow(value: Any, way: Way) -> Tensor:
    """The tensor at the end of a way that `pick` found."""
    for step in way:
        value = value[step]
    assert isinstance(value, Tensor)
    return value


def decoded(value: wire.Value) -> object:
    """Decode; a malformed tensor is the worker's fault, not ours."""
    try:
        return tensors.decode(value)
    except WireError as error:
        raise Killed(f"The process sent something other than an answer ({error}).") from None


def decoded_array(array: wire.Array) -> Tensor:
    """The tensor behind an `Array`; a malformed one is the worker's fault."""
    value = decoded(array)
    assert isinstance(value, Tensor)
    return value
