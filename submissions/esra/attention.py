# Multi-Head Attention
# Every head is its own little module, I find this easier to read than the version with view()

import math

import torch
import torch.nn as nn


class Head(nn.Module):
    """A single head: embed_dim in, head_dim out."""

    def __init__(self, embed_dim, head_dim, dropout=0.0):
        super().__init__()
        self.head_dim = head_dim
        self.to_q = nn.Linear(embed_dim, head_dim, bias=False)
        self.to_k = nn.Linear(embed_dim, head_dim, bias=False)
        self.to_v = nn.Linear(embed_dim, head_dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q = self.to_q(x)  # (B, T, head_dim)
        k = self.to_k(x)  # (B, T, head_dim)
        v = self.to_v(x)  # (B, T, head_dim)

        wei = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)  # (B, T, T)
        if mask is not None:
            wei = wei.masked_fill(mask == 0, float("-inf"))
        wei = torch.softmax(wei, dim=-1)
        wei = self.dropout(wei)
        return wei @ v  # (B, T, head_dim)


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0, f"{embed_dim} is not divisible by {num_heads}"
        head_dim = embed_dim // num_heads
        self.heads = nn.ModuleList([Head(embed_dim, head_dim, dropout) for _ in range(num_heads)])
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        out = torch.cat([h(x, mask) for h in self.heads], dim=-1)  # (B, T, embed_dim)
        return self.proj(out)


# quick test
torch.manual_seed(0)
mha = MultiHeadSelfAttention(embed_dim=256, num_heads=8)
x = torch.randn(32, 10, 256)
causal = torch.tril(torch.ones(10, 10))
print(mha(x).shape)
print(mha(x, causal).shape)
print("parameters:", sum(p.numel() for p in mha.parameters()))
