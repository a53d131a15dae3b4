"""Small building blocks for attention.py."""

import torch
from torch import nn


class SplitHeads(nn.Module):
    """Linear layer + division into heads: (b, t, e) -> (b, h, t, e / h)"""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.linear = nn.Linear(embed_dim, embed_dim)

    def forward(self, x):
        b, t, e = x.shape
        return self.linear(x).reshape(b, t, self.num_heads, e // self.num_heads).transpose(1, 2)


def attend(q, k, v, mask, dropout):
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores.masked_fill(mask.unsqueeze(-3) == 0, float("-inf"))
    return dropout(torch.softmax(scores, dim=-1)) @ v


def join_heads(heads):
    return heads.transpose(1, 2).flatten(2)
