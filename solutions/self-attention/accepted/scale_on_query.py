"""The query is scaled, not the scores."""

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.scale = embed_dim**-0.5
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q = self.query(x) * self.scale
        scores = q @ self.key(x).transpose(-2, -1)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -torch.inf)
        return self.dropout(scores.softmax(dim=-1)) @ self.value(x)
