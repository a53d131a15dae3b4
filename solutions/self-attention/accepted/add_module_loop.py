"""The projections are added by name in a loop and looked up with getattr."""

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        for name in ("query", "key", "value"):
            self.add_module(f"{name}_projection", nn.Linear(embed_dim, embed_dim))
        self.add_module("dropout", nn.Dropout(dropout))

    def forward(self, x, mask=None):
        q, k, v = (getattr(self, f"{name}_projection")(x) for name in ("query", "key", "value"))
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
