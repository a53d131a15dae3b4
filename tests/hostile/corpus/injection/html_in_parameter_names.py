# attack:     H1, H3
# assignment: self-attention
# twin:       correct

# Gives its layers names that are pages, templates and formulas: they arrive in the state, the roles and the messages.

import math

import torch
from torch import nn

NAMES = ("<script>alert(1)</script>", "{{ 1337 * 7331 }}", '=HYPERLINK("http://attack,invalid")')


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        for name in NAMES:
            self.add_module(name, nn.Linear(embed_dim, embed_dim))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        q, k, v = (getattr(self, name)(x) for name in NAMES)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
