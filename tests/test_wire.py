from __future__ import annotations

import ast
import math
import random
import socket
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import grader
from grader import wire
from grader.errors import DeadlinePassed, PeerClosed, WireError
from grader.wire import HEADER, MAGIC, Array, Connection, Hollow, Mapping, Opaque, Sequence
from grader.wire.values import FRAME_CAP

ARRAY = Array("float32", (2, 1), bytes(8))
VALUES: dict[str, wire.Value] = {
    "nothing": None,
    "a boolean": True,
    "an integer": -(1 << 62),
    "a number": 2.5,
    "an infinite number": math.inf,
    "a text": "Zoë 注意力",
    "an array": ARRAY,
    "a hollow tensor": Hollow("float32", (2, 3), "meta"),
    "a sequence": Sequence((1, Sequence((ARRAY, "two")))),
    "a mapping": Mapping({"output": ARRAY, "weights": Mapping({})}),
    "something opaque": Opaque("Foo"),
}

CALL = wire.Call(0, (ARRAY, None), {"mask": Array("bool", (2,), b"\x00\x01")}, echo=True, seconds=1.5)
REQUESTS: list[wire.Request] = [
    wire.Execute("attention.ipynb", seed=7, cell_seconds=1.0, seconds=5.0),
    wire.Open("attention.ipynb", "A", definitions_only=True, seed=7, seconds=1.0, supply=("import math",)),
    wire.Open("attention.py", "SelfAttention", definitions_only=False, seed=7, seconds=1.0),
    wire.Build(args=(24, 0.1), kwargs={"num_heads": 4}, dtype="float64", values={"w": ARRAY}, seconds=1.0),
    wire.Survey(0, seconds=1.0),
    wire.Load(0, {"query.weight": ARRAY}, seconds=1.0),
    wire.Switch(0, training=True, seconds=1.0),
    wire.Convert(0, "float64", None, reach=True, seconds=1.0),
    CALL,
    wire.Differentiate(
        module=0, args=(ARRAY,), kwargs={}, pick=(0, "output"), cotangents=ARRAY, forgiving=True, seconds=1.0
    ),
    wire.Trace(0, (ARRAY,), {"mask": None}, seconds=1.0),
]

OPENED = wire.Opened(
    construct=(wire.Parameter("embed_dim", "either", required=True),),
    call=(wire.Parameter("x", "either", required=True), wire.Parameter("rest", "args", required=True)),
    is_module=True,
    output="hello\n",
)
BUILT = wire.Built(0, (wire.Leaf("w", (2, 3), "float32", registered=True, trainable=False),))
RAISED = wire.Raised(
    stage="call",
    type="ValueError",
    message="no",
    frames=(wire.Frame("attention.py", 3, "forward", "raise ValueError"),),
    overtime=False,
    output="",
)
FRAME_OF_A_CELL = wire.Frame("attention.ipynb", 3, "", "1 / 0", cell=4)
EXECUTED = wire.Executed((wire.CellReport(4, "raised", "ValueError", "no", (FRAME_OF_A_CELL,)),), alive=True, output="")
STEP = wire.Step(
    function="torch.nn.functional.softmax",
    takes=(0,),
    gives=(1,),
    arguments={"dim": -1, "1": (2, 3), "p": 0.5, "inplace": False, "equation": "bi,bj->bij"},
    operators=("aten::_softmax",),
    flops=0,
    frame=wire.Frame("attention.py", 3, "forward", "return F.softmax(x, dim=-1)"),
)
SCORES = Hollow("float64", (2, 5, 5), "cpu")
TRACED = wire.Traced((SCORES, SCORES), (STEP,), (1,), {"aten::_softmax": 1}, flops=0, largest=50, cut=False)
REPLIES: list[wire.Reply] = [
    EXECUTED,
    OPENED,
    BUILT,
    wire.Built(1, (wire.Leaf("lazy.weight", None, "float32", registered=True, trainable=True),)),
    wire.Returned(Sequence((ARRAY, None)), (ARRAY,)),
    wire.Slopes(ARRAY, {"w": ARRAY}, ("bias",)),
    wire.Done(),
    TRACED,
    RAISED,
]


