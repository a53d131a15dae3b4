import math

import torch
import torch.nn as nn


class SelfAttention(nn.Module):
    """Self-attention with one fused projection."""

    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        if mask is not None:
            scores = scores.masked_fill(~mask.bool(), float("-inf"))
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
