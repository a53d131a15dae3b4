"""The heads are folded into the batch: batch-major order, with bmm and a mask repeated to match."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.W_q = nn.Linear(embed_dim, embed_dim)
        self.W_k = nn.Linear(embed_dim, embed_dim)
        self.W_v = nn.Linear(embed_dim, embed_dim)
        self.W_o = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def fold(self, t):
        t = t.reshape(t.shape[0], t.shape[1], self.num_heads, -1).permute(0, 2, 1, 3)
        return t.reshape(-1, t.shape[2], t.shape[3])

    def unfold(self, t):
        t = t.reshape(-1, self.num_heads, t.shape[1], t.shape[2]).permute(0, 2, 1, 3)
        return t.reshape(t.shape[0], t.shape[1], -1)

    def forward(self, x, mask=None):
        q, k, v = self.fold(self.W_q(x)), self.fold(self.W_k(x)), self.fold(self.W_v(x))
        scores = torch.bmm(q, k.transpose(1, 2)) / math.sqrt(q.shape[-1])
        if mask is not None:
            if mask.dim() == 3:
                mask = torch.repeat_interleave(mask, repeats=self.num_heads, dim=0)
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.W_o(self.unfold(torch.bmm(self.dropout(torch.softmax(scores, dim=-1)), v)))
