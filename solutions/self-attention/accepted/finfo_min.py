"""A forbidden score becomes the least number of its dtype; the mask is made boolean first."""

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

    def forward(self, x, mask=None):
        scores = torch.matmul(self.query(x), self.key(x).transpose(-2, -1)) / math.sqrt(x.shape[-1])
        if mask is not None:
            if mask.dtype != torch.bool:
                mask = mask != 0
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return torch.matmul(self.dropout(torch.softmax(scores, dim=-1)), self.value(x))
