"""The softmax is written out, with the maximum subtracted."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def softmax(self, scores):
        e = torch.exp(scores - torch.amax(scores, dim=-1, keepdim=True).detach())
        return e / torch.sum(e, dim=-1, keepdim=True)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        q = self.query(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)
        k = self.key(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)
        v = self.value(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        heads = self.dropout(self.softmax(scores)) @ v
        return self.output(heads.transpose(1, 2).reshape(batch, seq, embed))
