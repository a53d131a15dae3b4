# Exercise 4 - self attention
# Amara

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super(SelfAttention, self).__init__()
        self.embed_dim = embed_dim

        # one linear layer each for Q, K and V
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        # x: [batch, seq_len, embed_dim]
        Q = self.query(x)
        K = self.key(x)
        V = self.value(x)

        # how similar is every query to every key
        scores = torch.matmul(Q, K.transpose(-2, -1)) / math.sqrt(self.embed_dim)

        if mask is not None:
            # 0 means "do not look here"
            scores = scores.masked_fill(mask == 0, float("-inf"))

        attention = F.softmax(scores, dim=-1)  # rows sum to 1
        attention = self.dropout(attention)

        return torch.matmul(attention, V)


if __name__ == "__main__":
    layer = SelfAttention(16)
    print(layer(torch.rand(2, 5, 16)).shape)
