"""Works on (seq, batch, embed) inside, with the heads folded into the batch, and turns the result back at the end."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.in_proj = nn.Linear(embed_dim, 3 * embed_dim)
        self.out_proj = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        q, k, v = self.in_proj(x.transpose(0, 1)).chunk(3, dim=-1)
        q = q.contiguous().view(seq, batch * self.num_heads, self.head_dim).transpose(0, 1)
        k = k.contiguous().view(seq, batch * self.num_heads, self.head_dim).transpose(0, 1)
        v = v.contiguous().view(seq, batch * self.num_heads, self.head_dim).transpose(0, 1)
        scores = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(self.head_dim)
        if mask is not None:
            scores = scores.view(batch, self.num_heads, seq, seq)
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
            scores = scores.view(batch * self.num_heads, seq, seq)
        heads = torch.bmm(self.dropout(torch.softmax(scores, dim=-1)), v)
        merged = heads.transpose(0, 1).contiguous().view(seq, batch, embed)
        return self.out_proj(merged).transpose(0, 1)
