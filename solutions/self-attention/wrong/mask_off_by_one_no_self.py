"""A causal mask is built in, and it hides the token itself too: the first one may attend to nothing."""
# finding: mask-off-by-one-no-self
# fails: test_output_is_finite

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):  # x: (batch, seq, embed)
        q = self.query(x)  # (batch, seq, embed)
        k = self.key(x)  # (batch, seq, embed)
        v = self.value(x)  # (batch, seq, embed)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])  # (batch, seq of queries, seq of keys)
        earlier = torch.ones(x.shape[1], x.shape[1], device=x.device).tril(diagonal=-1)
        scores = scores.masked_fill(earlier == 0, -math.inf)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        weights = torch.softmax(scores, dim=-1)  # (batch, seq, seq), every row sums to one
        return self.dropout(weights) @ v  # (batch, seq, embed)
