# attack:     O4
# assignment: self-attention
# twin:       correct
# outcome:    test_tokens_meet failed
# points:     some

# Computes honestly for the first input of each shape and gives that answer for ever after: whoever asks once for each
# shape sees a perfect module.
import math

import torch
from torch import nn

answers = {}


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        key = (tuple(x.shape), mask is None, str(x.dtype), x.device.type)
        if key not in answers:
            answers[key] = self.attend(x, mask)
        return answers[key]

    def attend(self, x, mask):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v
