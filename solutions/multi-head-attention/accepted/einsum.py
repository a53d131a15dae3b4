"""Every product is an einsum, the output projection included; the heads are an axis of the parameters."""

import torch
from torch import einsum, nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0, "embed_dim must be divisible by num_heads"
        head_dim = embed_dim // num_heads
        std = embed_dim**-0.5
        self.W_Q = nn.Parameter(std * torch.randn(num_heads, embed_dim, head_dim))
        self.W_K = nn.Parameter(std * torch.randn(num_heads, embed_dim, head_dim))
        self.W_V = nn.Parameter(std * torch.randn(num_heads, embed_dim, head_dim))
        self.W_O = nn.Parameter(std * torch.randn(num_heads, head_dim, embed_dim))
        self.b_Q = nn.Parameter(torch.zeros(num_heads, head_dim))
        self.b_K = nn.Parameter(torch.zeros(num_heads, head_dim))
        self.b_V = nn.Parameter(torch.zeros(num_heads, head_dim))
        self.b_O = nn.Parameter(torch.zeros(embed_dim))
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q = einsum("bid,hde->bihe", x, self.W_Q) + self.b_Q
        k = einsum("bjd,hde->bjhe", x, self.W_K) + self.b_K
        v = einsum("bjd,hde->bjhe", x, self.W_V) + self.b_V
        scores = einsum("bihe,bjhe->bhij", q, k) / q.size(-1) ** 0.5
        if mask is not None:
            allowed = mask if mask.dim() == 2 else mask[:, None]
            scores = scores.masked_fill(allowed == 0, float("-inf"))
        z = einsum("bhij,bjhe->bihe", self.drop(scores.softmax(-1)), v)
        return einsum("bihe,hed->bid", z, self.W_O) + self.b_O