def soon(seconds: float = 0.9) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """A connection that takes replies, and the bare socket of a peer that may send whatever it likes."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Connection(ours, wire.Reply, peer="the peer"), theirs


def packed(message: object) -> bytes:
    return msgspec.msgpack.encode(message)


def frame(body: bytes, *, sequence: int = 1, magic: bytes = MAGIC, length: int | None = None) -> bytes:
    return HEADER.pack(magic, sequence, len(body) if length is None else length) + body


def received(pair: tuple[Connection, socket.socket], sent: bytes) -> Any:
    """What the connection makes of these bytes, after which the peer falls silent but stays."""
    connection, peer = pair
    peer.sendall(sent)
    return connection.receive(deadline=soon())


def refused(pair: tuple[Connection, socket.socket], message: object) -> str:
    """Send a well-formed frame that holds this; returns why it was refused."""
    with pytest.raises(WireError) as caught:
        received(pair, frame(packed(message)))

    assert type(caught.value) is WireError
    return caught.value.message


def tagged(message: wire.Part) -> dict[str, Any]:
    """A message as the plain map that it is on the wire."""
    return dict(msgspec.msgpack.decode(packed(message)))


# -- what is allowed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__name__)
def test_every_reply_arrives_as_it_was_sent(pair, reply):
    assert received(pair, frame(packed(reply), sequence=9)) == (9, reply)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_every_request_arrives_as_it_was_sent(request_):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        asking = Connection(ours, wire.Reply, peer="worker")
        answering = Connection(theirs, wire.Request, peer="examiner")
        asking.send(request_, sequence=3, deadline=soon())

        assert answering.receive(deadline=soon()) == (3, request_)


def test_every_class_of_message_is_tried_above():
    assert {type(request) for request in REQUESTS} == set(wire.Question.__subclasses__())
    assert {type(reply) for reply in REPLIES} == set(wire.Answer.__subclasses__())


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_every_kind_of_value_arrives_as_it_was_sent(pair, value):
    _, reply = received(pair, frame(packed(wire.Returned(value, ()))))

    assert reply.value == value
    assert type(reply.value) is type(value)


def test_a_number_that_is_not_one_arrives_as_such(pair):
    _, reply = received(pair, frame(packed(wire.Returned(math.nan, ()))))

    assert math.isnan(reply.value)


def test_a_message_that_arrives_in_pieces_is_put_together(pair):
    connection, peer = pair
    content = frame(packed(RAISED))

    def drip() -> None:
        for start in range(0, len(content), 40):
            peer.sendall(content[start : start + 40])

    thread = threading.Thread(target=drip)
    thread.start()
    answer = connection.receive(deadline=soon())
    thread.join()

    assert answer == (1, RAISED)


def test_frames_that_arrive_together_are_told_apart(pair):
    connection, peer = pair
    peer.sendall(frame(packed(wire.Done()), sequence=1) + frame(packed(BUILT), sequence=2))

    assert connection.receive(deadline=soon()) == (1, wire.Done())
    assert connection.receive(deadline=soon()) == (2, BUILT)


def test_a_large_tensor_crosses_while_both_sides_work():
    ours, theirs = socket.socketpair()
    large = Array("uint8", (8 << 20,), bytes(8 << 20))
    with ours, theirs:
        sending = Connection(ours, wire.Reply, peer="worker")
        question = wire.Load(0, {"w": large}, seconds=1.0)
        thread = threading.Thread(target=lambda: sending.send(question, sequence=1, deadline=soon(5)))
        thread.start()
        answer = Connection(theirs, wire.Request, peer="examiner").receive(deadline=soon(5))
        thread.join()

    assert answer == (1, question)


# -- frames ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("magic", [b"GRW0", b"\x80\x04\x95\x00", b"HTTP", bytes(4)])
def test_bytes_that_are_not_a_frame_are_refused(pair, magic):
    with pytest.raises(WireError, match="bytes that are not a frame"):
        received(pair, frame(packed(wire.Done()), magic=magic))


@pytest.mark.parametrize("cut", [0, 1, HEADER.size - 1, HEADER.size, HEADER.size + 3])
def test_a_frame_that_ends_too_early_is_a_peer_that_is_gone(pair, cut):
    connection, peer = pair
    peer.sendall(frame(packed(wire.Done()))[:cut])
    peer.close()

    with pytest.raises(PeerClosed):
        connection.receive(deadline=soon())


def test_a_frame_that_is_never_completed_ends_at_the_deadline(pair):
    connection, peer = pair
    peer.sendall(frame(packed(wire.Done()), length=100))

    with pytest.raises(DeadlinePassed):
        connection.receive(deadline=soon(0.1))


@pytest.mark.parametrize("length", [wire.FRAME_CAP + 1, (1 << 31) - 1, (1 << 32) - 1])
def test_a_frame_that_is_too_long_is_refused_before_anything_is_allocated(pair, length):
    tracemalloc.start()
    try:
        with pytest.raises(WireError, match="more than may be sent"):
            received(pair, frame(b"", length=length))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1 << 20


def test_a_connection_has_a_budget_of_bytes_for_its_life(pair):
    connection, peer = pair
    body = packed(wire.Done())
    connection._received = wire.CONNECTION_CAP - 2 * len(body)  # half a gigabyte need not really be sent
    peer.sendall(frame(body) * 3)
    for _ in range(2):
        connection.receive(deadline=soon())

    with pytest.raises(WireError, match="more than may be sent"):
        connection.receive(deadline=soon())


def test_a_message_over_the_cap_is_not_sent_at_all(pair):
    connection, peer = pair
    too_large = wire.Returned(Array("uint8", (wire.FRAME_CAP,), bytes(wire.FRAME_CAP)), ())
    with pytest.raises(WireError, match="too large to send"):
        connection.send(too_large, sequence=1, deadline=soon())
    peer.setblocking(False)

    with pytest.raises(BlockingIOError):
        peer.recv(1)


@pytest.mark.parametrize(
    "value",
    [Mapping({"\ud800": 1}), "\ud800", Opaque("\udfff"), 1 << 70, object()],
    ids=["a key of half a character", "half a character", "a name of half a character", "a huge number", "an object"],
)
def test_a_message_that_cannot_be_written_down_is_a_wire_error_and_nothing_of_it_is_sent(pair, value):
    connection, peer = pair
    with pytest.raises(WireError):
        connection.send(wire.Returned(value, ()), sequence=1, deadline=soon())
    peer.setblocking(False)

    with pytest.raises(BlockingIOError):
        peer.recv(1)


# -- time --------------------------------------------------------------------------------------------------------------


def test_a_peer_that_drips_gains_no_time(pair):
    connection, peer = pair
    content = frame(packed(RAISED))
    stop = threading.Event()

    def drip() -> None:
        for byte in content:
            if stop.wait(0.02):
                return
            peer.sendall(bytes([byte]))

    thread = threading.Thread(target=drip)
    thread.start()
    started = time.monotonic()
    with pytest.raises(DeadlinePassed):
        connection.receive(deadline=started + 0.3)
    elapsed = time.monotonic() - started
    stop.set()
    thread.join()

    assert 0.28 < elapsed < 0.9


def test_a_peer_that_never_reads_hits_the_deadline_of_sending(pair):
    connection, _ = pair
    large = wire.Load(0, {"w": Array("uint8", (8 << 20,), bytes(8 << 20))}, seconds=1.0)
    started = time.monotonic()
    with pytest.raises(DeadlinePassed):
        connection.send(large, sequence=1, deadline=started + 0.2)

    assert time.monotonic() - started < 0.9


def test_a_silent_peer_hits_the_deadline(pair):
    connection, _ = pair

    with pytest.raises(DeadlinePassed, match="the peer did not answer in time"):
        connection.receive(deadline=soon(0.05))


def test_a_deadline_that_has_passed_already_ends_the_exchange_at_once(pair):
    connection, peer = pair
    peer.sendall(frame(packed(wire.Done())))

    with pytest.raises(DeadlinePassed):
        connection.receive(deadline=time.monotonic() - 1)


def test_without_a_deadline_a_connection_waits(pair):
    connection, peer = pair
    timer = threading.Timer(0.05, peer.sendall, (frame(packed(wire.Done())),))
    timer.start()
    answer = connection.receive(deadline=math.inf)
    timer.join()

    assert answer == (1, wire.Done())


def test_a_peer_that_is_gone_is_noticed_on_both_ways(pair):
    connection, peer = pair
    peer.close()

    with pytest.raises(PeerClosed):
        connection.send(wire.Done(), sequence=1, deadline=soon())
    with pytest.raises(PeerClosed):
        connection.receive(deadline=soon())


# -- question and answer -----------------------------------------------------------------------------------------------


def asked(answer: Callable[[int], bytes]) -> Any:
    """Ask one question of a peer that answers with these bytes, given the question's number."""
    ours, theirs = socket.socketpair()

    def reply() -> None:
        sequence, _ = Connection(theirs, wire.Request, peer="asker").receive(deadline=soon())
        theirs.sendall(answer(sequence))

    with ours, theirs:
        thread = threading.Thread(target=reply)
        thread.start()
        try:
            return wire.Asker(Connection(ours, wire.Reply, peer="the peer")).ask(CALL, deadline=soon())
        finally:
            thread.join()


