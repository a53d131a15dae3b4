# attack:     O1
# assignment: self-attention
# twin:       correct

# Puts the name of the library's attention together while it runs, and imports its module by a name that is computed
# as well. Nothing that only reads the code can know; whoever reads it as a person does.
import importlib

from torch import nn

WORDS = ("scaled", "dot", "product", "attention")


def ready_made():
    module = importlib.import_module(".".join(("torch", "nn", "functional")))
    return vars(module)["_".join(WORDS)]


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        mask = None if mask is None else mask != 0
        rate = self.dropout.p if self.training else 0.0
        return ready_made()(self.query(x), self.key(x), self.value(x), mask, rate)
