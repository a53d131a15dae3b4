"""Dropout is drawn by hand from uniform numbers."""

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.rate = dropout
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def drop(self, weights):
        if not self.training or self.rate == 0.0:
            return weights
        kept = torch.rand_like(weights) >= self.rate
        return weights * kept / (1.0 - self.rate)

    def forward(self, x, mask=None):
        scores = self.query(x) @ self.key(x).transpose(-2, -1) / math.sqrt(x.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.drop(torch.softmax(scores, dim=-1)) @ self.value(x)
