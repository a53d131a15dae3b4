"""The layers are called a to d, in the order output, value, key, query."""

from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        assert embed_dim % num_heads == 0
        self.n = num_heads
        self.a = nn.Linear(embed_dim, embed_dim)
        self.b = nn.Linear(embed_dim, embed_dim)
        self.c = nn.Linear(embed_dim, embed_dim)
        self.d = nn.Linear(embed_dim, embed_dim)
        self.e = nn.Dropout(dropout)

    def cut(self, t):
        return t.unflatten(2, (self.n, -1)).transpose(1, 2)

    def forward(self, x, mask=None):
        r, s, t = self.cut(self.b(x)), self.cut(self.c(x)), self.cut(self.d(x))
        u = t @ s.transpose(2, 3) / s.shape[3] ** 0.5
        if mask is not None:
            u = u.masked_fill(mask.unsqueeze(-3) == 0, float("-inf"))
        return self.a((self.e(u.softmax(3)) @ r).transpose(1, 2).flatten(2))
