"""What crosses a socket: frames, the values inside them, and the rules that make a hostile peer harmless.

Theory of operation
-------------------
A frame is a fixed header (magic, sequence number, length) and a MessagePack body. MessagePack carries numbers, text,
bytes, arrays and maps and nothing that could run; the body is decoded into typed, closed structures, so an unknown key,
a missing key or a wrong type is an error and not a surprise. The rules:

- the length is compared with a cap before a byte is allocated, and a connection has a budget of bytes for its life;
- every exchange has one absolute deadline for all of its bytes, so a peer that drips does not gain time;
- the asking side numbers its requests and takes one reply with that number; anything else ends the connection;
- a tensor is dtype, shape and raw little-endian bytes whose count must agree; booleans are 0 or 1;
- whatever arrives is a claim. No message has a field for a verdict.

The asking side is the examiner (or the host), the answering side is the worker. Both import this module, so it knows
nothing about checks and needs neither torch nor pytest.
"""

from __future__ import annotations

import math
import socket
import struct
import time
from typing import Any, Final

import msgspec

from grader.errors import DeadlinePassed, PeerClosed, WireError

HEADER: Final = struct.Struct("<4sII")  # magic, sequence, length of the body
MAGIC: Final = b"GRW1"
FRAME_CAP: Final = 48 << 20
CONNECTION_CAP: Final = 512 << 20
MAX_AXES: Final = 8
LEAVES_CAP: Final = 4000
PATH_CAP: Final = 400
READ_AHEAD: Final = 32 << 10

ITEM_SIZE: Final[dict[str, int]] = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
"""Bytes per element of every dtype that may cross."""


# -- values ------------------------------------------------------------------------------------------------------------


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True, tag_field="is"):
    """Base of everything inside a frame: immutable, tagged with its class name, strict about its keys."""


class Array(Part, frozen=True):
    """A dense tensor: `data` holds `prod(shape)` little-endian elements in row-major order."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


class Hollow(Part, frozen=True):
    """A tensor without data, as the `meta` device gives it; `device` is where the answering side says it lives."""

    dtype: str
    shape: tuple[int, ...]
    device: str


class Sequence(Part, frozen=True):
    """A tuple or a list."""

    items: tuple[Value, ...]


class Mapping(Part, frozen=True):
    """A dict with text keys."""

    items: dict[str, Value]


class Opaque(Part, frozen=True):
    """Something that does not cross, by the name of its type. It equals nothing."""

    type: str


Value = None | bool | int | float | str | Array | Hollow | Sequence | Mapping | Opaque


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise `WireError` unless a tensor of this shape could cross, empty axes counted as one."""
    if len(shape) > MAX_AXES or any(axis < 0 or axis > FRAME_CAP for axis in shape):
        raise WireError("a tensor has too many axes, or an impossible one")
    if math.prod(max(axis, 1) for axis in shape) > FRAME_CAP:
        raise WireError("a tensor has an impossible shape")


def check_array(array: Array) -> None:
    """Raise `WireError` unless dtype, shape and byte count agree. Runs before anything is allocated for the tensor."""
    size = ITEM_SIZE.get(array.dtype)
    if size is None:
        raise WireError(f"a tensor of dtype {array.dtype[:40]!r} may not cross")
    check_shape(array.shape)
    if math.prod(array.shape) * size != len(array.data):
        raise WireError("a tensor's bytes do not agree with its shape")
    if array.dtype == "bool" and array.data.strip(b"\x00\x01"):
        raise WireError("a boolean tensor holds bytes other than 0 and 1")


# -- what the examiner asks --------------------------------------------------------------------------------------------


class Question(Part, frozen=True):
    """Base of requests. `seconds` is the soft budget: past it the answering side gives up by itself if it still can."""


class Open(Question, frozen=True):
    """Load the submission and find `target` in `file`. With `definitions_only` its top-level code is not run."""

    file: str
    target: str
    definitions_only: bool
    seed: int
    seconds: float


class Build(Question, frozen=True):
    """Call the target with these arguments; the result is a module with a number.

    With a `dtype`, it is then converted, unregistered tensors too, switched to eval mode, and given these values.
    """

    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    dtype: str | None
    values: dict[str, Array]
    seconds: float


