"""Query and key are each scaled by the fourth root of head_dim."""

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

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        quarter = self.head_dim**-0.25
        q = self.query(x).view(batch, seq, self.num_heads, self.head_dim).transpose(1, 2) * quarter
        k = self.key(x).view(batch, seq, self.num_heads, self.head_dim).permute(0, 2, 3, 1) * quarter
        v = self.value(x).view(batch, seq, self.num_heads, self.head_dim).transpose(1, 2)
        scores = q @ k
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -torch.inf)
        heads = self.dropout(scores.softmax(dim=-1)) @ v
        return self.output(heads.transpose(1, 2).reshape(batch, seq, embed))
