# assignment: self-attention
# loading: executed
# points: none
# outcome: test_builds timed-out
# says: It was not done after 2 seconds.

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
        while True:
            pass

    def forward(self, x, mask=None):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