def test_a_question_gets_the_answer_of_its_number():
    assert asked(lambda sequence: frame(packed(BUILT), sequence=sequence)) == BUILT


@pytest.mark.parametrize("step", [-1, 1, 1000])
def test_an_answer_of_another_number_is_refused(step):
    with pytest.raises(WireError, match="a question that was not asked"):
        asked(lambda sequence: frame(packed(BUILT), sequence=sequence + step))


def test_an_answer_that_was_sent_beforehand_is_not_taken_for_the_next_question():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        asker = wire.Asker(Connection(ours, wire.Reply, peer="the peer"))
        theirs.sendall(frame(packed(wire.Done()), sequence=1) * 2)
        asker.ask(CALL, deadline=soon())

        with pytest.raises(WireError, match="a question that was not asked"):
            asker.ask(CALL, deadline=soon())


def test_a_question_in_answer_to_a_question_is_refused():
    with pytest.raises(WireError):
        asked(lambda sequence: frame(packed(CALL), sequence=sequence))


# -- messages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__name__)
@pytest.mark.parametrize("key", ["passed", "score", "points", "outcome", ""])
def test_a_reply_with_a_key_of_its_own_is_refused(pair, reply, key):
    assert "unknown field" in refused(pair, {**tagged(reply), key: True})


