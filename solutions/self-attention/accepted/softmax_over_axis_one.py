"""The scores stand as (batch, key, query), so the softmax over the keys is over axis 1."""

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
        scores = self.key(x) @ self.query(x).transpose(1, 2) / math.sqrt(x.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.transpose(-2, -1) == 0, -math.inf)
        weights = self.dropout(torch.softmax(scores, dim=1))
        return weights.transpose(1, 2) @ self.value(x)
