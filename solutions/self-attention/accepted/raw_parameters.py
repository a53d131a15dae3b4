"""The weights are plain parameters of shape (in, out), applied as x @ W + b."""

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.W_query = nn.Parameter(torch.randn(embed_dim, embed_dim) / embed_dim**0.5)
        self.W_key = nn.Parameter(torch.randn(embed_dim, embed_dim) / embed_dim**0.5)
        self.W_value = nn.Parameter(torch.randn(embed_dim, embed_dim) / embed_dim**0.5)
        self.b_query = nn.Parameter(torch.zeros(embed_dim))
        self.b_key = nn.Parameter(torch.zeros(embed_dim))
        self.b_value = nn.Parameter(torch.zeros(embed_dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        queries = x @ self.W_query + self.b_query
        keys = x @ self.W_key + self.b_key
        values = x @ self.W_value + self.b_value
        scores = queries @ keys.transpose(1, 2)
        scores = scores / keys.shape[-1] ** 0.5
        if mask is not None:
            scores.masked_fill_(mask == 0, -torch.inf)  # our own fresh tensor: in place is fine here
        weights = self.dropout(torch.softmax(scores, dim=-1))
        return weights @ values
