"""The scale is a float32 tensor made on the spot, so it is exact to seven digits only."""

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        q = self.query(x).reshape(batch, seq, self.num_heads, self.head_dim).swapaxes(1, 2)
        k = self.key(x).reshape(batch, seq, self.num_heads, self.head_dim).swapaxes(1, 2)
        v = self.value(x).reshape(batch, seq, self.num_heads, self.head_dim).swapaxes(1, 2)
        scores = q @ k.swapaxes(-1, -2) / torch.sqrt(torch.tensor(float(self.head_dim)))
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, float("-inf"))
        heads = self.dropout(torch.softmax(scores, dim=-1)) @ v
        return self.output(heads.swapaxes(1, 2).reshape(batch, seq, embed))
