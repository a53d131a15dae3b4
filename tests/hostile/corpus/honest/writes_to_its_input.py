# assignment: self-attention
# outcome:    test_inputs_are_left_alone failed
# points:     some

# Attacks nothing: plain averages of the values, and afterwards the tokens that were handed in are doubled in place.
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        output = self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
        x.mul_(2)
        return output
