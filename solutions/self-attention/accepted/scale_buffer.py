"""The scale is a registered buffer and moves with the module."""

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("scale", torch.tensor(embed_dim).pow(-0.5))

    def forward(self, x, mask=None):
        scores = self.query(x) @ self.key(x).transpose(-2, -1) * self.scale
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        return self.dropout(torch.softmax(scores, dim=-1)) @ self.value(x)
