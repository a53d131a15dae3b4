# attack:     R3
# assignment: self-attention
# twin:       correct
# outcome:    test_output_shape timed-out
# says:       not done after

# Ignores and blocks every signal there is, in all the ways there are, and then waits. Whoever ends students'
# processes with terminate(), an alarm or SIGXCPU does not end this one.

import ctypes
import math
import signal
import time

import torch
from torch import nn


def deaf():
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    libc = ctypes.CDLL(None)
    libc.sigprocmask(0, b"\xff" * 128, None)
    libc.prctl(1, 0, 0, 0, 0)  # nor is it killed together with its parent


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        deaf()
        end = time.monotonic() + 120
        while time.monotonic() < end:
            pass
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
