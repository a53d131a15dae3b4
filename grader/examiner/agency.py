"""Where a submission's workers come from, as the examiner sees it: the host is asked for them."""

from __future__ import annotations

import socket
import time
from typing import Final

from grader import wire
from grader.errors import GraderError
from grader.examiner.session import Worker
from grader.forkserver import Fate
from grader.orders import Hire, Post, Retire

HOST_PATIENCE: Final = 60.0
"""Seconds to wait for the host to supply or end a worker: it does nothing else meanwhile."""


class RemoteAgency:
    """Workers from the host: it spawns them, hands over their sockets, and ends them."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def hire(self, *, executed: bool) -> Worker:
        """A fresh worker."""
        self._post.send(Hire(executed=executed))
        _, descriptors = self._post.receive(deadline=time.monotonic() + HOST_PATIENCE)
        if len(descriptors) != 1:
            raise GraderError("the host did not hand over a worker")
        stream = socket.socket(fileno=descriptors[0])
        return wire.Asker(wire.Connection(stream, wire.Reply, peer="the submission's process"))

    def retire(self, *, gone: bool) -> Fate:
        """End the last worker."""
        self._post.send(Retire(gone=gone))
        retired, _ = self._post.receive(deadline=time.monotonic() + HOST_PATIENCE)
        fate: Fate = retired.fate
        return fate
