# attack:     F18
# assignment: self-attention
# twin:       averages
# points:     some

# Answers a few calls and then ends by a segmentation fault. Where results are written at the end, those of an
# earlier, better run stay; where they are written as they come, only the good ones are there.
import ctypes
import os

from torch import nn

calls = iter(range(10_000))


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        if next(calls) == 12:
            ctypes.string_at(0)
            os.abort()
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
