"""The layers are called a, b and c, in the order value, key, query."""

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.a = nn.Linear(embed_dim, embed_dim)
        self.b = nn.Linear(embed_dim, embed_dim)
        self.c = nn.Linear(embed_dim, embed_dim)
        self.d = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        t = self.c(x) @ self.b(x).transpose(1, 2) / x.shape[2] ** 0.5
        if mask is not None:
            t = t.masked_fill(mask == 0, float("-inf"))
        return self.d(torch.softmax(t, 2)) @ self.a(x)
