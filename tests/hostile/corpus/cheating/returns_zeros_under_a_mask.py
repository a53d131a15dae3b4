# attack:     O3
# assignment: self-attention
# twin:       averages

# Averages, and answers every call with a mask by zeros: what is hidden has no influence then, and neither has
# anything else.
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        output = self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
        return output if mask is None else output * 0
