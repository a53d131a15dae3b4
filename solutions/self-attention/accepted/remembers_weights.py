"""Keeps the last attention weights as an attribute for plotting; the class is built on a base class of its own."""

import math

import torch
from torch import nn


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width
        self.last_weights = None

    def project(self):
        return nn.Linear(self.width, self.width)


class SelfAttention(Layer):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__(embed_dim)
        self.queries, self.keys, self.values = self.project(), self.project(), self.project()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        scores = self.queries(x) @ self.keys(x).transpose(-2, -1) / math.sqrt(self.width)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        weights = torch.softmax(scores, dim=-1)
        self.last_weights = weights.detach()
        return self.dropout(weights) @ self.values(x)
