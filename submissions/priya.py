import math

import torch
import torch.nn as nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.embed_dim = embed_dim
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        Q, K, V = self.query(x), self.key(x), self.value(x)

        # fill the output row by row, one row per query
        output = torch.zeros_like(V)
        i = 0
        while i < x.shape[1]:
            scores = torch.einsum("be,bke->bk", Q[:, i], K) / math.sqrt(self.embed_dim)
            if mask is not None:
                scores = scores.masked_fill(mask.expand(x.shape[0], x.shape[1], x.shape[1])[:, i] == 0, -1e9)
            weights = self.dropout(torch.softmax(scores, dim=-1))
            output[:, i] = torch.einsum("bk,bke->be", weights, V)
        return output


sa = SelfAttention(8)
print("created:", sa)
