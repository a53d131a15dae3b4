# attack:     F10
# assignment: self-attention
# twin:       averages
# outcome:    test_output_shape failed
# points:     some

# Returns empty tensors and empty lists in turn: all() of nothing is true, and so is allclose of two tensors without
# elements.
import torch
from torch import nn

calls = iter(range(10_000))


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        forms = (torch.empty(0), x[:0], x[:, :0], x[..., :0], [], (), {}, "")
        return forms[next(calls) % len(forms)]
