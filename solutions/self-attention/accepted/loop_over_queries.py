"""A Python loop serves one query position after the other."""

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
        batch, seq, embed = x.shape
        q, k, v = self.query(x), self.key(x), self.value(x)
        if mask is not None:
            mask = mask.expand(batch, seq, seq)
        outputs = []
        for i in range(seq):
            scores = (q[:, i : i + 1] * k).sum(dim=-1) / math.sqrt(embed)  # (batch, keys)
            if mask is not None:
                scores = scores.masked_fill(mask[:, i] == 0, -math.inf)
            weights = self.dropout(torch.softmax(scores, dim=-1))
            outputs.append((weights.unsqueeze(-1) * v).sum(dim=1))
        return torch.stack(outputs, dim=1)
