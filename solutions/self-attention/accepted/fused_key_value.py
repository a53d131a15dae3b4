"""The value and the key share one Linear (value first), the query has its own."""

import math

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.embed_dim = embed_dim
        self.query = nn.Linear(embed_dim, embed_dim)
        self.value_and_key = nn.Linear(embed_dim, 2 * embed_dim)
        self.dropout = nn.Dropout(p=dropout)

    def forward(self, x, mask=None):
        query = self.query(x)
        value, key = torch.split(self.value_and_key(x), self.embed_dim, dim=2)
        score = torch.bmm(query, key.permute(0, 2, 1)) / math.sqrt(self.embed_dim)
        if mask is not None:
            score = torch.where(mask != 0, score, torch.full_like(score, -math.inf))
        return torch.bmm(self.dropout(torch.softmax(score, dim=2)), value)
