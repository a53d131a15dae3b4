"""The layers of every head are added by name in a loop and looked up with getattr."""

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
        for i in range(num_heads):
            for role in "qkv":
                self.add_module(f"{role}{i}", nn.Linear(embed_dim, self.head_dim))
        self.add_module("out", nn.Linear(embed_dim, embed_dim))
        self.add_module("drop", nn.Dropout(dropout))

    def head(self, i, x, mask):
        q, k, v = (getattr(self, f"{role}{i}")(x) for role in "qkv")
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.drop(torch.softmax(scores, dim=-1)) @ v

    def forward(self, x, mask=None):
        return self.out(torch.cat([self.head(i, x, mask) for i in range(self.num_heads)], dim=-1))
