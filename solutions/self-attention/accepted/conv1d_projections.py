"""The projections are one-dimensional convolutions of width 1, with the features as channels."""

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query_conv = nn.Conv1d(embed_dim, embed_dim, kernel_size=1)
        self.key_conv = nn.Conv1d(embed_dim, embed_dim, kernel_size=1)
        self.value_conv = nn.Conv1d(embed_dim, embed_dim, kernel_size=1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        channels = x.transpose(1, 2)  # (batch, embed, seq)
        q, k, v = self.query_conv(channels), self.key_conv(channels), self.value_conv(channels)
        scores = q.transpose(1, 2) @ k / math.sqrt(x.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        weights = self.dropout(torch.softmax(scores, dim=-1))
        return (v @ weights.transpose(1, 2)).transpose(1, 2)
