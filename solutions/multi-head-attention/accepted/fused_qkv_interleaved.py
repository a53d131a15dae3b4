"""One Linear makes query, key and value, head by head: q1 k1 v1 q2 k2 v2."""

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError("the heads do not divide the embedding evenly")
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.qkv_proj = nn.Linear(embed_dim, 3 * embed_dim)
        self.o_proj = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, length, width = x.shape
        qkv = self.qkv_proj(x).reshape(batch, length, self.num_heads, 3 * self.head_dim)
        q, k, v = qkv.permute(0, 2, 1, 3).chunk(3, dim=-1)
        logits = torch.matmul(q, k.mT) * self.head_dim**-0.5
        if mask is not None:
            logits = logits.masked_fill(mask.unsqueeze(-3) == 0, -torch.inf)
        values = torch.matmul(self.dropout(torch.softmax(logits, dim=-1)), v)
        return self.o_proj(values.permute(0, 2, 1, 3).reshape(batch, length, width))
