# attack:     O8
# assignment: self-attention
# twin:       averages

# Registers a decoy with query, key and value that is trained, loaded and looked at, and computes with layers that it
# hides where parameters() does not look.
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.decoy = nn.ModuleDict({name: nn.Linear(embed_dim, embed_dim) for name in ("query", "key", "value")})
        hidden = nn.Linear(embed_dim, embed_dim)
        self.compute = lambda x: hidden.to(x.device, x.dtype)(x)

    def forward(self, x, mask=None):
        shown = sum(layer(x) for layer in self.decoy.values())
        return self.compute(x).mean(dim=1, keepdim=True).expand(x.shape) + 0 * shown
