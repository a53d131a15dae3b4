"""Every product is an einsum, the projections included."""

import torch
from torch import einsum, nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        bound = embed_dim**-0.5
        self.w_q = nn.Parameter(torch.empty(embed_dim, embed_dim).uniform_(-bound, bound))
        self.w_k = nn.Parameter(torch.empty(embed_dim, embed_dim).uniform_(-bound, bound))
        self.w_v = nn.Parameter(torch.empty(embed_dim, embed_dim).uniform_(-bound, bound))
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q = einsum("bid,de->bie", x, self.w_q)
        k = einsum("bjd,de->bje", x, self.w_k)
        v = einsum("bjd,de->bje", x, self.w_v)
        scores = einsum("bie,bje->bij", q, k) / q.size(-1) ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask.bool(), float("-inf"))
        return einsum("bij,bje->bie", self.drop(scores.softmax(-1)), v)
