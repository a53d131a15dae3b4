"""
Multi-head attention, exercise sheet 5
Dimitra, group B
"""

import torch
from torch import nn


class SelfAttentionHead(nn.Module):
    def __init__(self, head_dim, dropout):
        super().__init__()
        # a head works on head_dim features -> 256 / 8 = 32
        self.query = nn.Linear(head_dim, head_dim)
        self.key = nn.Linear(head_dim, head_dim)
        self.value = nn.Linear(head_dim, head_dim)
        self.scale = head_dim**0.5
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q = self.query(x)
        k = self.key(x)
        v = self.value(x)
        att = q @ k.transpose(-2, -1) / self.scale
        if mask is not None:
            att = att.masked_fill(mask == 0, float("-inf"))
        att = torch.softmax(att, dim=-1)
        return self.dropout(att) @ v


class MultiHeadAttentionWrapper(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim % num_heads must be 0")
        head_dim = embed_dim // num_heads
        self.heads = nn.ModuleList(SelfAttentionHead(head_dim, dropout) for _ in range(num_heads))
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        # every head gets x, then glue everything together
        results = []
        for head in self.heads:
            results.append(head(x, mask))
        return self.proj(torch.cat(results, dim=-1))


x = torch.rand(32, 10, 256)
attention = MultiHeadAttentionWrapper(embed_dim=256, num_heads=8)
print(attention(x).shape)
