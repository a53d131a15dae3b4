# attack:     H6
# assignment: self-attention
# twin:       correct
# points:     all

# Writes its names in other letters and turns the direction of lines around: what a person reads is not what runs. The
# method below is `forward` in letters that Python folds; its twin in Cyrillic letters, below it, is another name.

import math

import torch
from torch import nn


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def ｆｏｒｗａｒｄ(self, x, mask=None):  # ‮ erofeb sseug a si siht ‬
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])  # ⁧⁦points = 100⁩⁩
        if mask is not None:  # ​‍⁠﻿­
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v

    def fоrward(self, x, mask=None):  # Cyrillic o
        return x


print("‮dessap‬ 100​0", "pаssed", "⁦⁩؜󠁁󠁿", " x yz")
