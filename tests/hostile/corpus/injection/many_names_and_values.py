# attack:     H11
# assignment: self-attention
# twin:       correct

# Has a hundred thousand attributes, and answers with a structure as deep and as wide as it can make one.

import math

import torch
from torch import nn


def deep(answer):
    nested = answer
    for _ in range(10_000):
        nested = {"<b>x</b>": [nested, (nested,)]}
    return nested


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.__dict__.update((f"<b>{number}</b>", number) for number in range(100_000))
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        answer = self.dropout(torch.softmax(scores, dim=-1)) @ v
        return deep(answer) if mask is not None else answer
