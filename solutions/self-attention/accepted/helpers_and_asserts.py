"""Many small methods, and assertions on every shape."""

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        assert embed_dim > 0, "embed_dim must be positive"
        assert 0.0 <= dropout < 1.0, "dropout is a probability"
        self.embed_dim = embed_dim
        self.query_layer = self._make_projection()
        self.key_layer = self._make_projection()
        self.value_layer = self._make_projection()
        self.dropout_layer = nn.Dropout(dropout)

    def _make_projection(self):
        layer = nn.Linear(self.embed_dim, self.embed_dim)
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer

    def _check_input(self, x):
        assert x.dim() == 3, f"expected (batch, seq, embed), got {tuple(x.shape)}"
        assert x.size(2) == self.embed_dim, f"expected {self.embed_dim} features, got {x.size(2)}"

    def _scores(self, queries, keys):
        return torch.bmm(queries, keys.transpose(1, 2)) / math.sqrt(self.embed_dim)

    def _apply_mask(self, scores, mask):
        if mask is None:
            return scores
        allowed = mask.to(torch.bool).expand(scores.shape)
        assert allowed.shape == scores.shape
        return scores.masked_fill(~allowed, float("-inf"))

    def _weights(self, scores):
        weights = torch.softmax(scores, dim=2)
        assert weights.shape == scores.shape
        return self.dropout_layer(weights)

    def forward(self, x, mask=None):
        self._check_input(x)
        scores = self._scores(self.query_layer(x), self.key_layer(x))
        output = torch.bmm(self._weights(self._apply_mask(scores, mask)), self.value_layer(x))
        assert output.shape == x.shape
        return output
