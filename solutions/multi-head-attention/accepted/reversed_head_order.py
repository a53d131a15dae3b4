"""The heads are concatenated last to first: the order of heads is a matter of naming."""

import math

import torch
from torch import nn


class Head(nn.Module):
    def __init__(self, embed_dim, head_dim):
        super().__init__()
        self.qkv = nn.Linear(embed_dim, 3 * head_dim)

    def forward(self, x):
        return self.qkv(x).chunk(3, dim=-1)


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.heads = nn.ModuleList([Head(embed_dim, embed_dim // num_heads) for _ in range(num_heads)])
        self.out = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        done = []
        for head in reversed(self.heads):
            q, k, v = head(x)
            scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
            if mask is not None:
                scores = scores.masked_fill(mask == 0, -math.inf)
            done.append(self.dropout(torch.softmax(scores, dim=-1)) @ v)
        return self.out(torch.cat(done, dim=-1))
