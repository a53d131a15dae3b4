"""A forbidden score becomes -1e9, and the scale is applied after the mask."""

import math

import torch.nn as nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.embed_dim = embed_dim
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        scores = self.query(x) @ self.key(x).transpose(-2, -1)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -1e9)
        weights = nn.functional.softmax(scores / math.sqrt(self.embed_dim), dim=-1)
        return self.dropout(weights) @ self.value(x)
