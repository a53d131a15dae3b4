"""Queries, keys and values are the input itself."""
# finding: no-projections
# fails: test_matches_the_reference, test_parameters_are_registered, test_gradients_reach_every_parameter

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):  # x: (batch, seq, embed)
        q = x  # (batch, seq, embed)
        k = x  # (batch, seq, embed)
        v = x  # (batch, seq, embed)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])  # (batch, seq of queries, seq of keys)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        weights = torch.softmax(scores, dim=-1)  # (batch, seq, seq), every row sums to one
        return self.dropout(weights) @ v  # (batch, seq, embed)
