"""The attention proper is a module of its own, the projections are a small class with a Linear inside."""

import math

import torch
from torch import nn


class Projection(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.linear = nn.Linear(size, size)

    def forward(self, x):
        return self.linear(x)


class ScaledDotProduct(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, query, key, value, allowed):
        scores = query @ key.transpose(-2, -1) / math.sqrt(key.shape[-1])
        if allowed is not None:
            scores = scores.masked_fill(allowed == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ value


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.for_query = Projection(embed_dim)
        self.for_key = Projection(embed_dim)
        self.for_value = Projection(embed_dim)
        self.attend = ScaledDotProduct(dropout)

    def forward(self, x, mask=None):
        return self.attend(self.for_query(x), self.for_key(x), self.for_value(x), mask)
