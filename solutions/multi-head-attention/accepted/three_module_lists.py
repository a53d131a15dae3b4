"""Three ModuleLists of small Linears and a loop over the heads that fills a preallocated tensor."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.head_dim = embed_dim // num_heads
        self.queries = nn.ModuleList(nn.Linear(embed_dim, self.head_dim) for _ in range(num_heads))
        self.keys = nn.ModuleList(nn.Linear(embed_dim, self.head_dim) for _ in range(num_heads))
        self.values = nn.ModuleList(nn.Linear(embed_dim, self.head_dim) for _ in range(num_heads))
        self.mix = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        joined = torch.empty_like(x)
        for i, (to_q, to_k, to_v) in enumerate(zip(self.queries, self.keys, self.values)):
            scores = to_q(x) @ to_k(x).transpose(-2, -1) / math.sqrt(self.head_dim)
            if mask is not None:
                scores = scores.masked_fill(mask == 0, -math.inf)
            head = self.dropout(torch.softmax(scores, dim=-1)) @ to_v(x)
            joined[..., i * self.head_dim : (i + 1) * self.head_dim] = head
        return self.mix(joined)
