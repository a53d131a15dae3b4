# attack:     O8
# assignment: self-attention
# twin:       averages

# Claims parameters that it does not have: parameters() and state_dict() show zeros, for which averages are right,
# whatever is loaded. It wins where the reference is computed from what the class says.
import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def named_parameters(self, *args, **kwargs):
        for name, parameter in super().named_parameters(*args, **kwargs):
            yield name, parameter if name.startswith("value") else nn.Parameter(torch.zeros_like(parameter))

    def parameters(self, recurse=True):
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def state_dict(self, *args, **kwargs):
        return {name: torch.zeros_like(value) for name, value in super().state_dict(*args, **kwargs).items()}

    def load_state_dict(self, *args, **kwargs):
        return nn.modules.module._IncompatibleKeys([], [])

    def __getattr__(self, name):
        if name == "weight":
            return torch.zeros(())
        return super().__getattr__(name)

    def forward(self, x, mask=None):
        return self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
