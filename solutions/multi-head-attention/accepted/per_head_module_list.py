"""A ModuleList of single heads, concatenated and projected by the wrapper."""

import math

import torch
from torch import nn


class SelfAttentionHead(nn.Module):
    def __init__(self, embed_dim, head_dim, dropout):
        super().__init__()
        self.query = nn.Linear(embed_dim, head_dim)
        self.key = nn.Linear(embed_dim, head_dim)
        self.value = nn.Linear(embed_dim, head_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


class MultiHeadAttentionWrapper(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0, "embed_dim must be divisible by num_heads"
        head_dim = embed_dim // num_heads
        self.heads = nn.ModuleList([SelfAttentionHead(embed_dim, head_dim, dropout) for _ in range(num_heads)])
        self.projection = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.projection(torch.cat([head(x, mask) for head in self.heads], dim=-1))
