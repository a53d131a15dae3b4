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

from grader.wire.bundle import CodeCell, File, Files, pack, unpack
from grader.wire.connection import CONNECTION_CAP, HEADER, MAGIC, READ_AHEAD, Asker, Connection
from grader.wire.messages import (
    LEAVES_CAP,
    PATH_CAP,
    Answer,
    Build,
    Built,
    Call,
    CellReport,
    Convert,
    Differentiate,
    Done,
    Execute,
    Executed,
    Frame,
    Leaf,
    Load,
    Open,
    Opened,
    Parameter,
    Question,
    Raised,
    Reply,
    Request,
    Returned,
    Slopes,
    Survey,
    Switch,
    check_leaves,
)
from grader.wire.values import (
    FRAME_CAP,
    ITEM_SIZE,
    MAX_AXES,
    Array,
    Hollow,
    Mapping,
    Opaque,
    Part,
    Sequence,
    Value,
    check_array,
    check_shape,
)

__all__ = [
    "CONNECTION_CAP",
    "FRAME_CAP",
    "HEADER",
    "ITEM_SIZE",
    "LEAVES_CAP",
    "MAGIC",
    "MAX_AXES",
    "PATH_CAP",
    "READ_AHEAD",
    "Answer",
    "Array",
    "Asker",
    "Build",
    "Built",
    "Call",
    "CellReport",
    "CodeCell",
    "Connection",
    "Convert",
    "Differentiate",
    "Done",
    "Execute",
    "Executed",
    "File",
    "Files",
    "Frame",
    "Hollow",
    "Leaf",
    "Load",
    "Mapping",
    "Opaque",
    "Open",
    "Opened",
    "Parameter",
    "Part",
    "Question",
    "Raised",
    "Reply",
    "Request",
    "Returned",
    "Sequence",
    "Slopes",
    "Survey",
    "Switch",
    "Value",
    "check_array",
    "check_leaves",
    "check_shape",
    "pack",
    "unpack",
]
