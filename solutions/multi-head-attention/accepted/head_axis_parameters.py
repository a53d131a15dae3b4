"""Parameters of shape (heads, embed, head_dim) and a broadcast matmul over the heads."""

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError(f"cannot cut {embed_dim} features into {num_heads} equal heads")
        shape = (num_heads, embed_dim, embed_dim // num_heads)
        self.query = nn.Parameter(torch.randn(shape) * embed_dim**-0.5)
        self.key = nn.Parameter(torch.randn(shape) * embed_dim**-0.5)
        self.value = nn.Parameter(torch.randn(shape) * embed_dim**-0.5)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        x = x.unsqueeze(1)  # (batch, 1, seq, embed)
        q, k, v = x @ self.query, x @ self.key, x @ self.value  # (batch, heads, seq, head_dim)
        scores = q @ k.transpose(-2, -1) / k.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -torch.inf)
        heads = self.dropout(torch.softmax(scores, dim=-1)) @ v
        return self.output(torch.cat(heads.unbind(dim=1), dim=-1))
