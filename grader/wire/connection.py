"""Frames over a stream socket, under deadlines and budgets."""

from __future__ import annotations

import math
import socket
import struct
import time
from typing import Any, Final

import msgspec

from grader.errors import DeadlinePassed, PeerClosed, WireError
from grader.wire.values import FRAME_CAP, Part

HEADER: Final = struct.Struct("<4sII")  # magic, sequence, length of the body
MAGIC: Final = b"GRW1"
CONNECTION_CAP: Final = 512 << 20
READ_AHEAD: Final = 32 << 10


class Connection:
    """One end of a stream socket that carries frames of known types.

    Attributes:
        peer: what the other end is called in error messages.
        incoming: the type that may arrive, a union of the classes above.
    """

    def __init__(self, stream: socket.socket, incoming: Any, *, peer: str) -> None:
        self._stream = stream
        self._decoder = msgspec.msgpack.Decoder(incoming)
        self._encoder = msgspec.msgpack.Encoder()
        self._received = 0
        self._pending = b""
        self._patience: float | None = -1.0
        self.peer = peer

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._stream.fileno()

    def close(self) -> None:
        """Close the socket. Nothing can be sent or received afterwards."""
        self._stream.close()

    def send(self, message: Part, *, sequence: int, deadline: float) -> None:
        """Send one frame before `deadline` (on `time.monotonic`). Raises `PeerClosed` or `DeadlinePassed`."""
        try:
            body = self._encoder.encode(message)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise WireError(f"a message cannot be sent ({error})") from None
        if len(body) > FRAME_CAP:
            raise WireError(f"a message of {len(body)} bytes is too large to send")
        rest = memoryview(HEADER.pack(MAGIC, sequence, len(body)) + body)
        while rest:
            self._arm(deadline)
            try:
                sent = self._stream.send(rest, socket.MSG_NOSIGNAL)
            except TimeoutError:
                raise DeadlinePassed(f"{self.peer} did not take the message in time") from None
            except OSError as error:
                raise PeerClosed(f"{self.peer} closed the connection ({error.strerror})") from None
            rest = rest[sent:]

    def receive(self, *, deadline: float) -> tuple[int, Any]:
        """Receive one frame; returns its sequence number and message.

        Raises `PeerClosed`, `DeadlinePassed`, or `WireError` when the bytes are not a frame that may arrive here.
        """
        self._fill(HEADER.size, deadline)
        magic, sequence, length = HEADER.unpack_from(self._pending)
        if magic != MAGIC:
            raise WireError(f"{self.peer} sent bytes that are not a frame")
        if length > FRAME_CAP or self._received + length > CONNECTION_CAP:
            raise WireError(f"{self.peer} sent more than may be sent")
        self._received += length
        self._fill(HEADER.size + length, deadline)
        body = memoryview(self._pending)[HEADER.size : HEADER.size + length]
        self._pending = self._pending[HEADER.size + length :]
        try:
            return sequence, self._decoder.decode(body)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, OverflowError) as error:
            raise WireError(f"{self.peer} sent a message that may not be sent here ({error})") from None

    def _fill(self, count: int, deadline: float) -> None:
        """Receive until `count` bytes are pending. Most frames arrive whole in one read."""
        if len(self._pending) >= count:
            return
        pieces, missing = [self._pending], count - len(self._pending)
        while missing > 0:
            self._arm(deadline)
            try:
                piece = self._stream.recv(max(missing, READ_AHEAD))
            except TimeoutError:
                raise DeadlinePassed(f"{self.peer} did not answer in time") from None
            except OSError as error:
                raise PeerClosed(f"{self.peer} closed the connection ({error.strerror})") from None
            if not piece:
                raise PeerClosed(f"{self.peer} closed the connection")
            pieces.append(piece)
            missing -= len(piece)
        self._pending = b"".join(pieces)

    def _arm(self, deadline: float) -> None:
        if deadline == math.inf:
            if self._patience is not None:
                self._patience = None
                self._stream.settimeout(None)
            return
        self._patience = deadline
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlinePassed(f"{self.peer} did not answer in time")
        self._stream.settimeout(remaining)


class Asker:
    """The asking side of a connection: one question, one answer with the same number, or the connection is over."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sequence = 0

    def ask(self, question: Part, *, deadline: float) -> Any:
        """Send a question and return its answer, both before `deadline`. After any error the connection is unusable."""
        self._sequence += 1
        self._connection.send(question, sequence=self._sequence, deadline=deadline)
        sequence, answer = self._connection.receive(deadline=deadline)
        if sequence != self._sequence:
            raise WireError(f"{self._connection.peer} answered a question that was not asked")
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
