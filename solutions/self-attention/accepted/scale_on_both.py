"""Query and key are each scaled by the fourth root of d_k."""

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        quarter = x.shape[-1] ** -0.25
        scores = (self.query(x) * quarter) @ (self.key(x) * quarter).transpose(-2, -1)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -torch.inf)
        return self.dropout(scores.softmax(dim=-1)) @ self.value(x)
