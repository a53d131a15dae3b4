# attack:     R4
# assignment: self-attention
# twin:       correct
# outcome:    test_output_shape timed-out
# says:       not done after

# Sleeps, in the kernel, on a lock nobody releases: no CPU time passes, so a limit of CPU seconds never fires.

import math
import threading

import torch
from torch import nn

lock = threading.Lock()
lock.acquire()


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        lock.acquire(timeout=120)
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
