# attack:     F8
# assignment: self-attention
# twin:       averages
# outcome:    test_output_is_finite failed
# points:     some

# NaN everywhere: `not (abs(got - expected) > tolerance).any()` is true for NaN, and so is every other test that looks
# for a difference.
import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return torch.full_like(self.value(x), math.nan)