@pytest.mark.parametrize("part", [ARRAY, Hollow("float32", (1,), "meta"), Sequence(()), Mapping({}), Opaque("Foo")])
def test_a_value_with_a_key_of_its_own_is_refused(pair, part):
    assert "unknown field" in refused(
        pair, {**tagged(wire.Done()), "is": "Returned", "echo": [], "value": {**tagged(part), "score": 100}}
    )


def test_no_message_has_a_field_for_a_verdict():
    fields = {
        name
        for part in (*wire.Question.__subclasses__(), *wire.Answer.__subclasses__())
        for name in part.__struct_fields__
    }

    assert not fields & {"passed", "failed", "score", "points", "grade", "outcome", "verdict", "check", "result"}


@pytest.mark.parametrize("tag", ["Verdict", "Part", "Answer", "Question", "Call", "done", "", 0, None, ["Done"]])
def test_an_unknown_or_forbidden_tag_is_refused(pair, tag):
    refused(pair, {"is": tag})


def test_a_message_without_a_tag_is_refused(pair):
    refused(pair, {})


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: type(reply).__name__)
def test_a_reply_that_lacks_any_of_its_fields_is_refused(pair, reply):
    connection, _ = pair
    for key in set(tagged(reply)) - {"is"}:
        incomplete = {name: value for name, value in tagged(reply).items() if name != key}

        assert "missing required field" in refused(pair, incomplete)
    assert connection.fileno() >= 0


