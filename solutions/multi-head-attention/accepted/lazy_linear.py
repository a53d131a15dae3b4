"""LazyLinear layers: the weights exist from the first call on."""

import math

import torch
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.W_q = nn.LazyLinear(embed_dim)
        self.W_k = nn.LazyLinear(embed_dim)
        self.W_v = nn.LazyLinear(embed_dim)
        self.W_o = nn.LazyLinear(embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        q = self.W_q(x).reshape(batch, seq, self.num_heads, -1).transpose(1, 2)
        k = self.W_k(x).reshape(batch, seq, self.num_heads, -1).transpose(1, 2)
        v = self.W_v(x).reshape(batch, seq, self.num_heads, -1).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        heads = self.dropout(torch.softmax(scores, dim=-1)) @ v
        return self.W_o(heads.transpose(1, 2).reshape(batch, seq, embed))
