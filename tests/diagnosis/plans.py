"""What a submission does, and how it is written: the two choices a source text is made from.

A `Plan` says what is computed. Its defaults are correct attention; every mistake changes one or two of its fields
(`mistakes.py`), so two mistakes fit into one submission when they change different fields. A `Hand` says how it is
spelled: which of several equal ways to write a softmax, a mask, a product, which names, biases or not. No choice of the
hand changes what is computed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is computed, stage by stage.

    Attributes:
        before: what happens to the input before anything else.
        roles: whose projection makes query, key and value, as letters; x is the input itself.
        parameters: where the weights are kept: registered, dict, list, tensor, forward.
        activation: which of q, k, v pass through a nonlinearity, a ReLU where no other is named: `tanh:qk`.
        split: how features become heads.
        scale, mask, softmax, transposed: the attention weights.
        dropout: where and when it acts.
        detached: what gets no gradient.
        merge: how heads become features again.
        output: what becomes of the last projection.
        after: what happens to the result.
        noise: what makes two calls differ.
        seeded: where the random numbers are seeded again.
        fixed: a dtype, device or size that is written into the code.
    """

    before: str = ""
    roles: str = "qkv"
    parameters: str = "registered"
    activation: str = ""
    split: str = "right"
    scale: str = "head_dim"
    mask: str = "respected"
    softmax: str = "keys"
    transposed: bool = False
    dropout: str = "right"
    detached: str = ""
    merge: str = "right"
    output: str = "right"
    after: str = ""
    noise: str = ""
    seeded: str = ""
    fixed: str = ""


@dataclass(frozen=True, kw_only=True)
class Hand:
    """How it is written. Each field is one of the values in `CHOICES`."""

    names: str = "plain"
    bias: str = "yes"
    order: str = "qkvo"
    spare: bool = True
    width: str = "self.$head_dim"
    product: str = "@"
    scale: str = "divide"
    fill: str = "-math.inf"
    mask: str = "fill"
    heads_axis: str = "inline"
    condition: str = "== 0"
    softmax: str = "torch"
    negative: bool = True
    dropout: str = "module"
    split: str = "view"
    merge: str = "reshape"
    chunk: str = "chunk"
    orientation: str = "hed"
    fold: str = "view"
    structure: str = "inline"
    loop: str = "range"
    relu: str = "F.relu"


CHOICES: dict[str, tuple[object, ...]] = {
    "names": ("plain", "paper", "long", "mute", "numbered"),
    "bias": ("yes", "yes", "no", "no", "mixed"),
    "order": ("qkvo", "qkvo", "kqvo", "oqkv", "vkqo"),
    "spare": (True, True, False),
    "width": ("self.$head_dim", "$q.shape[-1]", "$k.size(-1)"),
    "product": ("@", "matmul", "einsum", "bmm"),
    "scale": ("divide", "power", "query", "attribute", "later", "both"),
    "fill": ("-math.inf", 'float("-inf")', "-1e9", "torch.finfo($s.dtype).min", "-1e20"),
    "mask": ("fill", "fill", "fill_", "where", "additive", "arithmetic", "log"),
    "heads_axis": ("inline", "lines", "expand"),
    "condition": ("== 0", "== 0", "~"),
    "softmax": ("torch", "F", "method", "module", "hand", "log"),
    "negative": (True, True, False),
    "dropout": ("module", "function"),
    "split": ("view", "permute", "unflatten", "stack"),
    "merge": ("reshape", "view", "flatten", "cat"),
    "chunk": ("chunk", "split", "slices"),
    "orientation": ("hed", "hde", "ehd"),
    "fold": ("view", "view", "cat"),
    "structure": ("inline", "inline", "method"),
    "loop": ("range", "zip"),
    "relu": ("F.relu", "method", "torch"),
}
assert CHOICES.keys() == {field.name for field in fields(Hand)}


def hand_of(name: str, **fixed: object) -> Hand:
    """A way of writing, drawn from the name of the submission: the same name is always written the same way."""
    draw = random.Random(name)
    return Hand(**({field: draw.choice(choices) for field, choices in CHOICES.items()} | fixed))  # type: ignore[arg-type]
