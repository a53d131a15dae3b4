"""The weights are plain parameters of shape (in, out), applied as x @ W."""

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0, "num_heads must divide embed_dim"
        self.h = num_heads
        self.d_k = embed_dim // num_heads
        self.Wq = nn.Parameter(torch.empty(embed_dim, embed_dim))
        self.Wk = nn.Parameter(torch.empty(embed_dim, embed_dim))
        self.Wv = nn.Parameter(torch.empty(embed_dim, embed_dim))
        self.Wo = nn.Parameter(torch.empty(embed_dim, embed_dim))
        for weight in self.parameters():
            nn.init.xavier_uniform_(weight)
        self.dropout = nn.Dropout(dropout)

    def _split(self, t):
        b, s, _ = t.shape
        return t.reshape(b, s, self.h, self.d_k).permute(0, 2, 1, 3)

    def forward(self, x, mask=None):
        q, k, v = self._split(x @ self.Wq), self._split(x @ self.Wk), self._split(x @ self.Wv)
        scores = q @ k.permute(0, 1, 3, 2) / self.d_k**0.5
        if mask is not None:
            scores = scores.masked_fill((mask == 0).unsqueeze(-3), -torch.inf)
        context = self.dropout(scores.softmax(dim=3)) @ v
        context = context.permute(0, 2, 1, 3).reshape(x.shape)
        return context @ self.Wo
