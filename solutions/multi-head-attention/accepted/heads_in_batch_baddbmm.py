"""The heads are folded into the batch in head-major order; one baddbmm adds the mask, multiplies and scales."""

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
        batch, seq, _ = x.shape
        q, k, v = (
            torch.cat(layer(x).split(self.head_dim, dim=-1), dim=0) for layer in (self.query, self.key, self.value)
        )  # (heads * batch, seq, head_dim)
        bias = x.new_zeros(batch, seq, seq)
        if mask is not None:
            bias = bias.masked_fill(mask == 0, float("-inf"))
        bias = bias.repeat(self.num_heads, 1, 1)
        scores = torch.baddbmm(bias, q, k.transpose(1, 2), beta=1.0, alpha=self.head_dim**-0.5)
        heads = torch.bmm(self.dropout(scores.softmax(dim=-1)), v)
        return self.output(torch.cat(heads.split(batch, dim=0), dim=-1))
