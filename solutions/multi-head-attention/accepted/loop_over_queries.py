"""A Python loop serves one query position after the other, for all heads at once."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        q = self.query(x).view(batch, seq, self.num_heads, -1)
        k = self.key(x).view(batch, seq, self.num_heads, -1)
        v = self.value(x).view(batch, seq, self.num_heads, -1)
        if mask is not None:
            mask = mask.expand(batch, seq, seq)
        outputs = []
        for i in range(seq):
            scores = (k * q[:, i : i + 1]).sum(dim=-1) / math.sqrt(q.shape[-1])  # (batch, keys, heads)
            if mask is not None:
                scores = scores.masked_fill(mask[:, i].unsqueeze(-1) == 0, -math.inf)
            weights = self.dropout(torch.softmax(scores, dim=1))
            outputs.append((weights.unsqueeze(-1) * v).sum(dim=1).flatten(1))
        return self.output(torch.stack(outputs, dim=1))
