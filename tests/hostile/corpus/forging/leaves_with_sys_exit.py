# attack:     F1, F2
# assignment: self-attention
# twin:       averages
# outcome:    test_output_shape errored
# points:     some

# SystemExit(0) at import and in every call: it is no Exception, so it flies past a careless `except Exception` and
# ends the run as a success.
import sys

from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        sys.exit(0)


sys.exit(0)
