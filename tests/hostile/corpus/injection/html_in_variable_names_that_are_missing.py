# attack:     H1, H6
# assignment: self-attention
# twin:       correct
# outcome:    test_builds errored
# points:     none

# Fails with names chosen by the student: a NameError, an ImportError and an AttributeError made by hand, whose name,
# path and object are pages. Tools that suggest a correction use these attributes.

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        try:
            raise AttributeError("no attribute", name="<script>alert(1)</script>", obj=self)
        except AttributeError:
            error = NameError("name '<script>alert(2)</script>' is not defined", name="<script>alert(3)</script>")
            cause = ImportError("no module", name="<img src=x onerror=alert(4)>", path="javascript:alert(5)")
            raise error from cause
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
