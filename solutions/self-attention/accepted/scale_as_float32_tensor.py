"""The scale is a float32 tensor made on the spot, so it is exact to seven digits only."""

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.embed_dim = embed_dim
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        d_k = torch.tensor(float(self.embed_dim))
        scores = self.query(x) @ self.key(x).transpose(-2, -1) / torch.sqrt(d_k)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        return self.dropout(torch.softmax(scores, dim=-1)) @ self.value(x)
