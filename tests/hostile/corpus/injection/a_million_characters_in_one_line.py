# attack:     H11
# assignment: self-attention
# twin:       correct
# points:     all

# Prints lines of a million characters, and a million lines of one: wrapping, comparing or matching them takes for
# ever.

import math

import torch
from torch import nn


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


print("x" * 1_000_000)
print("<" * 1_000_000)
print("\u202e" * 1_000_000)
print("a " * 500_000)
print("(" * 1_000_000)
print("x\n" * 1_000_000)
