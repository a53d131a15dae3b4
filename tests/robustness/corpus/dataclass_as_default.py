# assignment: self-attention
# loading: executed
# points: all

from dataclasses import dataclass
import math

import torch
from torch import nn


@dataclass(frozen=True)
class Config:
    bias: bool = True


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0, config=Config()):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim, bias=config.bias)
        self.key = nn.Linear(embed_dim, embed_dim, bias=config.bias)
        self.value = nn.Linear(embed_dim, embed_dim, bias=config.bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
