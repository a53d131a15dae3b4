"""The worker's warm process: `python -I -m grader.worker CONTROL_FD SCRATCH MEMORY`, started by the host with an empty
environment.

It imports what student code will import, finds out how well it can wall children in, says so, and forks a locked child
for each submission. MEMORY is the most that any of them may use, in bytes.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import msgspec

from grader import wire
from grader.forkserver import ForkServer, Note
from grader.serving import Desk, serve
from grader.walls import NOT_LOCKED
from grader.worker import lockdown, offline, performance, proving, warming
from grader.worker.kernel import Kernel
from grader.worker.loading import Bundle, Submission
from grader.worker.lockdown import Bounds, Lock
from grader.worker.nursery import Nursery
from grader.worker.output import BoundedText, warn_plainly


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a child is told before it is locked down: its limits, and an empty folder that is its own.

    The files come in a descriptor. With `branching` the child runs a notebook and serves as many examiners as the host
    sends, otherwise it serves one.
    """

    memory: int
    cpu_seconds: int
    home: str
    branching: bool = False


def main(control: int, scratch: Path, memory: int) -> None:
    """Warm up, say so, and fork until the host goes away; then remove the folder that held the children's homes."""
    warming.warm()
    kernel = Kernel(scratch / "ipython")
    plan = lockdown.survey()
    nursery = Nursery(plan, memory=memory)
    server = ForkServer(socket.socket(fileno=control), nursery)
    server.announce(Note(ready=True, walls=proving.prove(plan, nursery, scratch)))
    server.serve(lambda payload, descriptors: work(payload, descriptors, kernel, nursery.lock))
    nursery.close()
    shutil.rmtree(scratch, ignore_errors=True)  # the host does this too, unless it was killed


def work(payload: bytes, descriptors: list[int], kernel: Kernel, lock: Lock) -> None:
    """A child's whole life: read the submission, lock down, answer questions until the examiner hangs up."""
    order = msgspec.json.decode(payload, type=Order)
    stream, bundle_descriptor = descriptors
    bundle = Bundle(_read_bundle(bundle_descriptor))
    bounds = Bounds(memory=order.memory, cpu_seconds=order.cpu_seconds)
    try:
        lock.apply(keep=stream, home=Path(order.home), bounds=bounds, forking=order.branching)
    except OSError:
        os._exit(NOT_LOCKED)
    offline.explain()
    warn_plainly(bundle.lines())
    if order.branching:
        performance.perform(socket.socket(fileno=stream), bundle, kernel, Path(order.home), lock)
        return
    sys.stdout = sys.stderr = printed = BoundedText()
    desk = Desk(Submission(bundle), sources=bundle.lines(), output=printed.text)
    serve(wire.Connection(socket.socket(fileno=stream), wire.Request, peer="the examiner"), desk)


def _read_bundle(descriptor: int) -> wire.Files:
    size = os.fstat(descriptor).st_size
    content = os.pread(descriptor, size, 0)
    os.close(descriptor)
    return wire.unpack(content)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
