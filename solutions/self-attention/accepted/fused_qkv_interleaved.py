"""One Linear makes query, key and value; its rows are interleaved feature by feature."""

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.to_qkv = nn.Linear(embed_dim, embed_dim * 3, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.to_qkv(x).unflatten(-1, (x.size(-1), 3)).unbind(-1)
        scores = torch.matmul(q, k.transpose(1, 2)) * x.size(-1) ** -0.5
        if mask is not None:
            scores = scores.masked_fill(mask.logical_not(), -torch.inf)
        weights = self.dropout(torch.softmax(scores, -1))
        return torch.matmul(weights, v)
