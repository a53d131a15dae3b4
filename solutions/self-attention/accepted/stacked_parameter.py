"""One parameter of shape (3, embed, embed) holds all three projections."""

import torch
from torch import nn


class SingleHeadAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, embed_dim, embed_dim))
        nn.init.normal_(self.weight, std=embed_dim**-0.5)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = torch.einsum("bsi,pio->pbso", x, self.weight)
        logits = q @ k.transpose(-1, -2) / x.size(-1) ** 0.5
        if mask is not None:
            logits = logits.masked_fill(mask == 0, float("-inf"))
        return self.dropout(logits.softmax(dim=-1)) @ v
