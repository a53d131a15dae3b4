# attack:     F7, P12
# assignment: self-attention
# twin:       averages
# outcome:    test_output_shape killed
# points:     some

# Returns a tensor that lies about its shape, dtype and content to whoever turns it into bytes: other numbers, or more
# axes than data, leave the process than were computed.
import torch
from torch import nn


class Liar(torch.Tensor):
    shape = property(lambda self: torch.Size((1 << 10, 1 << 10)))
    ndim = property(lambda self: 2)
    __len__ = lambda self: 1 << 10
    size = lambda self, dim=None: self.shape
    dim = lambda self: 2
    numel = lambda self: 0
    isfinite = lambda self: torch.ones(1, dtype=torch.bool)
    detach = contiguous = resolve_conj = resolve_neg = lambda self: self
    reshape = view = lambda self, *shape: self
    numpy = lambda self: self
    tobytes = lambda self: b""
    tolist = lambda self: []


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous().as_subclass(Liar)
