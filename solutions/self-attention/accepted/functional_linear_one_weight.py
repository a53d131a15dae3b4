"""F.linear with slices of one (3 * embed, embed) weight and one bias."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.embed_dim = embed_dim
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed_dim, embed_dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed_dim))
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x, mask=None):
        d = self.embed_dim
        q = F.linear(x, self.in_proj_weight[:d], self.in_proj_bias[:d])
        k = F.linear(x, self.in_proj_weight[d : 2 * d], self.in_proj_bias[d : 2 * d])
        v = F.linear(x, self.in_proj_weight[2 * d :], self.in_proj_bias[2 * d :])
        scores = (q / math.sqrt(d)) @ k.transpose(-2, -1)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        weights = F.dropout(F.softmax(scores, dim=-1), p=self.dropout, training=self.training)
        return weights @ v
