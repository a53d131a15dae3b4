"""What the host and the examiner tell each other. Both are ours; the messages are typed all the same.

The host sends one `Setup` when the examiner starts and one `Order` with each submission. The examiner's child then
leads: it hires a worker (the socket comes as a descriptor), retires it when it has failed, reports each check as it is
done, and finishes. The host answers `Hire` and `Retire`, and watches the clock.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Final

import msgspec

from grader.errors import DeadlinePassed, PeerClosed, WireError
from grader.forkserver import Fate
from grader.model import (
    AttentionPicture,
    CellRun,
    CheckResult,
    CheckSpec,
    Contract,
    Finding,
    Flag,
    Limits,
    Loading,
    Match,
    Place,
    PolicyHit,
)

MESSAGE_CAP: Final = 192 << 10


class Said(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True, tag_field="is"):
    """Base of the messages."""


class Course(Said, frozen=True, kw_only=True):
    """One assignment as the examiner needs it; `reference` is empty where students check their own work."""

    id: str
    checks_folder: str
    reference: str
    entry: str
    contract: Contract
    limits: Limits
    checks: tuple[CheckSpec, ...]
    forbid: tuple[str, ...] = ()


class Setup(Said, frozen=True, kw_only=True):
    """What the examiner collects, and tries on the reference solutions, before it serves."""

    courses: tuple[Course, ...]


class NotebookBudget(Said, frozen=True, kw_only=True):
    """Wall seconds for running a notebook, and for each of its cells."""

    seconds: float
    cell_seconds: float


class Order(Said, frozen=True, kw_only=True):
    """One submission to be examined. All random inputs derive from `seed`. Source code is not in it.

    `notebook` is set when the graded class stands in one, and `binds` then says which cell is the last that gives a
    name its value. By `patience` all budgets are multiplied.
    """

    assignment: str
    match: Match
    policy_hits: tuple[PolicyHit, ...]
    seed: str
    notebook: NotebookBudget | None = None
    binds: dict[str, int] = msgspec.field(default_factory=dict)
    patience: float = 1.0


class Hire(Said, frozen=True, kw_only=True):
    """Examiner: a fresh worker, please. With `executed`, one that has run the notebook."""

    executed: bool = False


class Hired(Said, frozen=True, kw_only=True):
    """Host: here is its socket (as a descriptor)."""


class Retire(Said, frozen=True, kw_only=True):
    """Examiner: kill the worker and say how it ended. `gone`: it hung up, so it has ended or is about to."""

    gone: bool


class Retired(Said, frozen=True, kw_only=True):
    """Host: it is dead, and this is how it ended (before it was killed, if it ended by itself)."""

    fate: Fate


class Reported(Said, frozen=True, kw_only=True):
    """Examiner: one check is done; on the `second` look, forgotten imports were supplied."""

    result: CheckResult
    second: bool = False


class Finished(Said, frozen=True, kw_only=True):
    """Examiner: all checks are done; what was noticed about the submission as a whole."""

    loading: Loading
    loading_note: str
    loading_where: Place | None
    cells: tuple[CellRun, ...] = ()
    supplied: tuple[str, ...] = ()
    second_findings: tuple[Finding, ...] = ()
    output: str
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    flags: tuple[Flag, ...] = ()
    unexplained: str = ""
    pictures: tuple[AttentionPicture, ...] = ()


FromExaminer = Hire | Retire | Reported | Finished
FromHost = Hired | Retired


class Post:
    """One end of a packet socket between host and examiner: one message a packet, descriptors beside it.

    Attributes:
        incoming: the union of messages that may arrive.
    """

    def __init__(self, packets: socket.socket, incoming: Any) -> None:
        self._packets = packets
        self._decoder = msgspec.json.Decoder(incoming)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            packets.setsockopt(socket.SOL_SOCKET, option, 2 * MESSAGE_CAP)

    def send(self, message: Said, descriptors: tuple[int, ...] = ()) -> None:
        """Send one message. Raises `PeerClosed` when the other end is gone."""
        packet = msgspec.json.encode(message)
        if len(packet) > MESSAGE_CAP:
            raise WireError(f"a message of {len(packet)} bytes is too large to send")
        try:
            socket.send_fds(self._packets, [packet], descriptors, socket.MSG_NOSIGNAL)
        except OSError as error:
            raise PeerClosed(f"the other process is gone ({error.strerror})") from None

    def receive(self, *, deadline: float) -> tuple[Any, list[int]]:
        """The next message and its descriptors. Raises `PeerClosed`, `DeadlinePassed` or `WireError`."""
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlinePassed("the other process did not report in time")
        self._packets.settimeout(remaining)
        try:
            packet, descriptors, _, _ = socket.recv_fds(self._packets, MESSAGE_CAP, 4)
        except TimeoutError:
            raise DeadlinePassed("the other process did not report in time") from None
        except OSError as error:
            raise PeerClosed(f"the other process is gone ({error.strerror})") from None
        if not packet:
            raise PeerClosed("the other process is gone")
        try:
            return self._decoder.decode(packet), descriptors
        except msgspec.MsgspecError as error:
            raise WireError(f"a message could not be read ({error})") from None

    def close(self) -> None:
        """Close the socket."""
        self._packets.close()


class Comparison(Said, frozen=True, kw_only=True):
    """Host: do these variants of a reference solution behave as it does? All of them are sources, and trusted."""

    reference: str
    entry: str
    contract: Contract
    variants: dict[str, str]


class Compared(Said, frozen=True, kw_only=True):
    """Examiner: for each variant, in what it was first seen to differ; empty where nothing differs.

    `problem` says why nothing could be compared, where that is so.
    """

    differences: dict[str, str] = msgspec.field(default_factory=dict)
    problem: str = ""