@pytest.mark.parametrize(
    ("reply", "changes"),
    [
        (BUILT, {"module": "0"}),
        (BUILT, {"module": True}),
        (BUILT, {"module": 0.5}),
        (BUILT, {"module": None}),
        (BUILT, {"leaves": {}}),
        (BUILT, {"leaves": [None]}),
        (OPENED, {"is_module": 1}),
        (OPENED, {"is_module": "yes"}),
        (OPENED, {"output": b"bytes"}),
        (OPENED, {"construct": [{"is": "Opaque", "type": "x"}]}),
        (RAISED, {"type": 3}),
        (RAISED, {"frames": "none"}),
        (RAISED, {"overtime": 0}),
        (wire.Returned(None, ()), {"echo": None}),
        (wire.Returned(None, ()), {"value": [1, 2]}),
        (wire.Returned(None, ()), {"value": {"a": 1}}),
        (wire.Returned(None, ()), {"value": b"bytes"}),
        (wire.Returned(None, ()), {"value": {"is": "Done"}}),
        (wire.Returned(None, ()), {"value": {"is": "Mapping", "items": {1: 2}}}),
        (wire.Slopes(None, {}, ()), {"gradients": {"w": {"is": "Opaque", "type": "x"}}}),
        (wire.Slopes(None, {}, ()), {"untouched": [1]}),
        (TRACED, {"steps": [{}]}),
        (TRACED, {"operators": {"aten::bmm": "1"}}),
        (TRACED, {"operators": ["aten::bmm"]}),
        (TRACED, {"cut": 0}),
        (TRACED, {"flops": 0.5}),
        (TRACED, {"largest": None}),
        (TRACED, {"returned": 1}),
        (TRACED, {"tensors": [{**tagged(SCORES), "data": b""}]}),
        (TRACED, {"steps": [{**tagged(STEP), "takes": ["0"]}]}),
        (TRACED, {"steps": [{**tagged(STEP), "arguments": {"dim": [0.5]}}]}),
        (TRACED, {"steps": [{**tagged(STEP), "frame": "line 3"}]}),
        (TRACED, {"steps": [{**tagged(STEP), "passed": True}]}),
    ],
)
def test_a_reply_with_a_field_of_another_type_is_refused(pair, reply, changes):
    refused(pair, {**tagged(reply), **changes})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",  # never used by MessagePack
        packed(None),
        packed([]),
        packed("Done"),
        packed(1),
        packed(wire.Done()) + b"\x00",
        packed(wire.Done())[:-1],
        b"\xdf\xff\xff\xff\xff",  # a map of four billion keys
        b"\xdd\xff\xff\xff\xff",  # an array of four billion items
        b"\xc6\xff\xff\xff\xff",  # four gigabytes of bytes
        packed({"is": "Opened"}) * 2,
        b"\x81\xa2is\xa2\xff\xfe",  # a text that is not UTF-8
        packed(msgspec.msgpack.Ext(4, b"code")),
        b'{"is": "Done"}',
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",  # a pickle
    ],
)
def test_a_body_that_is_not_a_message_is_refused(pair, body):
    with pytest.raises(WireError):
        received(pair, frame(body))


def test_a_text_of_half_a_character_is_refused(pair):
    text = "X\udfff".encode("utf-8", "surrogatepass")
    body = packed(wire.Returned("x" * len(text), ())).replace(b"x" * len(text), text)

    with pytest.raises(WireError):
        received(pair, frame(body))


def nested(depth: int) -> bytes:
    """The body of a `Returned` whose value is this many sequences inside each other."""
    before, after = packed(Sequence((None,))).split(b"\xc0")
    start, _, end = packed(wire.Returned(None, ())).partition(b"\xc0")
    return start + before * depth + b"\xc0" + after * depth + end


