# attack:     H6, H10
# assignment: self-attention
# twin:       averages
# rename:     "\uff43\u043errect .py"

# Its name is that of the best student in letters that look alike, or fold to the same, and a space.

from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
