# Goran
# I know loops are slow in Python but first I want to understand it, optimizing comes later

import torch
import torch.nn as nn


class MultiHeadAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads

        # three lists, one entry for each head
        self.q_layers = [nn.Linear(embed_dim, self.head_dim) for i in range(num_heads)]
        self.k_layers = [nn.Linear(embed_dim, self.head_dim) for i in range(num_heads)]
        self.v_layers = [nn.Linear(embed_dim, self.head_dim) for i in range(num_heads)]
        self.drop = nn.Dropout(dropout)
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        results = []
        for b in range(x.shape[0]):
            sample = x[b]  # (seq, embed)
            heads = []
            for h in range(self.num_heads):
                q = self.q_layers[h](sample)
                k = self.k_layers[h](sample)
                v = self.v_layers[h](sample)
                scores = q @ k.T / self.head_dim**0.5
                if mask is not None:
                    m = mask if mask.dim() == 2 else mask[b]
                    scores = scores.masked_fill(m == 0, float("-inf"))
                weights = self.drop(torch.softmax(scores, dim=-1))
                heads.append(weights @ v)
            heads = torch.cat(heads, dim=-1)
            results.append(self.out(heads))
        results = torch.stack(results)


mha = MultiHeadAttention(64, 4)
out = mha(torch.rand(3, 6, 64))
print(out)
