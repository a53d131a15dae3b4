# attack:     O8
# assignment: self-attention
# twin:       averages

# Keeps the weights that it was built with in a closure, computes with those, and takes what is loaded for a show: a
# grader that compares with the class's own first weights sees no difference.
import copy

from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        own = copy.deepcopy(self.value)
        self.compute = lambda x: own.to(x.device, x.dtype)(x)

    def forward(self, x, mask=None):
        return self.compute(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous() + 0 * self.value(x)
