"""All arguments have other names: hidden_size, p, hidden_states, attention_mask."""

import math

from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, hidden_size, p=0.0):
        super().__init__()
        self.hidden_size = hidden_size
        self.q_lin = nn.Linear(hidden_size, hidden_size)
        self.k_lin = nn.Linear(hidden_size, hidden_size)
        self.v_lin = nn.Linear(hidden_size, hidden_size)
        self.drop = nn.Dropout(p)

    def forward(self, hidden_states, attention_mask=None):
        scores = self.q_lin(hidden_states) @ self.k_lin(hidden_states).transpose(-1, -2)
        scores = scores / math.sqrt(self.hidden_size)
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask == 0, float("-inf"))
        probabilities = self.drop(nn.functional.softmax(scores, dim=-1))
        return probabilities @ self.v_lin(hidden_states)
