"""The weights are plain tensors instead of parameters."""
# finding: parameters-unregistered
# fails: test_parameters_are_registered

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = torch.randn(embed_dim, embed_dim, requires_grad=True)
        self.key = torch.randn(embed_dim, embed_dim, requires_grad=True)
        self.value = torch.randn(embed_dim, embed_dim, requires_grad=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):  # x: (batch, seq, embed)
        q = x @ self.query  # (batch, seq, embed)
        k = x @ self.key  # (batch, seq, embed)
        v = x @ self.value  # (batch, seq, embed)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])  # (batch, seq of queries, seq of keys)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        weights = torch.softmax(scores, dim=-1)  # (batch, seq, seq), every row sums to one
        return self.dropout(weights) @ v  # (batch, seq, embed)
