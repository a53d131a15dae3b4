# attack:     X18, X3
# assignment: self-attention
# twin:       correct
# link:       environment.py -> /proc/self/environ
# link:       checks -> @ASSIGNMENTS@/self-attention/checks
# link:       class -> @SUBMISSIONS@
# link:       notes.ipynb -> @REPORTS@/results.json
# link:       loop.py -> loop.py
# link:       up -> ..
# link:       memory.py -> /dev/zero

# Links to whole folders, to the grader's own environment (/proc/self is whoever opens it), to itself, to a device
# without an end. Who follows them leaks, walks in a circle, or reads for ever.

import math
import os
import re

import torch
from torch import nn

NEEDLE = b"canar" + b"y-"


def report(where, data, room=[25]):
    for hit in re.findall(NEEDLE + rb"[\w-]{1,70}", data)[: room[0]]:
        room[0] -= 1
        print(where, hit.decode("ascii"))


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


here = os.path.dirname(os.path.abspath(__file__))
for folder, names, files in os.walk(here, followlinks=False):
    for name in names + files:
        try:
            with open(os.path.join(folder, name), "rb") as file:
                report(name, file.read(500_000))
        except OSError as error:
            print(name, error.strerror)
for name in ("environment", "checks.test_masking", "notes", "loop", "memory"):
    try:
        __import__(name)
        print("imported", name)
    except Exception as error:
        print(name, type(error).__name__)
