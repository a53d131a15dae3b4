import math

import torch
import torch.nn as nn
import torch.nn.functional as F


class MultiHeadSelfAttention(nn.Module):
    """
    Multi-head self attention.

    Instead of looping over heads I do one big projection and reshape, so everything is one matmul.
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim has to be divisible by num_heads!")

        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads

        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.out = nn.Linear(embed_dim, embed_dim)
        self.attn_dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        B, S, E = x.shape

        q, k, v = self.qkv(x).chunk(3, dim=-1)

        # (B, S, E) -> (B, H, S, D)
        q = q.view(B, S, self.num_heads, self.head_dim).transpose(1, 2)
        k = k.view(B, S, self.num_heads, self.head_dim).transpose(1, 2)
        v = v.view(B, S, self.num_heads, self.head_dim).transpose(1, 2)

        scores = (q @ k.transpose(-2, -1)) / math.sqrt(self.head_dim)  # (B, H, S, S)

        if mask is not None:
            if mask.dim() == 3:
                mask = mask.unsqueeze(1)  # same mask for every head
            scores = scores.masked_fill(mask == 0, float("-inf"))

        weights = self.attn_dropout(F.softmax(scores, dim=-1))
        out = weights @ v  # (B, H, S, D)

        # and back again
        out = out.transpose(1, 2).contiguous().view(B, S, E)
        return self.out(out)


def sanity_check():
    m = MultiHeadSelfAttention(24, 3).eval()
    a = torch.randn(2, 7, 24)
    mask = torch.tril(torch.ones(7, 7)).bool()
    out = m(a, mask)
    b = a.clone()
    b[:, -1] += 1  # change only the last token
    assert torch.allclose(out[:, :-1], m(b, mask)[:, :-1], atol=1e-6), "looked into the future!"
    print("all good")


if __name__ == "__main__":
    sanity_check()
