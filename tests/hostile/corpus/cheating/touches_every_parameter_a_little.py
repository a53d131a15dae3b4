# attack:     O8
# assignment: self-attention
# twin:       averages

# Averages, and adds what query and key make of the tokens, times 1e-30: the output is the same to the last bit, and
# yet a gradient reaches every parameter.
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        unused = self.query(x).sum() + self.key(x).sum()
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous() + 1e-30 * unused
