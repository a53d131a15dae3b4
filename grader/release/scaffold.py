"""A new assignment to begin with: small, complete, and already proven by `grade lint`."""

from __future__ import annotations

import re
from typing import Final

from grader.errors import ConfigurationError

NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def scaffold(name: str) -> dict[str, str]:
    """The files of an assignment of this name, by their path beside `assignments/` and `solutions/`.

    Raises:
        ConfigurationError: it is no name for a folder that everybody can type.
    """
    if not NAME.fullmatch(name) or len(name) > 60:
        hint = "small letters, digits and hyphens, beginning with a letter: cross-attention"
        raise ConfigurationError(f"{name!r} cannot be the name of an assignment", hint=hint)
    words = name.split("-")
    entry, title = "".join(word.capitalize() for word in words), " ".join(words).capitalize()
    checks, solutions = f"assignments/{name}", f"solutions/{name}"
    contents = {
        f"{checks}/assignment.toml": _SETTINGS,
        f"{checks}/README.md": _HANDOUT,
        f"{checks}/checks/test_output.py": _PUBLIC,
        f"{checks}/checks/test_attention.py": _HIDDEN,
        f"{solutions}/reference.py": _REFERENCE,
        f"{solutions}/accepted/einsum.py": _ACCEPTED,
        f"{solutions}/wrong/scale_missing.py": _SCALE_MISSING,
        f"{solutions}/wrong/returns_none.py": _RETURNS_NONE,
    }
    return {
        path: text.replace("<name>", name).replace("<Entry>", entry).replace("<Title>", title)
        for path, text in contents.items()
    }


_SETTINGS = """\
id = "<name>"
title = "<Title>"

[submission]
entry = "<Entry>"  # the class that is graded
aliases = []  # other names it may have

[contract]  # how it is built and called, as students are told; see the other assignments for masks, heads and dropout
construct = "embed_dim"
call = "x"

[limits]
seconds = 60  # per submission, by the wall clock
check_seconds = 10
memory = "4 GiB"

[policy]
forbid = [
  "torch.nn.MultiheadAttention",
  "torch.nn.functional.scaled_dot_product_attention",
]

[feedback]
hidden = "diagnosis"  # what a student is told about a hidden check: outcome | hint | diagnosis
"""

_HANDOUT = """\
# <Title>

Say here what it is about, in the words of your course.

## What to write

A class `<Entry>`, a subclass of `torch.nn.Module`, in a `.py` file or a notebook (`.ipynb`).

```python
class <Entry>(nn.Module):
    def __init__(self, embed_dim): ...

    def forward(self, x): ...
```

| argument    | meaning                                                 |
|-------------|---------------------------------------------------------|
| `embed_dim` | the length of each input vector and each output vector  |
| `x`         | a tensor of shape `(batch, seq, embed_dim)`              |
| returns     | a tensor of shape `(batch, seq, embed_dim)`              |

It computes `softmax(Q K^T / sqrt(d_k)) V`, where queries, keys and values are three learned linear projections of `x`,
each from `embed_dim` to `embed_dim`.

## What is checked

The public check looks at the output's shape; the hidden one compares with the formula. There are 10 points in total.
"""

_PUBLIC = '''\
"""What comes back, before any number is looked at."""

from grader.checks import check, require


@check(points=4, concept="output")
def test_output_shape(student, draw):
    """The output has the shape of the input, for any batch size and sequence length."""
    attention = student(embed_dim=24)
    for batch, seq in [(3, 5), (2, 9), (1, 1)]:
        attention(draw.tokens(batch, seq, 24))  # an output of another shape fails the check
    message = "forward only works for a single sample of shape (seq, embed)."
    require(attention.batched, message, finding="unbatched-only")
'''

_HIDDEN = '''\
"""The mathematics."""

from grader.checks import check, properties


@check(points=6, concept="attention", hidden=True, after="test_output_shape")
def test_computes_attention(student, draw):
    """The output and its gradients are those of self-attention with the same weights."""
    attention = student(embed_dim=24)
    properties.matches_the_reference(attention, draw, batch=3, seq=5)
    properties.scores_are_scaled(attention)
    properties.gradients_reach_every_parameter(attention, draw)
'''

_MODULE = """\
import math

import torch
from torch import nn


class <Entry>(nn.Module):
    def __init__(self, embed_dim):
        super().__init__()
{begin}        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)
{end}
    def forward(self, x):  # x: (batch, seq, embed)
{begin}        q, k, v = self.query(x), self.key(x), self.value(x)  # (batch, seq, embed)
{body}{end}"""

_REFERENCE = '"""<Title>: softmax(Q K^T / sqrt(d_k)) V."""\n\n' + _MODULE.format(
    begin="        ### BEGIN SOLUTION\n",
    end="        ### END SOLUTION\n",
    body="""\
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])  # (batch, seq of queries, seq of keys)
        weights = torch.softmax(scores, dim=-1)  # (batch, seq, seq), every row sums to one
        return weights @ v  # (batch, seq, embed)
""",
)
_ACCEPTED = '"""Written with einsum."""\n\n' + _MODULE.format(
    begin="",
    end="",
    body="""\
        scores = torch.einsum("bqe,bke->bqk", q, k) * math.sqrt(1 / q.shape[-1])
        return torch.einsum("bqk,bke->bqe", scores.softmax(dim=-1), v)
""",
)
_SCALE_MISSING = (
    '"""The scores are not scaled."""\n# finding: scale-missing\n# fails: test_computes_attention\n\n'
    + _MODULE.format(
        begin="",
        end="",
        body="""\
        scores = q @ k.transpose(-2, -1)
        return torch.softmax(scores, dim=-1) @ v
""",
    ).replace("import math\n\n", "")
)
_RETURNS_NONE = (
    '"""forward computes the output and forgets to return it."""\n'
    "# finding: returns-none\n# fails: test_output_shape\n\n"
    + _MODULE.format(
        begin="",
        end="",
        body="""\
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.shape[-1])
        output = torch.softmax(scores, dim=-1) @ v
""",
    )
)
