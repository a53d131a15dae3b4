"""Constructor and forward take their arguments by keyword only, under names of their own."""

import math

import torch
from torch import Tensor, nn


class MultiHeadSelfAttention(nn.Module):
    def __init__(self, *, hidden_size: int, num_attention_heads: int, dropout_prob: float = 0.0) -> None:
        super().__init__()
        if hidden_size % num_attention_heads != 0:
            raise ValueError("hidden_size must be a multiple of num_attention_heads")
        self.num_attention_heads = num_attention_heads
        self.query = nn.Linear(hidden_size, hidden_size)
        self.key = nn.Linear(hidden_size, hidden_size)
        self.value = nn.Linear(hidden_size, hidden_size)
        self.dense = nn.Linear(hidden_size, hidden_size)
        self.dropout = nn.Dropout(dropout_prob)

    def transpose_for_scores(self, t: Tensor) -> Tensor:
        return t.view(*t.shape[:2], self.num_attention_heads, -1).permute(0, 2, 1, 3)

    def forward(self, *, hidden_states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        query = self.transpose_for_scores(self.query(hidden_states))
        key = self.transpose_for_scores(self.key(hidden_states))
        value = self.transpose_for_scores(self.value(hidden_states))
        scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.size(-1))
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask.unsqueeze(-3) == 0, torch.finfo(scores.dtype).min)
        probabilities = self.dropout(torch.softmax(scores, dim=-1))
        context = torch.matmul(probabilities, value).permute(0, 2, 1, 3).contiguous()
        return self.dense(context.view(hidden_states.shape))
