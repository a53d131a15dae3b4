"""Returns the pair (output, attention weights of every head)."""

import math

import torch
from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0
        self.num_heads = num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        q = self.query(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)
        k = self.key(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)
        v = self.value(x).view(batch, seq, self.num_heads, -1).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        attention = self.dropout(torch.softmax(scores, dim=-1))
        output = self.output((attention @ v).transpose(1, 2).reshape(batch, seq, embed))
        return output, attention
