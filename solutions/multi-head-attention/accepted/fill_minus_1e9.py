"""A forbidden score becomes -1e9; mask repeated for every head."""

import math

import torch.nn as nn
import torch.nn.functional as F


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0, "embed_dim must be divisible by num_heads"
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.fc_q = nn.Linear(embed_dim, embed_dim)
        self.fc_k = nn.Linear(embed_dim, embed_dim)
        self.fc_v = nn.Linear(embed_dim, embed_dim)
        self.fc_o = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, seq, embed = x.size()
        q = self.fc_q(x).view(batch, -1, self.num_heads, self.head_dim).permute(0, 2, 1, 3)
        k = self.fc_k(x).view(batch, -1, self.num_heads, self.head_dim).permute(0, 2, 3, 1)
        v = self.fc_v(x).view(batch, -1, self.num_heads, self.head_dim).permute(0, 2, 1, 3)
        energy = q.matmul(k) / math.sqrt(self.head_dim)
        if mask is not None:
            mask = mask.expand(batch, seq, seq).unsqueeze(1).repeat(1, self.num_heads, 1, 1)
            energy = energy.masked_fill(mask == 0, -1e9)
        context = self.dropout(F.softmax(energy, dim=-1)).matmul(v)
        return self.fc_o(context.permute(0, 2, 1, 3).contiguous().view(batch, seq, embed))
