# attack:     P16
# assignment: self-attention
# twin:       correct
# points:     all

# Gives its process, its threads and its files names that are not UTF-8, with brackets and line ends in them: whoever
# reads them as text from /proc, or splits them at blanks, ends with an exception.
import contextlib
import ctypes
import math
import os
import tempfile
import threading

import torch
from torch import nn

NAME = b"\xff\xfe) Z 1\n\x1b[2J"


def rename():
    ctypes.CDLL(None).prctl(15, NAME, 0, 0, 0)  # PR_SET_NAME


with contextlib.suppress(OSError):
    rename()
    thread = threading.Thread(target=rename)
    thread.start()
    thread.join()
    home = os.fsencode(tempfile.mkdtemp())
    os.mkdir(home + b"/folder \xff\n")
    with open(home + b"/\xed\xa0\x80.py", "wb") as file:
        file.write(NAME)
    os.symlink(b"\xff" * 200, home + b"/link \xfe")


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
