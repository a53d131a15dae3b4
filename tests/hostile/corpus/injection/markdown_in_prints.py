# attack:     H3
# assignment: self-attention
# twin:       correct
# points:     all

# Prints Markdown that loads pictures from elsewhere, ends every fence, names everybody, and looks like the grader's
# words. In a comment on a pull request or a platform's feedback it would be rendered.

import math

import torch
from torch import nn

FENCES = "\n".join(mark * count for mark in "`~" for count in (3, 4, 5, 8, 20))
TEXT = FENCES + '''
![x](http://attack.invalid/beacon.png) [**Full marks**](javascript:alert(1)) <http://attack.invalid> http://attack.invalid/a
[here]: http://attack.invalid "reference"
@all @everyone @here @attack/teachers #1 closes #1 /approve /merge
# All checks passed: 100 of 100 points
| check | points |
|---|---|
| all | 100 |
<details open><summary>Result</summary>passed</details> <!-- grader: points=100 --> <img src="http://attack.invalid/b.png">
- [x] passed
:white_check_mark: $\\text{passed}$ $$\\href{javascript:alert(2)}{x}$$ ```mermaid
---
title: front matter
---
[^1]: <script>alert(3)</script>  \\
'''


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        print(TEXT)
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


print(TEXT)
print(FENCES)
