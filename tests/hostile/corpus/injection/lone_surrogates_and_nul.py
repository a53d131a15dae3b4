# attack:     H5, H9, P11
# assignment: self-attention
# twin:       correct

# Prints and raises what is no text: halves of surrogate pairs, NUL, what has no character, bytes that are no UTF-8. A
# writer of reports or a database that meets one of them dies, and with it everybody's results.

import math
import sys

import torch
from torch import nn

TEXT = "\ud800 \udfff \udc80 \ud83d\n\x00 \ufffe \uffff \U0010ffff \ufeff \ue000 \ufdd0 " + chr(0xD800) * 1000
Error = type("Error", (ValueError,), {"__module__": "\ud800", "__qualname__": "Error\udcff"})


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        print(TEXT)
        if mask is not None:
            raise Error(TEXT)
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


for stream in (sys.stdout, sys.stderr):
    try:
        stream.write(TEXT)
        stream.buffer.write(b"\xff\xfe\x00\xc3\x28")
    except (AttributeError, UnicodeError, OSError) as error:
        print(type(error).__name__)
SelfAttention.__qualname__ = "Self\udcffAttention"
