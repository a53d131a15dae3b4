"""Every head has its own slice of the output projection; the projected heads are summed, nothing is concatenated."""

import math

import torch
from torch import nn


class Head(nn.Module):
    def __init__(self, embed_dim, head_dim, dropout):
        super().__init__()
        self.q = nn.Linear(embed_dim, head_dim, bias=False)
        self.k = nn.Linear(embed_dim, head_dim, bias=False)
        self.v = nn.Linear(embed_dim, head_dim, bias=False)
        self.o = nn.Linear(head_dim, embed_dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask):
        scores = self.q(x) @ self.k(x).transpose(-2, -1) / math.sqrt(self.q.out_features)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.o(self.dropout(torch.softmax(scores, dim=-1)) @ self.v(x))


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.heads = nn.ModuleList(Head(embed_dim, embed_dim // num_heads, dropout) for _ in range(num_heads))

    def forward(self, x, mask=None):
        return sum(head(x, mask) for head in self.heads)
