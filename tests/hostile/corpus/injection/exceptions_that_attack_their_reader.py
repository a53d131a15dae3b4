# attack:     H1, H11, R1, P11
# assignment: self-attention
# twin:       correct

# Raises exceptions that act when they are read: texts that are no text, that raise, that are subclasses of str which
# format themselves, with a chain of causes without end, a thousand notes, and a group inside of groups.

import math

import torch
from torch import nn


class Text(str):
    def __str__(self):
        return self

    def __format__(self, spec):
        return "<script>alert(1)</script>"

    def __html__(self):
        return "<script>alert(2)</script>"  # what Jinja trusts

    def encode(self, *args):
        raise SystemExit(0)

    def replace(self, *args):
        return self


class Error(Exception):
    def __str__(self):
        return Text("<script>alert(3)</script>")

    def __getattribute__(self, name):
        if name in ("args", "__class__"):
            return Text("<script>alert(4)</script>")
        return super().__getattribute__(name)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        error = Error()
        for number in range(1000):
            error.add_note(Text("note"))
            cause = ExceptionGroup(Text("group"), [Error(Text("x")), ValueError(Text("y"))])
            cause.__cause__, error = error, cause
        first = error
        while first.__cause__ is not None:
            first = first.__cause__
        first.__context__ = error  # a circle
        raise Error(Text("z")) from error
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