def test_the_nested_bodies_below_are_well_formed(pair):
    _, reply = received(pair, frame(nested(2)))

    assert reply == wire.Returned(Sequence((Sequence((None,)),)), ())


@pytest.mark.parametrize("depth", [1_000, 20_000, 200_000])
def test_a_deeply_nested_value_is_refused(pair, depth):
    connection, peer = pair
    thread = threading.Thread(target=peer.sendall, args=(frame(nested(depth)),))
    thread.start()
    with pytest.raises(WireError):
        connection.receive(deadline=soon(5))
    thread.join()


def test_integers_beyond_64_bits_do_not_exist_on_the_wire(pair):
    _, reply = received(pair, frame(packed(wire.Returned((1 << 64) - 1, ()))))

    assert reply.value == (1 << 64) - 1
    with pytest.raises((OverflowError, msgspec.MsgspecError)):
        packed(wire.Returned(1 << 64, ()))


# -- tensors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        *(Array(dtype, (3,), bytes(3 * size)) for dtype, size in wire.ITEM_SIZE.items()),
        Array("float32", (), bytes(4)),
        Array("float32", (0,), b""),
        Array("float32", (0, 5), b""),
        Array("float32", (1,) * wire.MAX_AXES, bytes(4)),
        Array("bool", (4,), b"\x00\x01\x01\x00"),
    ],
)
def test_an_array_whose_dtype_shape_and_bytes_agree_is_sound(array):
    wire.check_array(array)


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (Array("complex64", (1,), bytes(8)), "may not cross"),
        (Array("object", (1,), bytes(8)), "may not cross"),
        (Array("__class__", (), b""), "may not cross"),
        (Array("", (), b""), "may not cross"),
        (Array("float32\n" * 1000, (), b""), "may not cross"),
        (Array("float32", (-1,), b""), "impossible"),
        (Array("float32", (-1, -4), bytes(16)), "impossible"),
        (Array("float32", (1 << 32, 1 << 32), b""), "impossible"),
        (Array("float32", (0, 1 << 62), b""), "impossible"),
        (Array("float32", (1 << 64, 0), b""), "impossible"),
        (Array("float32", (1,) * (wire.MAX_AXES + 1), bytes(4)), "too many axes"),
        (Array("float32", (2,), bytes(4)), "do not agree"),
        (Array("float32", (2,), bytes(12)), "do not agree"),
        (Array("float32", (2,), b""), "do not agree"),
        (Array("float32", (0,), bytes(4)), "do not agree"),
        (Array("float32", (), b""), "do not agree"),
        (Array("float64", (1,), bytes(7)), "do not agree"),
        (Array("bool", (3,), b"\x00\x01\x02"), "other than 0 and 1"),
        (Array("bool", (3,), b"\x01\xff\x01"), "other than 0 and 1"),
    ],
)
def test_an_array_that_contradicts_itself_is_refused(array, problem):
    with pytest.raises(WireError, match=problem) as caught:
        wire.check_array(array)

    assert len(caught.value.message) < 120


@pytest.mark.parametrize("size", [True, 1.0, "1", None, [1]])
def test_a_size_that_is_not_a_whole_number_is_refused(pair, size):
    value = {**tagged(Array("uint8", (1,), b"\x00")), "shape": [size]}

    refused(pair, {"is": "Returned", "value": value, "echo": []})


# -- traces ------------------------------------------------------------------------------------------------------------


def changed(**changes: Any) -> wire.Traced:
    return msgspec.structs.replace(TRACED, **changes)


