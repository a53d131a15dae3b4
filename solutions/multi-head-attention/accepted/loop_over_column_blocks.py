"""Full-width projections; a loop over the heads cuts their columns out with narrow."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.query(x), self.key(x), self.value(x)
        results = []
        for start in range(0, self.num_heads * self.head_dim, self.head_dim):
            q_h = q.narrow(-1, start, self.head_dim)
            k_h = k.narrow(-1, start, self.head_dim)
            v_h = v.narrow(-1, start, self.head_dim)
            scores = torch.bmm(q_h, k_h.transpose(1, 2)) / math.sqrt(self.head_dim)
            if mask is not None:
                scores = scores.masked_fill(mask == 0, -math.inf)
            results.append(torch.bmm(self.dropout(torch.softmax(scores, dim=-1)), v_h))
        return self.output(torch.cat(results, dim=-1))
