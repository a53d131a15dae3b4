"""The worker's warm process: `python -I -m grader.worker CONTROL_FD SCRATCH`, started by the host with an empty
environment.

It imports what student code will import, waits, and forks a locked child for each submission.
"""

from __future__ import annotations

import math
import os
import shutil
import socket
import sys
from pathlib import Path

import msgspec

from grader import wire
from grader.errors import WireError
from grader.forkserver import ForkServer, Note
from grader.serving import Desk
from grader.worker import lockdown, warming
from grader.worker.loading import BoundedText, Bundle, Submission


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a child is told before it is locked down: its limits, and an empty folder that is its own.

    The files come in a descriptor.
    """

    memory: int
    cpu_seconds: int
    home: str


def main(control: int, scratch: Path) -> None:
    """Warm up, say so, and fork until the host goes away; then remove the folder that held the children's homes."""
    warming.warm()
    server = ForkServer(socket.socket(fileno=control))
    server.announce(Note(ready=True, facts={"isolation": "process-only"}))
    server.serve(work)
    shutil.rmtree(scratch, ignore_errors=True)  # the host does this too, unless it was killed


def work(payload: bytes, descriptors: list[int]) -> None:
    """A child's whole life: read the submission, lock down, answer questions until the examiner hangs up."""
    order = msgspec.json.decode(payload, type=Order)
    stream, bundle_descriptor = descriptors
    files = _read_bundle(bundle_descriptor)
    lockdown.apply(keep=stream, home=Path(order.home), memory=order.memory, cpu_seconds=order.cpu_seconds)
    sys.stdout = sys.stderr = printed = BoundedText()
    bundle = Bundle(files)
    desk = Desk(Submission(bundle), sources=bundle.lines(), output=printed.text)
    serve(wire.Connection(socket.socket(fileno=stream), wire.Request, peer="the examiner"), desk)


def serve(connection: wire.Connection, desk: Desk) -> None:
    """Answer one question after the other. Returns when the other end is gone or talks nonsense."""
    while True:
        try:
            sequence, request = connection.receive(deadline=math.inf)
            reply = desk.answer(request)
        except WireError:
            return
        try:
            connection.send(reply, sequence=sequence, deadline=math.inf)
        except WireError as error:
            too_large = wire.Raised("call", "ResultTooLarge", error.message, (), overtime=False, output="")
            connection.send(too_large, sequence=sequence, deadline=math.inf)


def _read_bundle(descriptor: int) -> dict[str, bytes]:
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, size, 0)
    os.close(descriptor)
    return msgspec.msgpack.decode(content, type=dict[str, bytes])


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
