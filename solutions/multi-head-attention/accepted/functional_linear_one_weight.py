"""F.linear with one (4 * embed, embed) weight for everything, the output projection included."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.embed_dim = embed_dim
        self.dropout = dropout
        self.weight = nn.Parameter(torch.empty(4 * embed_dim, embed_dim))
        self.bias = nn.Parameter(torch.zeros(4 * embed_dim))
        nn.init.xavier_normal_(self.weight)

    def forward(self, x, mask=None):
        d = self.embed_dim
        batch, seq, _ = x.shape
        qkv = F.linear(x, self.weight[: 3 * d], self.bias[: 3 * d])
        q, k, v = qkv.view(batch, seq, 3, self.num_heads, d // self.num_heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)
        heads = F.dropout(scores.softmax(dim=-1), self.dropout, self.training) @ v
        return F.linear(heads.transpose(1, 2).reshape(batch, seq, d), self.weight[3 * d :], self.bias[3 * d :])
