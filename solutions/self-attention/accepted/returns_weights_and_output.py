"""Returns the pair (attention weights, output), weights first."""

import math

import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        energy = self.query(x) @ self.key(x).transpose(-2, -1) / math.sqrt(x.shape[-1])
        if mask is not None:
            energy = energy.masked_fill(mask == 0, -math.inf)
        attention = torch.softmax(energy, dim=-1)
        return attention, self.dropout(attention) @ self.value(x)
