"""One baddbmm adds the mask, multiplies and scales."""

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.q_proj = nn.Linear(embed_dim, embed_dim)
        self.k_proj = nn.Linear(embed_dim, embed_dim)
        self.v_proj = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
        bias = x.new_zeros(batch, seq, seq)
        if mask is not None:
            bias = bias.masked_fill(mask == 0, float("-inf"))
        scores = torch.baddbmm(bias, self.q_proj(x), self.k_proj(x).transpose(1, 2), alpha=embed**-0.5)
        return torch.bmm(self.dropout(torch.softmax(scores, dim=-1)), self.v_proj(x))
