from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import msgspec
import pytest

from grader.errors import DeadlinePassed, PeerClosed, WireError
from grader.forkserver import Fate
from grader.model import (
    CheckResult,
    CheckSpec,
    Contract,
    Limits,
    Loading,
    Match,
    Outcome,
    Place,
    PolicyHit,
)
from grader.orders import (
    MESSAGE_CAP,
    Course,
    Finished,
    FromExaminer,
    FromHost,
    Hire,
    Hired,
    Order,
    Post,
    Reported,
    Retire,
    Retired,
    Setup,
)

REPORTED = Reported(result=CheckResult(check="a", outcome=Outcome.FAILED, message="no", detail="x" * 6000))
FINISHED = Finished(
    loading=Loading.DEFINITIONS,
    loading_note="line 3 raised ValueError",
    loading_where=Place(file="a.py", line=3),
    output="printed",
    findings=(),
    warnings=("two classes",),
)


def soon(seconds: float = 60.0) -> float:
    return time.monotonic() + seconds


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    host, examiner = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with host, examiner:
        yield host, examiner


@pytest.fixture
def posts(sockets: tuple[socket.socket, socket.socket]) -> tuple[Post, Post]:
    """The host's end and the examiner's."""
    host, examiner = sockets
    return Post(host, FromExaminer), Post(examiner, FromHost)


@pytest.mark.parametrize(
    "message", [Hire(), Retire(gone=True), REPORTED, FINISHED], ids=lambda message: type(message).__name__
)
def test_what_the_examiner_says_arrives_at_the_host(posts, message):
    host, examiner = posts
    examiner.send(message)

    assert host.receive(deadline=soon()) == (message, [])


@pytest.mark.parametrize("message", [Hired(), Retired(fate=Fate(signal=9, peak=5))])
def test_what_the_host_says_arrives_at_the_examiner(posts, message):
    host, examiner = posts
    host.send(message)

    assert examiner.receive(deadline=soon()) == (message, [])


def test_a_descriptor_travels_beside_its_message(posts):
    host, examiner = posts
    reading, writing = os.pipe()
    host.send(Hired(), (writing,))
    os.close(writing)
    message, (arrived,) = examiner.receive(deadline=soon())
    os.write(arrived, b"hello")
    os.close(arrived)
    content = os.read(reading, 10)
    os.close(reading)

    assert message == Hired()
    assert content == b"hello"


def test_messages_keep_their_order_and_their_bounds(posts):
    host, examiner = posts
    said = [Hire(), REPORTED, Retire(gone=False), FINISHED]
    for message in said:
        examiner.send(message)

    assert [host.receive(deadline=soon())[0] for _ in said] == said


def test_a_large_message_arrives_whole(posts):
    host, examiner = posts
    large = Reported(result=CheckResult(check="a", outcome=Outcome.FAILED, detail="x" * (MESSAGE_CAP - 1000)))
    examiner.send(large)

    assert host.receive(deadline=soon())[0] == large


@pytest.mark.parametrize("size", [MESSAGE_CAP + 1, 2_000_000])
def test_a_message_that_is_too_large_is_not_taken_for_a_peer_that_is_gone(posts, size):
    host, examiner = posts
    with pytest.raises(WireError) as caught:
        examiner.send(Reported(result=CheckResult(check="a", outcome=Outcome.FAILED, detail="x" * size)))

    assert type(caught.value) is WireError
    examiner.send(Hire())
    assert host.receive(deadline=soon())[0] == Hire()


def test_silence_ends_at_the_deadline(posts):
    host, _ = posts

    with pytest.raises(DeadlinePassed):
        host.receive(deadline=soon(0.05))
    with pytest.raises(DeadlinePassed):
        host.receive(deadline=soon(-1))


def test_a_peer_that_is_gone_is_noticed_on_both_ways(posts):
    host, examiner = posts
    examiner.close()

    with pytest.raises(PeerClosed):
        host.receive(deadline=soon())
    with pytest.raises(PeerClosed):
        host.send(Hired())


def test_what_was_said_before_going_is_still_heard(posts):
    host, examiner = posts
    examiner.send(FINISHED)
    examiner.close()

    assert host.receive(deadline=soon())[0] == FINISHED


@pytest.mark.parametrize(
    "packet",
    [
        b"{}",
        b"not json",
        b'{"is": "Hired"}',
        b'{"is": "Promote"}',
        b'{"is": "Hire", "points": 100}',
        b'{"is": "Reported", "result": {"check": "a", "outcome": "excellent"}}',
        b'{"is": "Reported"}',
        b"\xff",
    ],
)
def test_a_packet_that_is_no_message_for_this_end_is_refused(sockets, packet):
    host, examiner = sockets
    examiner.send(packet)

    with pytest.raises(WireError) as caught:
        Post(host, FromExaminer).receive(deadline=soon())
    assert type(caught.value) is WireError


def test_a_setup_and_an_order_come_back_as_they_were():
    course = Course(
        id="soft",
        checks_folder="soft/checks",
        reference="soft/reference.py",
        entry="Student",
        contract=Contract(construct="embed_dim", call="x"),
        limits=Limits(),
        checks=(CheckSpec(id="a", title="A", concept="shape", points=1.0),),
    )
    setup = Setup(courses=(course,))
    hit = PolicyHit(name="torch.nn.MultiheadAttention", where=Place(file="a.py", line=1))
    order = Order(assignment="soft", match=Match(file="a.py", target="A"), policy_hits=(hit,), seed="ab" * 16)

    assert msgspec.json.decode(msgspec.json.encode(setup), type=Setup) == setup
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order


def test_an_order_holds_no_source_code():
    assert set(Order.__struct_fields__) == {
        *("assignment", "match", "policy_hits", "seed", "notebook", "binds", "patience")
    }
