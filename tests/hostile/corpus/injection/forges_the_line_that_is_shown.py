# attack:     H1, H10, F12
# assignment: self-attention
# twin:       correct
# outcome:    test_output_shape errored

# Raises from code that was compiled under the names of other files, with lines it put into the cache itself, and a
# SyntaxError that names file, line and text: reports that trust tracebacks show what the student likes, or read the
# file.

import linecache
import math

import torch
from torch import nn

NAMES = ("</td><script>alert(1)</script>", "@SOLUTIONS@/self-attention/reference.py", "@ASSIGNMENTS@/self-attention/assignment.toml",
         "../../../../../etc/passwd", "correct.py", "")


def forged(name):
    code = compile("\n" * 3 + "raise ValueError('all checks passed: 100 of 100 points')", name, "exec")
    linecache.cache[name] = (1, None, ["<script>alert(2)</script>\n"] * 9, name)
    exec(code, {"__name__": name, "__loader__": None})


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        for name in NAMES:
            try:
                forged(name)
            except ValueError as error:
                last = error
        wrong = SyntaxError("<b>wrong</b>", (NAMES[1], 1, 1, "<script>alert(3)</script>", 99_999_999, -1))
        raise wrong from last
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