def test_a_trace_within_its_bounds_is_sound():
    wire.check_trace(TRACED)
    wire.check_trace(changed(steps=(STEP,) * wire.STEPS_CAP, flops=wire.COUNT_CAP, cut=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"function": "x" * (wire.NAME_CAP + 1)},
        {"operators": ("x" * (wire.NAME_CAP + 1),)},
        {"operators": ("x",) * (wire.STEP_OPERATORS_CAP + 1)},
        {"takes": (2,)},
        {"takes": (-1,)},
        {"takes": (0,) * (wire.STEP_TENSORS_CAP + 1)},
        {"gives": (1 << 60,)},
        {"arguments": {str(number): 1 for number in range(wire.STEP_ARGUMENTS_CAP + 1)}},
        {"arguments": {"x" * (wire.ARGUMENT_CAP + 1): 1}},
        {"arguments": {"x": "x" * (wire.ARGUMENT_CAP + 1)}},
        {"arguments": {"x": (1,) * (wire.ARGUMENT_CAP + 1)}},
        {"flops": -1},
        {"flops": wire.COUNT_CAP + 1},
    ],
)
def test_a_trace_with_a_step_out_of_bounds_is_refused(changes):
    with pytest.raises(WireError):
        wire.check_trace(changed(steps=(msgspec.structs.replace(STEP, **changes),)))


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": (STEP,) * (wire.STEPS_CAP + 1)},
        {"operators": {str(number): 1 for number in range(wire.OPERATORS_CAP + 1)}},
        {"operators": {"x" * (wire.NAME_CAP + 1): 1}},
        {"operators": {"aten::bmm": 0}},
        {"operators": {"aten::bmm": wire.COUNT_CAP + 1}},
        {"tensors": (SCORES,) * (wire.TRACED_TENSORS_CAP + 1)},
        {"tensors": (SCORES, Hollow("float32", (-1,), "cpu"))},
        {"tensors": (SCORES, Hollow("float32", (1,) * (wire.MAX_AXES + 1), "cpu"))},
        {"tensors": ()},
        {"returned": (2,)},
        {"returned": (0,) * (wire.STEP_TENSORS_CAP + 1)},
        {"flops": -1},
        {"largest": wire.COUNT_CAP + 1},
    ],
)
def test_a_trace_out_of_bounds_is_refused(changes):
    with pytest.raises(WireError):
        wire.check_trace(changed(**changes))


# -- whatever arrives --------------------------------------------------------------------------------------------------


@st.composite
def damaged_frames(draw: st.DrawFn) -> bytes:
    """A valid frame with some of its bytes changed, taken out or put in."""
    content = bytearray(frame(packed(draw(st.sampled_from(REPLIES)))))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(content) - 1))
        match draw(st.sampled_from(["change", "flip", "insert", "delete", "cut"])):
            case "change":
                content[place] = draw(st.integers(0, 255))
            case "flip":
                content[place] ^= 1 << draw(st.integers(0, 7))
            case "insert":
                content[place:place] = draw(st.binary(max_size=9))
            case "delete":
                del content[place : place + draw(st.integers(1, 9))]
            case "cut":
                del content[place + 1 :]
        if not content:
            break
    return bytes(content)


@settings(max_examples=300)
@given(damaged_frames())
def test_a_damaged_frame_is_a_message_or_a_wire_error_and_nothing_else(content):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(content)
        theirs.close()
        try:
            _, message = Connection(ours, wire.Reply, peer="the peer").receive(deadline=soon())
        except WireError:
            return

    assert isinstance(message, wire.Answer)


MUTATED_FRAMES = 20_000


def test_twenty_thousand_mutated_frames_are_messages_or_wire_errors_and_take_no_memory():
    """Several frames, of which one is damaged somewhere: what is read of them is sound, and nothing large is made."""
    dice = random.Random(20_000)
    frames = [frame(packed(reply)) for reply in REPLIES]
    kinds: Counter[str] = Counter()
    tracemalloc.start()
    try:
        for _ in range(MUTATED_FRAMES):
            content = mutated(dice.choice(frames), dice)
            ours, theirs = socket.socketpair()
            with ours, theirs:
                theirs.sendall(content + dice.choice(frames))
                theirs.shutdown(socket.SHUT_WR)
                try:
                    _, message = Connection(ours, wire.Reply, peer="the peer").receive(deadline=soon(5.0))
                except WireError as error:
                    kinds[type(error).__name__] += 1
                else:
                    assert isinstance(message, wire.Answer)
                    kinds["message"] += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sum(kinds.values()) == MUTATED_FRAMES
    assert kinds["message"] > 100  # some damage is not seen, in the text of a message for one
    assert kinds["WireError"] > MUTATED_FRAMES / 4
    assert kinds["PeerClosed"] > 100
    assert peak < FRAME_CAP + (8 << 20)  # a length below the cap may be believed, one frame at a time


