"""Nested modules: one that projects and divides, one that attends, one that merges and projects."""

import math

import torch
from torch import nn


class SplitProjection(nn.Module):
    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.linear = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        batch, seq, embed = x.shape
        return self.linear(x).view(batch, seq, self.num_heads, embed // self.num_heads).transpose(1, 2)


class MergeProjection(nn.Module):
    def __init__(self, embed_dim):
        super().__init__()
        self.linear = nn.Linear(embed_dim, embed_dim)

    def forward(self, heads):
        batch, num_heads, seq, head_dim = heads.shape
        return self.linear(heads.transpose(1, 2).reshape(batch, seq, num_heads * head_dim))


class DotProductAttention(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, q, k, v, mask):
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.query = SplitProjection(embed_dim, num_heads)
        self.key = SplitProjection(embed_dim, num_heads)
        self.value = SplitProjection(embed_dim, num_heads)
        self.attention = DotProductAttention(dropout)
        self.merge = MergeProjection(embed_dim)

    def forward(self, x, mask=None):
        return self.merge(self.attention(self.query(x), self.key(x), self.value(x), mask))
