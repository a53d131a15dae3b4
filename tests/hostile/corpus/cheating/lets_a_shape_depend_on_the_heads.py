# attack:     O8, O3
# assignment: multi-head-attention
# twin:       averages_multi_head

# Averages without any heads, but gives one unused bias as many elements as there are heads: the check that the number
# of heads matters takes other shapes for proof enough.
import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim, bias=False)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.output = nn.Linear(embed_dim, embed_dim)
        self.temperature = nn.Parameter(torch.ones(num_heads))

    def forward(self, x, mask=None):
        return self.output(self.value(x).mean(dim=1, keepdim=True).expand(x.shape))
