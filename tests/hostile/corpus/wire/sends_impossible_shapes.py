# attack:     P12, P8
# assignment: self-attention
# twin:       averages
# outcome:    test_output_shape killed
# points:     some

# Sends tensors whose shape cannot be: negative, beyond all memory, a product that overflows to zero, true in the
# place of a number, other sizes than bytes, dtypes that are none.
import os
import socket
import stat
import struct
import sys

import msgspec
from torch import nn


def grader():
    """The socket to the grader, and the number of the question it has asked."""
    frame, number = sys._getframe(), 1
    while frame is not None and "sequence" not in frame.f_locals:
        frame = frame.f_back
    if frame is not None:
        number = frame.f_locals["sequence"]
    for descriptor in range(3, 128):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                return socket.socket(fileno=os.dup(descriptor)), number
        except OSError:
            continue
    raise RuntimeError("no socket was found")


def frame_of(number, body):
    return struct.pack("<4sII", b"GRW1", number, len(body)) + body


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        stream, number = grader()
        zeros = bytes(8 * x.numel())
        right = tuple(x.shape)
        arrays = (
            ("float64", (-1, -x.numel()), zeros),
            ("float64", (1 << 32, 1 << 32), b""),
            ("float64", (0, 1 << 62), b""),
            ("float64", (True, *right), zeros),
            ("float64", right, zeros[:-1]),
            ("float64", right, zeros + bytes(8)),
            ("float64", (1,) * 70, bytes(8)),
            ("object", right, zeros),
            ("complex128", right, zeros * 2),
            ("float64", ((1 << 63) - 1, 2), bytes(16)),
        )
        kind, shape, data = arrays[os.getpid() % len(arrays)]
        value = {"is": "Array", "dtype": kind, "shape": shape, "data": data}
        reply = {"is": "Returned", "value": value, "echo": []}
        stream.sendall(frame_of(number, msgspec.msgpack.encode(reply)))
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
