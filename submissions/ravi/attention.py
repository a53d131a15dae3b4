# multi head attention, the pieces are in layers.py
import torch
from torch import nn

from layers import SplitHeads, attend, join_heads


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError(f"{embed_dim=} must be a multiple of {num_heads=}")
        self.q = SplitHeads(embed_dim, num_heads)
        self.k = SplitHeads(embed_dim, num_heads)
        self.v = SplitHeads(embed_dim, num_heads)
        self.o = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        heads = attend(self.q(x), self.k(x), self.v(x), mask, self.dropout)
        return self.o(join_heads(heads))


if __name__ == "__main__":
    print(MultiHeadSelfAttention(12, 3)(torch.randn(2, 5, 12)).shape)
