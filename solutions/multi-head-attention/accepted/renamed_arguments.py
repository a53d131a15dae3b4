"""All arguments have other names: d_model, heads, p, inp, attn_mask."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, d_model, heads, p=0.0):
        super().__init__()
        assert d_model % heads == 0, "d_model must be divisible by heads"
        self.d_k = d_model // heads
        self.heads = heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(p)

    def forward(self, inp, attn_mask=None):
        n, length, _ = inp.shape
        q = self.w_q(inp).view(n, length, self.heads, self.d_k).transpose(1, 2)
        k = self.w_k(inp).view(n, length, self.heads, self.d_k).transpose(1, 2)
        v = self.w_v(inp).view(n, length, self.heads, self.d_k).transpose(1, 2)
        energy = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(self.d_k)
        if attn_mask is not None:
            energy = energy.masked_fill(attn_mask.unsqueeze(-3) == 0, -1e20)
        out = torch.matmul(self.dropout(energy.softmax(-1)), v)
        return self.w_o(out.transpose(1, 2).reshape(n, length, self.heads * self.d_k))
