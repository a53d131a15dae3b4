"""One Linear makes query, key and value; its output is cut into three blocks."""

import math

import torch.nn as nn
import torch.nn.functional as F


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.in_proj = nn.Linear(embed_dim, 3 * embed_dim)
        self.attn_drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.in_proj(x).chunk(3, dim=-1)
        att = q @ k.mT / math.sqrt(q.shape[-1])
        if mask is not None:
            att = att.masked_fill(mask == 0, float("-inf"))
        att = self.attn_drop(F.softmax(att, dim=-1))
        return att @ v
