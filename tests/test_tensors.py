from __future__ import annotations

import math
from collections import OrderedDict, namedtuple
from typing import Any

import msgspec
import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from grader import tensors, wire
from grader.errors import WireError
from grader.tensors import decode, decode_tensor, encode, encode_tensor, hollow_tensor


def crossed(value: object) -> object:
    """A value after it was sent and received."""
    body = msgspec.msgpack.encode(wire.Returned(encode(value), ()))
    return decode(msgspec.msgpack.decode(body, type=wire.Reply).value)


def as_tensor(value: object) -> Tensor:
    assert type(value) is Tensor
    return value


class Lying(Tensor):
    """A tensor that says it equals everything."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.eq, Tensor.__eq__, torch.allclose, torch.equal):
            return True
        return super().__torch_function__(func, types, args, kwargs or {})


# -- tensors there and back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", tensors.DTYPES)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (2, 3), (1, 2, 1, 3)])
def test_a_tensor_of_every_dtype_and_shape_comes_back_as_it_was(name, shape):
    sent = (torch.arange(math.prod(shape)).reshape(shape) % 2).to(tensors.DTYPES[name])
    back = as_tensor(crossed(sent))

    assert back.dtype == sent.dtype
    assert back.shape == sent.shape
    assert torch.equal(back, sent)


def test_every_dtype_of_the_wire_has_the_size_that_the_wire_says():
    sizes = {name: torch.empty(0, dtype=dtype).element_size() for name, dtype in tensors.DTYPES.items()}

    assert sizes == wire.ITEM_SIZE


def test_numbers_that_are_not_finite_and_the_sign_of_zero_come_back():
    sent = torch.tensor([math.inf, -math.inf, math.nan, -0.0, 5e-324], dtype=torch.float64)
    back = as_tensor(crossed(sent))

    assert torch.equal(back.view(torch.int64), sent.view(torch.int64))


@pytest.mark.parametrize(
    "view",
    [
        torch.arange(12.0).reshape(3, 4).T,
        torch.arange(12.0).reshape(3, 4)[:, 1::2],
        torch.arange(3.0)[:, None].expand(3, 4),
        torch.arange(12.0)[5:],
        torch._neg_view(torch.arange(3.0)),
        torch.arange(6.0).to(torch.complex64).conj().imag,
    ],
    ids=["transposed", "strided", "expanded", "with an offset", "negated lazily", "conjugated lazily"],
)
def test_a_view_comes_back_as_the_numbers_it_shows(view):
    back = as_tensor(crossed(view))

    assert torch.equal(back, view)
    assert back.is_contiguous()


def test_a_tensor_inside_a_graph_comes_back_outside_of_it():
    back = as_tensor(crossed(torch.ones(2, requires_grad=True) * 2))

    assert not back.requires_grad
    assert back.grad_fn is None


@pytest.mark.parametrize("sent", [nn.Parameter(torch.ones(2)), torch.ones(2).as_subclass(Lying)])
def test_a_tensor_of_another_class_comes_back_as_a_plain_one(sent):
    back = as_tensor(crossed(sent))

    assert not torch.equal(back, torch.zeros(2))


def test_an_encoded_tensor_does_not_follow_later_changes():
    original = torch.zeros(3)
    array = encode_tensor(original)
    original += 1

    assert isinstance(array, wire.Array)
    assert torch.equal(decode_tensor(array), torch.zeros(3))


def test_two_decoded_tensors_share_no_memory_and_may_be_written_to():
    array = encode_tensor(torch.zeros(3))
    assert isinstance(array, wire.Array)
    first, second = decode_tensor(array), decode_tensor(array)
    first += 1

    assert torch.equal(second, torch.zeros(3))
    assert array.data == bytes(12)


def test_one_tensor_at_two_places_comes_back_as_two():
    same = torch.zeros(2)
    first, second = crossed((same, same))
    first += 1

    assert torch.equal(second, torch.zeros(2))


# -- tensors that do not cross -----------------------------------------------------------------------------------------


def test_a_tensor_without_data_crosses_as_its_shape_dtype_and_device():
    hollow = encode_tensor(torch.empty(2, 3, dtype=torch.float16, device="meta"))

    assert hollow == wire.Hollow("float16", (2, 3), "meta")
    back = hollow_tensor(hollow)
    assert (back.shape, back.dtype, back.device.type) == ((2, 3), torch.float16, "meta")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(2, dtype=torch.complex64),
        torch.zeros(2, dtype=torch.complex64).conj(),
        torch.zeros(2).to(torch.float8_e5m2),
        torch.eye(3).to_sparse(),
        torch.empty(2, dtype=torch.complex64, device="meta"),
    ],
    ids=["complex", "conjugated", "float8", "sparse", "complex without data"],
)
def test_a_tensor_of_a_dtype_or_layout_that_does_not_cross_is_opaque(tensor):
    assert isinstance(encode_tensor(tensor), wire.Opaque)
    assert isinstance(crossed(tensor), wire.Opaque)


def test_a_tensor_that_is_too_large_is_opaque_and_never_made():
    huge = torch.zeros(1).expand(1 << 40)

    assert isinstance(encode_tensor(huge), wire.Opaque)


def test_a_tensor_that_is_opaque_equals_nothing_a_check_compares_with():
    assert encode_tensor(torch.zeros(2, dtype=torch.complex64)) != torch.complex64


# -- other values ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, True, False, 0, -7, (1 << 62) - 1, 1.5, "", "Zoë 注意力"])
def test_a_plain_value_comes_back_as_it_was(value):
    back = crossed(value)

    assert back == value
    assert type(back) is type(value)


def test_lists_tuples_and_dicts_come_back_with_their_contents():
    Output = namedtuple("Output", ["output", "weights"])
    tensor = torch.arange(3)
    back: Any = crossed([1, (2, [tensor]), Output(3, None), OrderedDict(a=4, b={"c": 5})])

    assert type(back) is tuple
    assert torch.equal(back[1][1][0], tensor)
    assert (back[0], back[2], back[3]) == (1, (3, None), {"a": 4, "b": {"c": 5}})


def test_keys_that_are_no_text_become_text():
    assert crossed({1: "a", (2, 3): "b", None: "c"}) == {"1": "a", "(2, 3)": "b", "None": "c"}


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, b"bytes", 1j, 1 << 62, -(1 << 100), nn.Linear(1, 1), iter(()), len]
)
def test_anything_else_is_opaque_under_the_name_of_its_type(value):
    assert crossed(value) == wire.Opaque(type(value).__name__)


@pytest.mark.parametrize("value", [numpy.float64(1.5), numpy.float32(1.5), numpy.int64(3), numpy.bool_(True)])
def test_a_number_of_a_library_can_be_sent(value):
    assert isinstance(crossed(value), bool | int | float | wire.Opaque)


class Sum(float):
    pass


class Name(str):
    __slots__ = ()


class Count(int):
    pass


@pytest.mark.parametrize("value", [Sum(1.5), Name("name"), Count(3)])
def test_a_value_of_a_derived_class_can_be_sent(value):
    assert isinstance(crossed(value), int | float | str | wire.Opaque)


def test_half_characters_become_question_marks_wherever_they_stand():
    assert crossed(("a\ud800",)) == ("a?",)
    assert crossed({"a\ud800": 1}) == {"a?": 1}


def test_a_long_text_is_cut():
    assert crossed("x" * 1_000_000) == "x" * tensors.TEXT_CAP


def test_a_value_that_holds_itself_is_cut_at_the_greatest_depth():
    endless: list[Any] = []
    endless.append(endless)
    value: Any = crossed(endless)
    for _ in range(tensors.DEPTH_CAP - 1):
        (value,) = value

    assert value == (wire.Opaque("list"),)


@pytest.mark.parametrize("value", [[0] * (tensors.ITEMS_CAP + 1), dict.fromkeys(range(tensors.ITEMS_CAP + 1))])
def test_a_collection_of_too_many_items_is_opaque(value):
    assert crossed(value) == wire.Opaque(type(value).__name__)


def test_a_collection_of_just_as_many_items_as_may_cross_crosses():
    assert crossed([0] * tensors.ITEMS_CAP) == (0,) * tensors.ITEMS_CAP


# -- what a hostile peer may claim -------------------------------------------------------------------------------------

WIDE = wire.FRAME_CAP


@pytest.mark.parametrize(
    "array",
    [
        wire.Array("float32", (2,), bytes(4)),
        wire.Array("complex64", (1,), bytes(8)),
        wire.Array("bool", (2,), b"\x01\x02"),
        wire.Array("float32", (-1,), b""),
        wire.Array("float32", (0, WIDE, WIDE, WIDE), b""),
        wire.Array("float32", (WIDE, WIDE, WIDE, 0), b""),
    ],
    ids=["short", "dtype", "boolean", "negative", "empty but wide", "wide but empty"],
)
def test_an_array_that_no_tensor_can_be_made_of_is_a_wire_error(array):
    with pytest.raises(WireError):
        decode_tensor(array)
    with pytest.raises(WireError):
        decode(wire.Sequence((array,)))


@pytest.mark.parametrize(
    "hollow",
    [
        wire.Hollow("float32", (-1,), "meta"),
        wire.Hollow("complex64", (1,), "meta"),
        wire.Hollow("float32", (1,) * 9, "meta"),
        wire.Hollow("float32", (1 << 62, 1 << 62), "meta"),
        wire.Hollow("float32", ((1 << 64) - 1,), "meta"),
    ],
    ids=["negative", "dtype", "axes", "huge together", "huge alone"],
)
def test_a_hollow_that_no_tensor_can_be_made_of_is_a_wire_error(hollow):
    with pytest.raises(WireError):
        hollow_tensor(hollow)


@settings(max_examples=200)
@given(
    st.sampled_from(sorted(wire.ITEM_SIZE)),
    st.lists(st.sampled_from([-1, 0, 1, 2, 3, WIDE, WIDE + 1, 1 << 31, 1 << 63]), max_size=9),
)
def test_any_shape_makes_a_tensor_or_a_wire_error(dtype, shape):
    count = math.prod(shape) * wire.ITEM_SIZE[dtype]
    for make, claim in (
        (decode_tensor, wire.Array(dtype, tuple(shape), bytes(count if 0 < count < 1000 else 0))),
        (hollow_tensor, wire.Hollow(dtype, tuple(shape), "meta")),
    ):
        try:
            tensor = make(claim)  # type: ignore[operator]
        except WireError:
            continue

        assert list(tensor.shape) == shape


def test_a_hollow_is_a_tensor_of_the_meta_device_whatever_device_it_claims():
    assert hollow_tensor(wire.Hollow("float32", (2,), "cuda")).device.type == "meta"


def test_what_is_opaque_stays_as_it_is():
    assert decode(wire.Opaque("Foo")) == wire.Opaque("Foo")
