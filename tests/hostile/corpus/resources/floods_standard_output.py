# attack:     R11
# assignment: self-attention
# twin:       correct

# Prints a hundred million characters through Python, more through the descriptors, and some from C. Whoever collects
# what students print in memory, or in a log, is full; whoever does not read it hangs in a pipe.

import ctypes
import math
import os

import torch
from torch import nn


def flood():
    line = "x" * 9_999 + "\n"
    for _ in range(10_000):
        print(line, end="")
    for number in (1, 2):
        os.set_blocking(number, False)
        for _ in range(5_000):
            try:
                os.write(number, line.encode())
            except OSError:
                break
    libc = ctypes.CDLL(None)
    for _ in range(1_000):
        libc.puts(line.encode())
    libc.fflush(None)


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
    flood()
except OSError as error:
    print(error.strerror)
