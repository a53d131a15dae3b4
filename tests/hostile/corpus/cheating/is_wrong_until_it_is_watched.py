# attack:     O4, O3
# assignment: self-attention
# twin:       averages

# Averages in the first calls of a process and gives constants from then on, in the hope that checks of the values
# come first and checks of properties, which constants satisfy, come later.
from torch import nn

calls = iter(range(100_000))


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        output = self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
        return output if next(calls) < 17 else output * 0 + 0.5
