"""The return stands inside the loop, so only the first head counts."""
# finding: loop-returns-early
# fails: test_matches_the_reference, test_parameter_count, test_gradients_reach_every_parameter

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError(f"embed_dim ({embed_dim}) must be divisible by num_heads ({num_heads})")
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.query = nn.ModuleList([nn.Linear(embed_dim, self.head_dim) for _ in range(num_heads)])
        self.key = nn.ModuleList([nn.Linear(embed_dim, self.head_dim) for _ in range(num_heads)])
        self.value = nn.ModuleList([nn.Linear(embed_dim, self.head_dim) for _ in range(num_heads)])
        self.output = nn.Linear(self.head_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):  # x: (batch, seq, embed)
        heads = []
        for query, key, value in zip(self.query, self.key, self.value):
            q, k, v = query(x), key(x), value(x)  # (batch, seq, head_dim) each
            scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)  # (batch, seq of queries, seq of keys)
            if mask is not None:
                scores = scores.masked_fill(mask == 0, -math.inf)
            weights = torch.softmax(scores, dim=-1)
            heads.append(self.dropout(weights) @ v)
            return self.output(torch.cat(heads, dim=-1))  # (batch, seq, embed)
