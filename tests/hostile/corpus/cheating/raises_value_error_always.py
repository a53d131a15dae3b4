# attack:     O7
# assignment: multi-head-attention
# twin:       averages_multi_head
# outcome:    test_builds errored
# points:     none

# Raises ValueError whatever it is built with: the one check that asks for an exception gets it.
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        raise ValueError("embed_dim must be divisible by num_heads")

    def forward(self, x, mask=None):
        return x
