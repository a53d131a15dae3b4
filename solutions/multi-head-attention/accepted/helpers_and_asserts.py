"""Many small methods, and assertions on every shape."""

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim > 0 and num_heads > 0, "sizes must be positive"
        assert embed_dim % num_heads == 0, "embed_dim must be divisible by num_heads"
        assert 0.0 <= dropout < 1.0, "dropout is a probability"
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.query_layer = self._make_projection()
        self.key_layer = self._make_projection()
        self.value_layer = self._make_projection()
        self.output_layer = self._make_projection()
        self.dropout_layer = nn.Dropout(dropout)

    def _make_projection(self):
        layer = nn.Linear(self.embed_dim, self.embed_dim)
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer

    def _check_input(self, x):
        assert x.dim() == 3, f"expected (batch, seq, embed), got {tuple(x.shape)}"
        assert x.size(2) == self.embed_dim, f"expected {self.embed_dim} features, got {x.size(2)}"

    def _split_heads(self, t):
        batch, seq, _ = t.shape
        t = t.view(batch, seq, self.num_heads, self.head_dim)
        t = t.permute(0, 2, 1, 3)
        assert t.shape == (batch, self.num_heads, seq, self.head_dim)
        return t

    def _merge_heads(self, t):
        batch, heads, seq, head_dim = t.shape
        assert heads * head_dim == self.embed_dim
        t = t.permute(0, 2, 1, 3).contiguous()
        return t.view(batch, seq, self.embed_dim)

    def _scores(self, queries, keys):
        return torch.matmul(queries, keys.transpose(2, 3)) / math.sqrt(self.head_dim)

    def _apply_mask(self, scores, mask):
        if mask is None:
            return scores
        allowed = mask.to(torch.bool)
        allowed = allowed[None, None] if allowed.dim() == 2 else allowed[:, None]
        assert allowed.dim() == scores.dim()
        return scores.masked_fill(~allowed, float("-inf"))

    def _weights(self, scores):
        weights = torch.softmax(scores, dim=3)
        assert weights.shape == scores.shape
        return self.dropout_layer(weights)

    def forward(self, x, mask=None):
        self._check_input(x)
        queries = self._split_heads(self.query_layer(x))
        keys = self._split_heads(self.key_layer(x))
        values = self._split_heads(self.value_layer(x))
        weights = self._weights(self._apply_mask(self._scores(queries, keys), mask))
        output = self.output_layer(self._merge_heads(torch.matmul(weights, values)))
        assert output.shape == x.shape
        return output
