import math

import torch
import torch.nn as nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.key = nn.Linear(embed_dim, embed_dim, bias=False)
        self.query = nn.Linear(embed_dim, embed_dim, bias=False)
        self.value = nn.Linear(embed_dim, embed_dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        B, T, C = x.shape
        k = self.key(x)
        q = self.query(x)
        v = self.value(x)
        att = (q @ k.transpose(-2, -1)) / math.sqrt(C)  # (B, T, T)
        if mask is not None:
            att = att.masked_fill(mask == 0, float("-inf"))
        att = self.dropout(torch.softmax(att, dim=-1))
        return att @ v


# try it out
layer = SelfAttention(16)
x = torch.randn(2, 5, 16)
print(layer(x).shape)
print(model(x).shape)
