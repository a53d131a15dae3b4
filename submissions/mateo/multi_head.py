import torch
import torch.nn as nn
import torch.nn.functional as F


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError("num_heads must divide embed_dim")
        self.h = num_heads
        self.d = embed_dim // num_heads
        self.wq = nn.Linear(embed_dim, embed_dim)
        self.wk = nn.Linear(embed_dim, embed_dim)
        self.wv = nn.Linear(embed_dim, embed_dim)
        self.wo = nn.Linear(embed_dim, embed_dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        n, t, e = x.size()
        # (n, t, e) -> (n, h, t, d), view does it in one step
        q = self.wq(x).view(n, self.h, t, self.d)
        k = self.wk(x).view(n, self.h, t, self.d)
        v = self.wv(x).view(n, self.h, t, self.d)

        a = q @ k.transpose(2, 3) / self.d**0.5
        if mask is not None:
            a = a.masked_fill(mask.unsqueeze(-3) == 0, float("-inf"))
        a = self.drop(F.softmax(a, dim=-1))

        # and back
        out = (a @ v).view(n, t, e)
        return self.wo(out)


attn = MultiHeadSelfAttention(32, 4)
inp = torch.randn(2, 6, 32)
assert attn(inp).shape == inp.shape
print("shape ok!!")
