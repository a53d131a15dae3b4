"""Modules that are attention, but not the plain kind: no mistake of the catalogue, so nothing may be claimed of them.

Each is one template with some lines of its own.
"""

from __future__ import annotations

TEMPLATE = """import math

import torch
import torch.nn.functional as F
from torch import nn
{above}

class MultiHeadSelfAttention(nn.Module):
    def __init__(self, embed_dim, num_heads, dropout=0.0):
        super().__init__()
        if embed_dim % num_heads != 0:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
{layers}
        self.output = nn.Linear(embed_dim, embed_dim)
        self.dropout = nn.Dropout(dropout)
{init}
    def forward(self, x, mask=None):
        batch, seq, embed = x.shape
{first}
{project}
        q = q.reshape(batch, seq, -1, self.head_dim).transpose(1, 2)
        k = k.reshape(batch, seq, -1, self.head_dim).transpose(1, 2)
        v = v.reshape(batch, seq, -1, self.head_dim).transpose(1, 2)
{before}
        scores = {scores}
{between}
        if mask is not None:
            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, {fill})
        weights = {weights}
{after}
        mixed = {mixed}
        result = self.output(mixed.transpose(1, 2).reshape(batch, seq, embed))
        return {result}
"""
SEPARATE = {
    "layers": """self.query = nn.Linear(embed_dim, embed_dim)
self.key = nn.Linear(embed_dim, embed_dim)
self.value = nn.Linear(embed_dim, embed_dim)""",
    "project": "q, k, v = self.query(x), self.key(x), self.value(x)",
}
FUSED = {
    "layers": "self.qkv = nn.Linear(embed_dim, 3 * embed_dim, bias=False)",
    "project": "q, k, v = self.qkv(x).chunk(3, dim=-1)",
}
DEFAULTS = {
    "above": "",
    "init": "",
    "first": "",
    "before": "",
    "scores": "q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)",
    "between": "",
    "fill": "-math.inf",
    "weights": "torch.softmax(scores, dim=-1)",
    "after": "",
    "mixed": "self.dropout(weights) @ v",
    "result": "result",
}


def source(**slots: str) -> str:
    """The template, filled; lines in a slot are indented to where they stand."""
    filled = DEFAULTS | SEPARATE | slots
    for slot in ("layers", "init", "first", "project", "before", "between", "after"):
        filled[slot] = "\n".join(f"        {line}" for line in filled[slot].splitlines())
    text = TEMPLATE.format(**filled)
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"


ROTATE = """
def rotate(t):
    half = t.shape[-1] // 2
    angle = torch.arange(t.shape[-2], dtype=t.dtype, device=t.device)[:, None] / 100 ** (
        torch.arange(half, dtype=t.dtype, device=t.device) / half
    )
    one, two, rest = t[..., :half], t[..., half : 2 * half], t[..., 2 * half :]
    return torch.cat((one * angle.cos() - two * angle.sin(), one * angle.sin() + two * angle.cos(), rest), dim=-1)
"""
SPARSEMAX = """
def sparsemax(scores):
    ordered, _ = scores.sort(dim=-1, descending=True)
    count = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device)
    sums = ordered.cumsum(dim=-1)
    size = (1 + count * ordered > sums).sum(dim=-1, keepdim=True)
    return (scores - (sums.gather(-1, size - 1) - 1) / size).clamp(min=0)
"""
POSITIONS = "place = torch.arange(seq, device=x.device)"

