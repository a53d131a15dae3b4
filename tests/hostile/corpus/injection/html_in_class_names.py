# attack:     H1, H10
# assignment: self-attention
# twin:       correct
# outcome:    test_output_shape errored

# Raises an exception, and returns a value, whose types are called like pieces of a page, modules and all. Names of
# classes look harmless and are often pasted as they are.

import math

import torch
from torch import nn

NAME = "<script>alert(1)</script><img src=x onerror=alert(2)>"
Error = type(NAME, (ValueError,), {"__module__": NAME, "__qualname__": NAME, "__doc__": NAME})
Answer = type(NAME, (), {"__module__": NAME, "__repr__": lambda self: NAME, "__str__": lambda self: NAME})


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        if mask is not None:
            return Answer()
        raise Error(NAME)
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


SelfAttention.__qualname__ = NAME
SelfAttention.__doc__ = NAME
