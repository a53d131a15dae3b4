"""Softmax first, then forbidden weights are set to zero and the rest is divided by its sum."""

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
        q = self.query(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)
        k = self.key(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)
        v = self.value(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]), dim=-1)
        if mask is not None:
            weights = weights * (mask != 0).to(weights.dtype).unsqueeze(-3)
            weights = weights / weights.sum(dim=-1, keepdim=True)
        heads = self.dropout(weights) @ v
        return self.output(heads.transpose(1, 2).reshape(batch, seq, embed))
