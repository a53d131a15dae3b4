"""The keys and values of all heads share one Linear (value first), the queries have their own."""

from torch import nn


class MultiHeadAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError(f"{embed_dim} is not a multiple of {num_heads}")
        self.num_heads = num_heads
        self.to_vk = nn.Linear(embed_dim, 2 * embed_dim, bias=False)
        self.to_q = nn.Linear(embed_dim, embed_dim, bias=False)
        self.to_out = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        v, k = self.to_vk(x).chunk(2, dim=-1)
        q, k, v = (t.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for t in (self.to_q(x), k, v))
        dots = (q @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5
        if mask is not None:
            dots = dots.masked_fill(mask.unsqueeze(-3) == 0, float("-inf"))
        out = self.dropout(dots.softmax(dim=-1)) @ v
        return self.to_out(out.transpose(1, 2).flatten(-2))