SOURCES = {
    "rotary positions": source(above=ROTATE, before="q, k = rotate(q), rotate(k)"),
    "rotary positions, fused": source(**FUSED, above=ROTATE, before="q, k = rotate(q), rotate(k)"),
    "root mean square norm of q and k": source(
        before="q = q * q.pow(2).mean(-1, keepdim=True).rsqrt()\nk = k * k.pow(2).mean(-1, keepdim=True).rsqrt()"
    ),
    "layer norm of q and k": source(
        **FUSED,
        init="self.q_norm = nn.LayerNorm(self.head_dim)\nself.k_norm = nn.LayerNorm(self.head_dim)",
        before="q, k = self.q_norm(q), self.k_norm(k)",
    ),
    "ALiBi": source(
        first=POSITIONS,
        between="slope = 2.0 ** -torch.arange(1, self.num_heads + 1, dtype=x.dtype, device=x.device)\n"
        "scores = scores - slope[:, None, None] * (place[:, None] - place).abs()",
    ),
    "learned temperature": source(
        init="self.temperature = nn.Parameter(torch.ones(1))",
        scores="q @ k.transpose(-2, -1) * self.temperature",
    ),
    "learned temperature of every head": source(
        **FUSED,
        init="self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))",
        scores="q @ k.transpose(-2, -1) / math.sqrt(self.head_dim) * self.temperature",
    ),
    "output gate": source(
        init="self.gate = nn.Linear(embed_dim, embed_dim)", result="result * torch.sigmoid(self.gate(x))"
    ),
    "gate on the heads": source(
        init="self.gate = nn.Linear(embed_dim, embed_dim)",
        after="gate = F.silu(self.gate(x)).reshape(v.transpose(1, 2).shape).transpose(1, 2)",
        mixed="self.dropout(weights) @ v * gate",
    ),
    "highway": source(
        init="self.gate = nn.Linear(embed_dim, embed_dim)",
        after="gate = torch.sigmoid(self.gate(x))",
        result="gate * x + (1 - gate) * result",
    ),
    "soft cap": source(scores="5 * torch.tanh(q @ k.transpose(-2, -1) / math.sqrt(self.head_dim) / 5)"),
    "soft cap, fused": source(**FUSED, between="scores = 30 * torch.tanh(scores / 30)"),
    "relative position bias": source(
        init="self.bias = nn.Parameter(torch.zeros(num_heads, 63))",
        first=POSITIONS,
        between="scores = scores + self.bias[:, place[:, None] - place + 31]",
    ),
    "GELU on the values": source(before="v = F.gelu(v)"),
    "half a residual": source(result="result + 0.5 * x"),
    "value residual": source(mixed="self.dropout(weights) @ v + v"),
    "talking heads": source(
        init="self.talk = nn.Parameter(torch.eye(num_heads))",
        after='weights = torch.einsum("bhqk,hg->bgqk", weights, self.talk)',
    ),
    "talking heads before the softmax": source(
        **FUSED,
        init="self.talk = nn.Parameter(torch.eye(num_heads))",
        between='scores = torch.einsum("bhqk,hg->bgqk", scores, self.talk)',
    ),
    "cosine attention": source(scores="10 * F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)"),
    "linear attention": source(
        scores="(F.elu(q) + 1) @ (F.elu(k) + 1).transpose(-2, -1)",
        fill="0.0",
        weights="scores / scores.sum(dim=-1, keepdim=True)",
    ),
    "softmax of q and of k": source(
        scores="torch.softmax(q, dim=-1) @ torch.softmax(k, dim=-2).transpose(-2, -1)", fill="0.0", weights="scores"
    ),
    "sliding window": source(
        first=POSITIONS,
        between="scores = scores.masked_fill((place[:, None] - place).abs() > 1, -math.inf)",
    ),
    "sparsemax": source(above=SPARSEMAX, fill="-1e9", weights="sparsemax(scores)"),
    "a place to attend to nothing": source(
        weights="torch.exp(scores) / (1 + torch.exp(scores).sum(dim=-1, keepdim=True))"
    ),
    "one key and value for all heads": source(
        layers="self.query = nn.Linear(embed_dim, embed_dim)\nself.key = nn.Linear(embed_dim, self.head_dim)\n"
        "self.value = nn.Linear(embed_dim, self.head_dim)"
    ),
    "learned positions": source(
        init="self.places = nn.Parameter(torch.randn(32, embed_dim))", first="x = x + self.places[:seq]"
    ),
    "sine positions": source(
        first=f"{POSITIONS}\nx = x + torch.sin(place[:, None] / 2.0 ** torch.arange(embed, device=x.device))"
    ),
    "difference of two attentions": source(
        **FUSED,
        before="q1, q2, k1, k2 = *q.split([2, self.head_dim - 2], -1), *k.split([2, self.head_dim - 2], -1)",
        scores="q1 @ k1.transpose(-2, -1) / math.sqrt(2)",
        after="weights = weights - 0.4 * torch.softmax(q2 @ k2.transpose(-2, -1), dim=-1)",
    ),
    "squared distance": source(scores="-torch.cdist(q, k) ** 2 / 2"),
    "tokens shifted": source(
        first="last = F.pad(x, (0, 0, 1, -1))",
        project="q, k, v = self.query(x), self.key((x + last) / 2), self.value(x)",
    ),
    "scale with the length": source(
        scores="q @ k.transpose(-2, -1) / math.sqrt(self.head_dim) * math.log(seq + 1) / math.log(10)"
    ),
    "every second head causal": source(
        first=POSITIONS,
        between="later = (place > place[:, None]) & (torch.arange(self.num_heads, device=x.device) % 2 == 0)"
        "[:, None, None]\nscores = scores.masked_fill(later, -math.inf)",
    ),
}
TRUE_OF = {
    "GELU on the values": frozenset({"activation-on-projection"}),
    "a place to attend to nothing": frozenset({"softmax-unstable"}),
}
"""What is true of some, in the words of the catalogue."""
