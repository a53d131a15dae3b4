"""Nothing has a default: dropout and the mask have to be given."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError(f"embed_dim ({embed_dim}) must be divisible by num_heads ({num_heads})")
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.query = nn.Linear(embed_dim, embed_dim)  # the projections of all heads, stacked
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask):  # x: (batch, seq, embed)
        batch, seq, embed = x.shape
        per_head = (batch, seq, self.num_heads, self.head_dim)
        q = self.query(x).view(per_head).transpose(1, 2)  # (batch, heads, seq, head_dim)
        k = self.key(x).view(per_head).transpose(1, 2)  # (batch, heads, seq, head_dim)
        v = self.value(x).view(per_head).transpose(1, 2)  # (batch, heads, seq, head_dim)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)  # (batch, heads, seq of queries, seq of keys)
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)  # one mask for all heads
        weights = torch.softmax(scores, dim=-1)  # (batch, heads, seq, seq), every row sums to one
        heads = self.dropout(weights) @ v  # (batch, heads, seq, head_dim)
        return self.output(heads.transpose(1, 2).reshape(batch, seq, embed))  # (batch, seq, embed)
