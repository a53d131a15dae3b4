"""The mask becomes zeros and minus infinities and is added to the scores."""

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
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    @staticmethod
    def as_bias(mask, dtype):
        """0 where attention is allowed, -inf where it is not, with an axis for the heads."""
        bias = torch.zeros_like(mask, dtype=dtype).masked_fill(mask == 0, -math.inf)
        return bias if mask.dim() == 2 else bias.unsqueeze(1)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        split = (batch, seq, self.num_heads, self.head_dim)
        q = self.query(x).view(split).transpose(1, 2)
        k = self.key(x).view(split).transpose(1, 2)
        v = self.value(x).view(split).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)
        if mask is not None:
            scores = scores + self.as_bias(mask, scores.dtype)
        heads = self.dropout(torch.softmax(scores, dim=-1)) @ v
        return self.output(heads.transpose(1, 2).reshape(batch, seq, embed))
