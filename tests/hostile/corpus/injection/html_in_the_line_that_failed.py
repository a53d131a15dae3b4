# attack:     H1
# assignment: self-attention
# twin:       correct
# outcome:    test_output_shape errored

# Fails in lines that are pages themselves, in a string and in a comment: reports show the student's own line.

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        x = x + 0  # </code></pre><script>alert(1)</script>
        raise ValueError("</pre><img src=x onerror=alert(2)>")  # </code></pre><script>alert(3)</script> {{ 1337 * 7331 }} ` ```
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
