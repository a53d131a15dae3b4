from __future__ import annotations

import pytest
import torch

from grader import tensors, wire
from grader.checks.faults import Killed
from grader.examiner.answers import decoded, decoded_array, describe_answer, first_tensor, follow, pick

SHAPE = (2, 5, 6)
RIGHT = torch.zeros(SHAPE)
WRONG = torch.zeros(2, 5, 5)


# -- finding the output ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "way"),
    [
        (RIGHT, ()),
        ((RIGHT, WRONG), (0,)),
        ((WRONG, RIGHT), (1,)),
        ((None, (WRONG, RIGHT)), (1, 1)),
        ({"weights": WRONG, "output": RIGHT}, ("output",)),
        ({"outputs": (WRONG, {"last": RIGHT})}, ("outputs", 1, "last")),
        ((RIGHT, RIGHT), (0,)),
        ((RIGHT.long(), RIGHT), (1,)),
        (RIGHT.double(), ()),
    ],
)
def test_the_first_tensor_of_the_right_shape_is_found_wherever_it_is(value, way):
    assert pick(value, SHAPE) == way
    assert follow(value, way).shape == SHAPE


@pytest.mark.parametrize(
    "value",
    [
        *(None, WRONG, RIGHT.long(), RIGHT.bool(), RIGHT.to("meta"), (), {}, (WRONG,), "text", 3.0),
        *(wire.Opaque("Foo"), torch.zeros(2, 6, 5)),
    ],
)
def test_nothing_is_found_where_nothing_fits(value):
    assert pick(value, SHAPE) is None


@pytest.mark.parametrize(
    ("value", "first"),
    [((None, RIGHT, WRONG), RIGHT), ({"a": 1, "b": WRONG}, WRONG), (RIGHT, RIGHT), (None, None)],
)
def test_the_first_tensor_of_an_answer_is_taken(value, first):
    assert first_tensor(value) is first


def test_an_answer_without_a_tensor_stays_as_it_is():
    assert first_tensor((1, 2)) == (1, 2)


# -- saying what is wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "forward returned nothing (None) instead of a tensor of the input's shape (2, 5, 6). Does it end with"),
        (WRONG, "forward returned a tensor of shape (2, 5, 5) instead of"),
        ((WRONG, None), "forward returned a tensor of shape (2, 5, 5) instead of"),
        ({"output": WRONG}, "forward returned a tensor of shape (2, 5, 5) instead of"),
        (RIGHT.long(), "forward returned a tensor of dtype int64, not of floating-point numbers, instead of"),
        (RIGHT.to("meta"), "forward returned a tensor on the device 'meta' instead of"),
        (wire.Opaque("ndarray"), "forward returned a ndarray instead of"),
        ((), "forward returned a tuple or list of 0 items without"),
        ((1, 2, 3), "forward returned a tuple or list of 3 items without"),
        ({"a": 1}, "forward returned a dict instead of"),
        (3.0, "forward returned a float instead of"),
        ("text", "forward returned a str instead of"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said_in_a_sentence(value, words):
    sentence = describe_answer(value, SHAPE)

    assert sentence.startswith(words)
    assert "the input's shape (2, 5, 6)" in sentence


def test_the_name_of_a_type_is_made_safe_before_it_is_shown():
    sentence = describe_answer(wire.Opaque("\x1b[31m\u202e\n" + "x" * 1_000_000), SHAPE)

    assert len(sentence) < 400
    assert sentence.isprintable()


# -- decoding ----------------------------------------------------------------------------------------------------------


def test_values_are_decoded():
    value = wire.Sequence((tensors.encode_tensor(RIGHT), None, wire.Opaque("Foo")))
    first, second, third = decoded(value)  # type: ignore[misc]

    assert torch.equal(first, RIGHT)
    assert (second, third) == (None, wire.Opaque("Foo"))


@pytest.mark.parametrize(
    "value",
    [
        wire.Array("float32", (2,), bytes(3)),
        wire.Array("object", (), b""),
        wire.Array("bool", (1,), b"\x02"),
        wire.Array("float32", (0, wire.FRAME_CAP, wire.FRAME_CAP, wire.FRAME_CAP), b""),
        wire.Hollow("float32", (-1,), "meta"),
        wire.Hollow("float32", (1 << 62, 1 << 62), "meta"),
        wire.Hollow("float32", ((1 << 64) - 1,), "meta"),
    ],
    ids=["bytes", "dtype", "boolean", "wide", "negative", "huge together", "huge alone"],
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: wire.Mapping({"a": wire.Sequence((value,))})])
def test_a_malformed_tensor_is_the_worker_s_fault_and_not_ours(value, wrap):
    with pytest.raises(Killed, match="sent something other than an answer"):
        decoded(wrap(value))


def test_a_malformed_gradient_is_the_worker_s_fault_too():
    with pytest.raises(Killed):
        decoded_array(wire.Array("float32", (2,), bytes(3)))


def test_a_value_nested_as_deeply_as_a_connection_lets_through_is_the_worker_s_fault():
    value: wire.Value = None
    for _ in range(480):
        value = wire.Sequence((value,))

    def deep(levels: int) -> object:
        """Decode from within as many calls as a test runner makes."""
        return deep(levels - 1) if levels else decoded(value)

    with pytest.raises(Killed):
        deep(120)
