import torch
import torch.nn as nn
import torch.nn.functional as F
import math


class SelfAttention(nn.Module):
    """my self attention from last week (that one got full points!)"""

    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.embed_dim = embed_dim
        self.W_q = nn.Linear(embed_dim, embed_dim)
        self.W_k = nn.Linear(embed_dim, embed_dim)
        self.W_v = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q = self.W_q(x)
        k = self.W_k(x)
        v = self.W_v(x)
        scores = q @ k.transpose(1, 2) / math.sqrt(self.embed_dim)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        weights = self.dropout(F.softmax(scores, dim=-1))
        return weights @ v


class MultiHeadAttentionWrapper(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0, "embed_dim must be divisible by num_heads"
        # num_heads self attentions next to each other
        self.heads = nn.ModuleList([SelfAttention(embed_dim, dropout) for _ in range(num_heads)])
        # mix the heads at the end
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        out = torch.cat([head(x, mask) for head in self.heads], dim=-1)
        return self.out(out)


batch_size = 32
seq_len = 10
embed_dim = 256
num_heads = 8

x = torch.randn(batch_size, seq_len, embed_dim)
mha = MultiHeadAttentionWrapper(embed_dim, num_heads)
print("in ", x.shape)
print("out", mha(x).shape)  # TODO: crashes here, no idea why, the sizes are all 256??
