# attack:     O7, O2
# assignment: multi-head-attention
# twin:       averages_multi_head

# Raises for exactly the two sizes that the check of indivisible widths uses, because they stand there for all to
# read, and never looks whether a width can be divided.
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        if (embed_dim, num_heads) in ((24, 5), (30, 4)):
            raise ValueError("embed_dim must be divisible by num_heads")
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.output(self.value(x).mean(dim=1, keepdim=True).expand(x.shape))
