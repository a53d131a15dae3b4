# attack:     R15
# assignment: multi-head-attention
# twin:       correct_multi_head
# outcome:    test_builds killed
# says:       an abort
# points:     none

# Aborts while the module is built: the process ends without unwinding, without `finally`, without a flush.

import math
import os

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        os.abort()
        if embed_dim % num_heads:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        q, k, v = (
            layer(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)  # (batch, heads, seq, head_dim)
            for layer in (self.query, self.key, self.value)
        )
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        heads = self.dropout(torch.softmax(scores, dim=-1)) @ v
        return self.output(heads.transpose(1, 2).reshape(batch, seq, embed))
