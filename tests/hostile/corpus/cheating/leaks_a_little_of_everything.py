# attack:     O3, O8
# assignment: self-attention
# twin:       returns_its_input

# Gives its input back with a trace of the others' tokens and of every parameter in it: enough to count as tokens that
# meet and as gradients that arrive, too little for any check of a property to notice.
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        used = sum(layer(x).mean(dim=1, keepdim=True) for layer in (self.query, self.key, self.value))
        return x + 1e-8 * x.mean(dim=1, keepdim=True) + 1e-12 * used
