# attack:     P10, P8
# assignment: self-attention
# twin:       averages
# points:     some

# Sends whole numbers beyond every range, infinities and NaN in the place of numbers, and the same key twice, of which
# the last one wins in a careless reader.
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
        encode = msgspec.msgpack.encode
        raised = {"is": "Raised", "stage": "call", "type": "ValueError", "message": "1" * 5000, "overtime": False}
        raised["output"] = ""
        line = {"is": "Frame", "file": "sends_impossible_numbers.py", "function": "f", "source": ""}
        twice = b"\x85\xa2is\xa6Raised\xa2is\xa8Returned\xa4echo\x90\xa5value\xc0\xa5value" + encode(1e300)
        forms = (
            encode({"is": "Returned", "value": (1 << 64) - 1, "echo": []}),
            encode({"is": "Returned", "value": float("inf"), "echo": [float("nan")] * 3}),
            encode({"is": "Built", "module": -(1 << 63), "leaves": []}),
            encode({**raised, "frames": [{**line, "line": -(1 << 63), "cell": 1 << 63}]}),
            twice,
        )
        stream.sendall(frame_of(number, forms[os.getpid() % len(forms)]))
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
