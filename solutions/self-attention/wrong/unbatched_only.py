"""Written for one sequence of shape (seq, embed) without a batch axis."""
# finding: unbatched-only
# fails: test_takes_a_batch

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

    def forward(self, x, mask=None):  # x: (seq, embed)
        seq, embed = x.shape
        q = self.query(x)  # (seq, embed)
        k = self.key(x)  # (seq, embed)
        v = self.value(x)  # (seq, embed)
        scores = q @ k.T / math.sqrt(embed)  # (seq of queries, seq of keys)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        weights = torch.softmax(scores, dim=1)  # (seq, seq), every row sums to one
        return self.dropout(weights) @ v  # (seq, embed)
