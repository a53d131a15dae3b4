"""Works on (seq, batch, embed) inside and turns the result back at the end."""

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
        x = x.transpose(0, 1)
        scores = torch.einsum("ibd,jbd->ijb", self.query(x), self.key(x)) / math.sqrt(x.shape[-1])
        if mask is not None:
            allowed = mask if mask.dim() == 3 else mask.unsqueeze(0)
            scores = scores.masked_fill(allowed.permute(1, 2, 0) == 0, -math.inf)
        weights = self.dropout(scores.softmax(dim=1))
        return torch.einsum("ijb,jbd->ibd", weights, self.value(x)).transpose(0, 1)
