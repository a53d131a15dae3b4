"""The projections are made anew in every call."""
# finding: parameters-made-in-forward
# fails: test_weights_sum_to_one, test_matches_the_reference, test_samples_do_not_mix, test_order_does_not_matter, test_parameter_count, test_padding_has_no_influence, test_future_has_no_influence, test_masks_of_any_dtype, test_other_lengths_after_a_first_call, test_repeatable_in_eval_mode

import math

import torch
from torch import nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError(f"embed_dim ({embed_dim}) must be divisible by num_heads ({num_heads})")
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):  # x: (batch, seq, embed)
        batch, seq, embed = x.shape
        per_head = (batch, seq, self.num_heads, self.head_dim)
        query, key, value = (nn.Linear(embed, embed, device=x.device, dtype=x.dtype) for _ in range(3))
        q = query(x).view(per_head).transpose(1, 2)  # (batch, heads, seq, head_dim)
        k = key(x).view(per_head).transpose(1, 2)  # (batch, heads, seq, head_dim)
        v = value(x).view(per_head).transpose(1, 2)  # (batch, heads, seq, head_dim)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)  # (batch, heads, seq of queries, seq of keys)
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)  # one mask for all heads
        weights = torch.softmax(scores, dim=-1)  # (batch, heads, seq, seq), every row sums to one
        heads = self.dropout(weights) @ v  # (batch, heads, seq, head_dim)
        return self.output(heads.transpose(1, 2).reshape(batch, seq, embed))  # (batch, seq, embed)
