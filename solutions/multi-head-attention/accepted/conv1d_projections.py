"""The projections are one-dimensional convolutions of width 1, with the features as channels."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.qkv = nn.Conv1d(embed_dim, 3 * embed_dim, kernel_size=1)
        self.out = nn.Conv1d(embed_dim, embed_dim, kernel_size=1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.qkv(x.transpose(1, 2)).chunk(3, dim=1)
        q, k, v = (t.unflatten(1, (self.num_heads, -1)) for t in (q, k, v))  # (batch, heads, head_dim, seq)
        scores = q.transpose(2, 3) @ k / math.sqrt(q.shape[2])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        weights = self.dropout(torch.softmax(scores, dim=-1))
        heads = v @ weights.transpose(2, 3)
        return self.out(heads.flatten(1, 2)).transpose(1, 2)
