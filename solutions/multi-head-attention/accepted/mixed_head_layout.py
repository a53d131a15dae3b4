"""A head takes every num_heads-th row of query and key and a block of value: only a numbering of rows."""

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
        q = self.query(x).unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)  # (batch, heads, seq, head_dim)
        k = self.key(x).unflatten(-1, (-1, self.num_heads)).permute(0, 3, 1, 2)
        v = self.value(x).unflatten(-1, (self.num_heads, -1)).permute(0, 2, 1, 3)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        heads = self.dropout(torch.softmax(scores, dim=-1)) @ v
        return self.output(heads.transpose(1, 2).flatten(2))