class Survey(Question, frozen=True):
    """List the module's learnable tensors again (lazy ones get their shape at the first call)."""

    module: int
    seconds: float


class Load(Question, frozen=True):
    """Set the named learnable tensors of a module to these values."""

    module: int
    values: dict[str, Array]
    seconds: float


class Switch(Question, frozen=True):
    """`train()` or `eval()`."""

    module: int
    training: bool
    seconds: float


class Convert(Question, frozen=True):
    """`module.to(dtype or device)`. With `reach`, learnable tensors that are not registered are converted too."""

    module: int
    dtype: str | None
    device: str | None
    reach: bool
    seconds: float


class Call(Question, frozen=True):
    """Call the module. `echo` asks for the tensor arguments back as they are afterwards."""

    module: int
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    echo: bool
    seconds: float


class Differentiate(Question, frozen=True):
    """Call the module and backpropagate: for each i, the gradient of `sum(cotangents[i] * output)`.

    `pick` leads from the returned value to the output tensor: indices into tuples, keys into dicts. With `forgiving`,
    values that were overwritten in place are kept for the backward pass, which would otherwise refuse.
    """

    module: int
    args: tuple[Value, ...]
    kwargs: dict[str, Value]
    pick: tuple[int | str, ...]
    cotangents: Array
    forgiving: bool
    seconds: float


Request = Open | Build | Survey | Load | Switch | Convert | Call | Differentiate


# -- what the worker answers -------------------------------------------------------------------------------------------


class Answer(Part, frozen=True):
    """Base of replies. All of them are claims."""


class Parameter(Part, frozen=True):
    """One parameter of a signature. `kind` is `positional`, `keyword`, `either`, `args` or `kwargs`."""

    name: str
    kind: str
    required: bool


class Leaf(Part, frozen=True):
    """One learnable tensor. `path` names it; `shape` is None while a lazy one has none."""

    path: str
    shape: tuple[int, ...] | None
    dtype: str
    registered: bool
    trainable: bool


class Opened(Answer, frozen=True):
    """The submission is loaded. Signatures leave out `self`; `output` is the beginning of what it printed."""

    construct: tuple[Parameter, ...]
    call: tuple[Parameter, ...]
    is_module: bool
    output: str


class Built(Answer, frozen=True):
    """The module's number and its learnable tensors."""

    module: int
    leaves: tuple[Leaf, ...]


class Returned(Answer, frozen=True):
    """What a call returned, and the tensor arguments afterwards if they were asked for."""

    value: Value
    echo: tuple[Value, ...]


class Slopes(Answer, frozen=True):
    """Gradients by leaf path, one along the first axis for each cotangent. `untouched` lists leaves without any."""

    output: Value
    gradients: dict[str, Array]
    untouched: tuple[str, ...]


class Done(Answer, frozen=True):
    """It was carried out."""


class Frame(Part, frozen=True):
    """One line of a student's traceback."""

    file: str
    line: int
    function: str
    source: str


class Raised(Answer, frozen=True):
    """The submission's code raised. `frames` are its own lines only, outermost first.

    `stage` is `load`, `find`, `build` or `call`; `overtime` says that the soft budget ended it.
    """

    stage: str
    type: str
    message: str
    frames: tuple[Frame, ...]
    overtime: bool
    output: str


Reply = Opened | Built | Returned | Slopes | Done | Raised


def check_leaves(leaves: tuple[Leaf, ...]) -> None:
    """Raise `WireError` unless values for all these leaves together could cross in one message."""
    if len(leaves) > LEAVES_CAP or any(len(leaf.path) > PATH_CAP for leaf in leaves):
        raise WireError("a module has too many leaves, or too long names for them")
    shapes = [leaf.shape for leaf in leaves if leaf.shape is not None]
    for shape in shapes:
        check_shape(shape)
    if sum(map(math.prod, shapes)) * 8 > FRAME_CAP:
        raise WireError("the leaves of a module are too large together")


# -- connections -------------------------------------------------------------------------------------------------------


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


def arrays_in(value: Value) -> tuple[Array, ...]:
    """All tensors with data inside a value, outermost first."""
    match value:
        case Array():
            return (value,)
        case Sequence(items=items):
            return tuple(array for item in items for array in arrays_in(item))
        case Mapping(items=named):
            return tuple(array for item in named.values() for array in arrays_in(item))
        case _:
            return ()
