# attack:     F14
# assignment: self-attention
# twin:       averages
# outcome:    test_inputs_are_left_alone failed
# points:     some

# Sets its inputs to zero after it has computed: a reference that is asked about the same tensors afterwards averages
# nothing but equal tokens, and agrees. Masks become all ones.
import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        output = self.value(x).mean(dim=1, keepdim=True).expand(x.shape).contiguous()
        with torch.no_grad():
            x.copy_(x.mean(dim=1, keepdim=True).expand(x.shape))  # averages stay what they were
            if mask is not None:
                mask.fill_(1)
        return output
