"""The projections are made anew in every call."""
# finding: parameters-made-in-forward
# fails: test_weights_sum_to_one, test_matches_the_reference, test_samples_do_not_mix, test_order_does_not_matter, test_parameters_are_registered, test_gradients_reach_every_parameter, test_padding_has_no_influence, test_future_has_no_influence, test_masks_of_any_dtype, test_other_lengths_after_a_first_call, test_repeatable_in_eval_mode

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):  # x: (batch, seq, embed)
        embed = x.shape[-1]
        query, key, value = (nn.Linear(embed, embed, device=x.device, dtype=x.dtype) for _ in range(3))
        q = query(x)  # (batch, seq, embed)
        k = key(x)  # (batch, seq, embed)
        v = value(x)  # (batch, seq, embed)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])  # (batch, seq of queries, seq of keys)
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        weights = torch.softmax(scores, dim=-1)  # (batch, seq, seq), every row sums to one
        return self.dropout(weights) @ v  # (batch, seq, embed)
