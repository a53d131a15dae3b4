"""Masks and weights, for all exercises about attention."""

import torch


def causal(length):
    """True where the key is not later than the query: (length, length)"""
    return torch.ones(length, length, dtype=torch.bool).tril()


def padding(lengths):
    """True where there is a word: (batch, 1, longest)"""
    lengths = torch.tensor(lengths)
    return (torch.arange(int(lengths.max())) < lengths[:, None]).unsqueeze(1)


def attention_weights(query, key, mask=None):
    scores = query @ key.transpose(-2, -1) / key.shape[-1] ** 0.5
    if mask is not None:
        scores = scores.masked_fill(mask == 0, float("-inf"))
    return torch.softmax(scores, dim=-1)
