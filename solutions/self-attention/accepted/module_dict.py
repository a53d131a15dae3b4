"""The projections live in a ModuleDict, in alphabetical order."""

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.layers = nn.ModuleDict({role: nn.Linear(embed_dim, embed_dim) for role in ("key", "query", "value")})
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        made = {role: layer(x) for role, layer in self.layers.items()}
        scores = made["query"] @ made["key"].transpose(-2, -1) / math.sqrt(x.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ made["value"]