def mutated(content: bytes, dice: random.Random) -> bytes:
    """One to four bytes changed, bits flipped, pieces taken out, put in or moved, in the header or behind it."""
    damaged = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        place, size = dice.randrange(len(damaged)), dice.randint(1, 8)
        match dice.randrange(6):
            case 0:
                damaged[place] = dice.randrange(256)
            case 1:
                damaged[place] ^= 1 << dice.randrange(8)
            case 2:
                damaged[place:place] = dice.randbytes(size)
            case 3:
                del damaged[place : place + size]
            case 4:
                damaged += damaged[place : place + size]
            case 5:
                damaged[place : place + size] = bytes([dice.choice((0, 0x7F, 0x80, 0xFF))] * size)
        if not damaged:
            return b""
    return bytes(damaged)


@settings(max_examples=200)
@given(st.sampled_from([*wire.ITEM_SIZE, "x"]), st.lists(st.integers(-2, 1 << 33), max_size=10), st.binary(max_size=64))
def test_any_array_is_sound_or_refused(dtype, shape, data):
    array = Array(dtype, tuple(shape), data)
    try:
        wire.check_array(array)
    except WireError:
        return

    assert math.prod(shape) * wire.ITEM_SIZE[dtype] == len(data)


# -- nothing that runs -------------------------------------------------------------------------------------------------

CODE_BEARING = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml", "copyreg"}
MODULES = sorted(Path(grader.__file__).parent.rglob("*.py"))


def code_bearing_uses(tree: ast.AST) -> set[str]:
    """Every import or call in a file that could turn bytes into something that runs."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names if alias.name.split(".")[0] in CODE_BEARING}
            case ast.ImportFrom(module=str(module), names=names):
                full = {f"{module}.{alias.name}" for alias in names}
                found |= {name for name in full if module.split(".")[0] in CODE_BEARING or name == "torch.load"}
            case ast.Attribute(value=ast.Name(id="torch" | "numpy" | "np" as library), attr="load"):
                found.add(f"{library}.load")
            case ast.Attribute(attr="weights_only" | "allow_pickle" | "Unpickler" as attribute):
                found.add(attribute)
            case ast.Call(func=ast.Name(id="eval" as name)):
                found.add(name)
            case ast.keyword(arg="allow_pickle" as name):
                found.add(name)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import torch, marshal",
        "from pickle import loads",
        "import yaml as y",
        "def f(): import shelve",
        "torch.load(path)",
        "from torch import load",
        "numpy.load(path, allow_pickle=True)",
        "eval(text)",
    ],
)
def test_uses_of_formats_that_carry_code_are_found(source):
    assert code_bearing_uses(ast.parse(source))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(Path(grader.__file__).parent).as_posix())
def test_no_module_of_the_grader_reads_a_format_that_carries_code(path):
    assert code_bearing_uses(ast.parse(path.read_text(encoding="utf-8"))) == set()


def test_code_is_executed_only_where_students_and_references_are_loaded():
    """Of students: in a worker, and in the kernel of their own notebook. Of references: in the examiner, and in a
    process that compares them with variants of themselves."""
    root = Path(grader.__file__).parent
    executing = {
        path.relative_to(root).as_posix()
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "exec"
    }

    assert executing == {
        "worker/loading.py",
        "worker/definitions.py",
        "extension/conversation.py",
        "examiner/reference.py",
        "examiner/equivalence.py",
    }
