"""Correct self-attention in many styles, and the same with one fault: leaves by name, and a function of them.

Queries, keys and values come from any layout; `mix` is what all have in common, and where most faults are.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Leaves = Mapping[str, Tensor]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Style:
    """One way to write it: `shapes(embed, heads)` and `forward(leaves, x, mask, heads, fault)`."""

    name: str
    shapes: Callable[[int, int], Shapes]
    forward: Callable[[Leaves, Tensor, Tensor | None, int, str], Tensor]


@dataclass(frozen=True)
class Module:
    """A style with values loaded: callable for its output, and a probe for gradients."""

    style: Style
    values: dict[str, Tensor]
    heads: int
    fault: str = ""

    def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.style.forward(self.values, x, mask, self.heads, self.fault)

    def probe(self, x: Tensor, cotangents: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        leaves = {path: value.clone().requires_grad_() for path, value in self.values.items()}
        output = self.style.forward(leaves, x, None, self.heads, self.fault)
        rows = [
            torch.autograd.grad(
                output, list(leaves.values()), cotangent, retain_graph=True, materialize_grads=True, allow_unused=True
            )
            for cotangent in cotangents.to(output.dtype)
        ]
        return output.detach(), {
            path: torch.stack(found) for path, found in zip(leaves, zip(*rows, strict=True), strict=True)
        }


def softmax(scores: Tensor, fault: str) -> Tensor:
    match fault:
        case "softmax over queries":
            return scores.softmax(-2)
        case "softmax over heads":
            return scores.softmax(1)
        case "softmax over batch":
            return scores.softmax(0)
        case "softmax twice":
            return scores.softmax(-1).softmax(-1)
        case "softmax missing":
            return scores
        case "sigmoid":
            return scores.sigmoid()
        case "softmax in float32":
            return F.softmax(scores, -1, dtype=torch.float32).to(scores.dtype)
    return scores.softmax(-1)


def scale_of(query: Tensor, fault: str) -> float:
    d_k, heads, seq, batch = query.shape[-1], query.shape[1], query.shape[2], query.shape[0]
    named = {
        "no scale": 1.0,
        "embed scale": (d_k * heads) ** -0.5,
        "d scale": 1 / d_k,
        "inverted scale": d_k**0.5,
        "seq scale": seq**-0.5,
        "batch scale": batch**-0.5,
        "constant scale": 0.37,
        "float32 scale": float(1 / torch.sqrt(torch.tensor(float(d_k)))),
    }
    return named.get(fault, d_k**-0.5)


def mix(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, fault: str = "") -> Tensor:
    """(batch, heads, seq, features) three times -> (batch, heads, seq, d_v)."""
    if fault == "key = query":
        key = query
    if fault == "value = key":
        value = key
    if fault == "relu on projections":
        query, key, value = query.relu(), key.relu(), value.relu()
    scores = query @ key.mT * scale_of(query, fault)
    if mask is not None and fault != "mask ignored":
        while mask.dim() < 4:
            mask = mask.unsqueeze(-3)
        scores = scores.masked_fill(mask == 0, -math.inf)
    if fault == "causal by itself":
        scores = scores.masked_fill(torch.ones_like(scores).tril() == 0, -math.inf)
    attention = softmax(scores, fault)
    return (attention.mT if fault == "attention transposed" else attention) @ value


def split(x: Tensor, heads: int, fault: str = "") -> Tensor:
    batch, seq, width = x.shape
    if fault == "raw split":
        return x.reshape(batch, heads, seq, width // heads)
    if fault == "heads not split":
        return x[:, None]
    return x.view(batch, seq, heads, width // heads).transpose(1, 2)


def merge(x: Tensor, fault: str = "") -> Tensor:
    batch, heads, seq, width = x.shape
    if fault == "raw merge":
        return x.reshape(batch, seq, heads * width)
    return x.transpose(1, 2).reshape(batch, seq, heads * width)


def linear(leaves: Leaves, name: str, x: Tensor) -> Tensor:
    return F.linear(x, leaves[f"{name}.weight"], leaves.get(f"{name}.bias"))


def separate(
    name: str,
    names: tuple[str, str, str, str] = ("query", "key", "value", "out"),
    *,
    order: str = "qkvo",
    bias: str = "qkvo",
    extra: Shapes | None = None,
    fault: str = "",
) -> Style:
    """One Linear for each of q, k, v, o, defined in any order, under any name, with biases on some."""
    by_role = dict(zip("qkvo", names, strict=True))

    def shapes(embed: int, heads: int) -> Shapes:
        found: Shapes = {}
        for role in order:
            found[f"{by_role[role]}.weight"] = (embed, embed)
            if role in bias:
                found[f"{by_role[role]}.bias"] = (embed,)
        return found | (extra or {})

    def forward(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, wrong: str) -> Tensor:
        wrong = wrong or fault
        x = F.layer_norm(x, (x.shape[-1],)) if wrong == "normalised input" else x
        query, key, value = (split(linear(leaves, by_role[role], x), heads, wrong) for role in "qkv")
        merged = merge(mix(query, key, value, mask, wrong), wrong)
        if wrong == "output projection unused":
            return merged
        output = linear(leaves, by_role["o"], merged) if "o" in order else merged
        if wrong == "residual":
            return output + x
        return output.relu() if wrong == "relu on projections" else output

    return Style(name, shapes, forward)


def fused(name: str, cut: Callable[[Tensor, int], tuple[Tensor, Tensor, Tensor]], bias: bool = True) -> Style:
    """One Linear(embed, 3 * embed), cut in some way into q, k, v of (batch, heads, seq, head_dim)."""

    def shapes(embed: int, heads: int) -> Shapes:
        out: Shapes = {"proj.weight": (embed, embed), "proj.bias": (embed,)}
        return {"qkv.weight": (3 * embed, embed)} | ({"qkv.bias": (3 * embed,)} if bias else {}) | out

    def forward(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
        return linear(leaves, "proj", merge(mix(*cut(linear(leaves, "qkv", x), heads), mask, fault), fault))

    return Style(name, shapes, forward)


def stacked(y: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    query, key, value = (split(part, heads) for part in y.chunk(3, -1))
    return query, key, value


def interleaved(y: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    batch, seq, width = y.shape
    query, key, value = y.view(batch, seq, heads, width // heads).transpose(1, 2).chunk(3, -1)
    return query, key, value


def innermost(y: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    batch, seq, width = y.shape
    query, key, value = y.view(batch, seq, heads, width // heads // 3, 3).transpose(1, 2).unbind(-1)
    return query, key, value


def strided(y: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    batch, seq, width = y.shape
    query, key, value = y.view(batch, seq, 3, width // heads // 3, heads).permute(2, 0, 4, 1, 3).unbind(0)
    return query, key, value


def per_head(name: str, *, output: bool, by_role: bool = False, bias: bool = True, width: int | None = None) -> Style:
    """A list of heads with Linear layers of their own, or one list of layers for each role."""

    def path(role: str, head: int) -> str:
        return f"{role}s.{head}" if by_role else f"heads.{head}.{role}"

    def shapes(embed: int, heads: int) -> Shapes:
        d = width or embed // heads
        pairs = (
            [(r, h) for r in "kqv" for h in range(heads)] if by_role else [(r, h) for h in range(heads) for r in "kqv"]
        )
        found: Shapes = {}
        for role, head in pairs:
            found[f"{path(role, head)}.weight"] = (d, embed)
            if bias:
                found[f"{path(role, head)}.bias"] = (d,)
        return found | ({"out.weight": (embed, d * heads), "out.bias": (embed,)} if output else {})

    def forward(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
        outputs = []
        for head in range(heads):
            query, key, value = (linear(leaves, path(role, head), x)[:, None] for role in "qkv")
            outputs.append(mix(query, key, value, mask, fault)[:, 0])
        merged = torch.cat(outputs, -1)
        return linear(leaves, "out", merged) if output else merged

    return Style(name, shapes, forward)


def einsum(name: str, shape: str, weight: str, *, bias: str = "", out: str = "hde", fused_axis: bool = False) -> Style:
    """Parameters with an axis per index: h heads, d head_dim, e embed, r role, in the order of `weight`."""

    def sizes(letters: str, embed: int, heads: int) -> tuple[int, ...]:
        return tuple({"h": heads, "d": embed // heads, "e": embed, "r": 3}[letter] for letter in letters)

    def shapes(embed: int, heads: int) -> Shapes:
        if fused_axis:
            found = {"W": sizes(weight, embed, heads)} | ({"B": sizes(bias, embed, heads)} if bias else {})
        else:
            found = {f"W_{role}": sizes(weight, embed, heads) for role in "QKV"}
            found |= {f"b_{role}": sizes(bias, embed, heads) for role in "QKV" if bias}
        return found | {"W_O": sizes(out, embed, heads), "b_O": (embed,)}

    def forward(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
        if fused_axis:
            parts = list(torch.einsum(f"bte,{weight}->rbhtd", x, leaves["W"]))
            biases = list(torch.einsum(f"{bias}->rhd", leaves["B"])) if bias else []
        else:
            parts = [torch.einsum(f"bte,{weight}->bhtd", x, leaves[f"W_{role}"]) for role in "QKV"]
            biases = [torch.einsum(f"{bias}->hd", leaves[f"b_{role}"]) for role in "QKV"] if bias else []
        parts = [part + b[:, None] for part, b in zip(parts, biases, strict=True)] if biases else parts
        z = mix(*parts, mask, fault)
        return torch.einsum(f"bhtd,{out}->bte", z, leaves["W_O"]) + leaves["b_O"]

    return Style(name, shapes, forward)


def raw(name: str, *, output: bool = True, bias: bool = False) -> Style:
    """x @ W with W (in, out), defined in scrambled order."""

    def shapes(embed: int, heads: int) -> Shapes:
        names = ("c", "a", "d", "b") if output else ("c", "a", "b")
        return dict.fromkeys(names, (embed, embed)) | ({f"{n}_": (embed,) for n in names} if bias else {})

    def forward(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
        query, key, value = (split(x @ leaves[n] + leaves.get(f"{n}_", torch.zeros(())), heads, fault) for n in "abc")
        merged = merge(mix(query, key, value, mask, fault), fault)
        return merged @ leaves["d"] + leaves.get("d_", torch.zeros(())) if output else merged

    return Style(name, shapes, forward)


def custom(name: str, shapes: Callable[[int, int], Shapes]) -> Callable[[Callable[..., Tensor]], Style]:
    return lambda forward: Style(name, shapes, forward)


def four(embed: int, heads: int) -> Shapes:
    return {f"{role}.weight": (embed, embed) for role in "qkvo"} | {f"{role}.bias": (embed,) for role in "qkvo"}


@custom("heads of v reversed", four)
def reversed_heads(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    query, key, value = (split(linear(leaves, role, x), heads) for role in "qkv")
    return linear(leaves, "o", merge(mix(query, key, value.flip(1), mask, fault)))


@custom("strided split and merge", four)
def strided_heads(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    batch, seq, embed = x.shape
    query, key, value = (
        linear(leaves, role, x).view(batch, seq, embed // heads, heads).permute(0, 3, 1, 2) for role in "qkv"
    )
    merged = mix(query, key, value, mask, fault).permute(0, 2, 3, 1).reshape(batch, seq, embed)
    return linear(leaves, "o", merged)


@custom("strided split, contiguous merge", four)
def inconsistent_heads(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    batch, seq, embed = x.shape
    query, key, value = (
        linear(leaves, role, x).view(batch, seq, embed // heads, heads).permute(0, 3, 1, 2) for role in "qkv"
    )
    return linear(leaves, "o", merge(mix(query, key, value, mask, fault)))


@custom("strided merge, no output projection", lambda e, h: {f"{role}.weight": (e, e) for role in "qkv"})
def strided_concatenation(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    query, key, value = (split(linear(leaves, role, x), heads) for role in "qkv")
    return mix(query, key, value, mask, fault).permute(0, 2, 3, 1).reshape(x.shape)


@custom("scaled_dot_product_attention", four)
def library(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    query, key, value = (split(linear(leaves, role, x), heads) for role in "qkv")
    allowed = None if mask is None else mask.bool().expand(x.shape[0], x.shape[1], x.shape[1])[:, None]
    return linear(leaves, "o", merge(F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)))


@custom(
    "nn.MultiheadAttention",
    lambda e, h: {
        "mha.in_proj_weight": (3 * e, e),
        "mha.in_proj_bias": (3 * e,),
        "mha.out_proj.weight": (e, e),
        "mha.out_proj.bias": (e,),
    },
)
def multihead(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    module = torch.nn.MultiheadAttention(x.shape[-1], heads, batch_first=True, dtype=x.dtype)
    if mask is not None:
        mask = (mask == 0).expand(x.shape[0], x.shape[1], x.shape[1]).repeat_interleave(heads, 0)
    parameters = {path.removeprefix("mha."): leaf for path, leaf in leaves.items()}
    keywords = {"attn_mask": mask, "need_weights": False}
    output, _ = torch.func.functional_call(module, parameters, (x, x, x), keywords)
    return output


@custom("explicit loop over heads and queries", four)
def loops(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    batch, seq, embed = x.shape
    d = embed // heads
    query, key, value = (linear(leaves, role, x) for role in "qkv")
    mask = torch.ones(batch, seq, seq) if mask is None else mask.expand(batch, seq, seq)
    rows = []
    for t in range(seq):
        parts = []
        for h in range(heads):
            part = slice(h * d, h * d + d)
            s = (query[:, t, None, part] * key[..., part]).sum(-1) / math.sqrt(d)
            a = torch.exp(s) * (mask[:, t] != 0)
            parts.append((a / a.sum(-1, keepdim=True))[:, None] @ value[..., part])
        rows.append(torch.cat(parts, -1))
    return linear(leaves, "o", torch.cat(rows, 1))


@custom("heads folded into the batch, sequence first", four)
def folded(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    batch, seq, embed = x.shape
    y = x.transpose(0, 1)
    query, key, value = (
        linear(leaves, role, y).reshape(seq, batch * heads, embed // heads).transpose(0, 1) for role in "qkv"
    )
    scores = torch.bmm(query * (embed // heads) ** -0.25, key.mT * (embed // heads) ** -0.25)
    if mask is not None:
        scores = scores.masked_fill(mask.expand(batch, seq, seq).repeat_interleave(heads, 0) == 0, -1e9)
    merged = torch.bmm(scores.softmax(-1), value).transpose(0, 1).reshape(seq, batch, embed)
    return linear(leaves, "o", merged).transpose(0, 1)


@custom("mask after softmax, renormalised", four)
def renormalised(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    query, key, value = (split(linear(leaves, role, x), heads) for role in "qkv")
    attention = (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1)
    if mask is not None:
        attention = attention * (mask != 0).expand(x.shape[0], x.shape[1], x.shape[1])[:, None]
        attention = attention / attention.sum(-1, keepdim=True)
    return linear(leaves, "o", merge(attention @ value))


@custom(
    "1x1 convolutions", lambda e, h: {f"{r}.weight": (e, e, 1) for r in "qkvo"} | {f"{r}.bias": (e,) for r in "qkvo"}
)
def convolutions(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    def convolve(role: str, y: Tensor) -> Tensor:
        return F.conv1d(y.mT, leaves[f"{role}.weight"], leaves[f"{role}.bias"]).mT.contiguous()

    query, key, value = (split(convolve(role, x), heads) for role in "qkv")
    return convolve("o", merge(mix(query, key, value, mask, fault)))


@custom("all four in one parameter", lambda e, h: {"weights": (4, e, e), "biases": (4, e)})
def all_in_one(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    query, key, value = (split(x @ leaves["weights"][i].T + leaves["biases"][i], heads) for i in range(3))
    return merge(mix(query, key, value, mask, fault)) @ leaves["weights"][3].T + leaves["biases"][3]


@custom("all four in one flat parameter", lambda e, h: {"weight": (4 * e, e), "bias": (4 * e,)})
def all_in_one_flat(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    weights, biases = leaves["weight"].chunk(4), leaves["bias"].chunk(4)
    query, key, value = (split(F.linear(x, weights[i], biases[i]), heads) for i in range(3))
    return F.linear(merge(mix(query, key, value, mask, fault)), weights[3], biases[3])


@custom(
    "an output projection per head, summed",
    lambda e, h: {
        f"heads.{i}.{r}.{kind}": {"q": (e // h, e), "k": (e // h, e), "v": (e // h, e), "o": (e, e // h)}[r][
            : 2 if kind == "weight" else 1
        ]
        for i in range(h)
        for r in "qkvo"
        for kind in ("weight", "bias")
    },
)
def summed(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    total = torch.zeros_like(x)
    for i in range(heads):
        query, key, value = (linear(leaves, f"heads.{i}.{role}", x)[:, None] for role in "qkv")
        total = total + linear(leaves, f"heads.{i}.o", mix(query, key, value, mask, fault)[:, 0])
    return total


@custom(
    "query alone, key and value fused",
    lambda e, h: {"kv.weight": (2 * e, e), "kv.bias": (2 * e,), "q.weight": (e, e), "o.weight": (e, e)},
)
def fused_pair(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    key, value = linear(leaves, "kv", x).chunk(2, -1)
    query = linear(leaves, "q", x)
    return linear(leaves, "o", merge(mix(split(query, heads), split(key, heads), split(value, heads), mask, fault)))


@custom(
    "a single head with a narrow query and key",
    lambda e, h: {
        "q.weight": (5, e),
        "q.bias": (5,),
        "k.weight": (5, e),
        "k.bias": (5,),
        "v.weight": (e, e),
        "v.bias": (e,),
    },
)
def narrow(leaves: Leaves, x: Tensor, mask: Tensor | None, heads: int, fault: str) -> Tensor:
    query, key, value = (linear(leaves, role, x)[:, None] for role in "qkv")
    return mix(query, key, value, mask, fault)[:, 0]


MULTI_HEAD = (
    separate("separate Linear"),
    separate("separate Linear, scrambled names", ("alpha", "delta", "beta", "gamma"), order="vokq"),
    separate("q and k exchanged in name", ("key", "query", "value", "out")),
    separate("all four names rotated", ("out", "query", "key", "value")),
    separate("no bias", bias=""),
    separate("bias on the output alone", bias="o"),
    separate("bias on value alone", bias="v"),
    separate("bias on key alone", bias="k"),
    separate("nested layers", ("query.linear", "key.linear", "value.linear", "output")),
    separate("an unused layer", extra={"spare.weight": (7, 3), "spare.bias": (7,)}),
    separate("no output projection", order="qkv", bias="qkv"),
    separate("scale computed in float32", fault="float32 scale"),
    separate("softmax in float32", fault="softmax in float32"),
    fused("fused, stacked", stacked),
    fused("fused, stacked, no bias", stacked, bias=False),
    fused("fused, interleaved per head", interleaved),
    fused("fused, role innermost", innermost),
    fused("fused, strided heads", strided),
    per_head("per-head list", output=True),
    per_head("per-head list, no bias", output=True, bias=False),
    per_head("per-head list, no output projection", output=False),
    per_head("per-role lists", output=True, by_role=True),
    per_head("wide heads", output=True, width=7),
    einsum("(heads, embed, head_dim)", "", "hed", bias="hd"),
    einsum("(head_dim, embed, heads)", "", "deh", bias="dh", out="edh"),
    einsum("(embed, heads, head_dim)", "", "ehd", out="dhe"),
    einsum("(3, heads, embed, head_dim)", "", "rhed", bias="rhd", fused_axis=True),
    einsum("(embed, 3, heads, head_dim)", "", "erhd", bias="hrd", fused_axis=True),
    einsum("(heads, head_dim, 3, embed)", "", "hdre", bias="rhd", fused_axis=True, out="ehd"),
    raw("raw (in, out) parameters"),
    raw("raw (in, out) parameters with biases", bias=True),
    raw("raw (in, out) parameters, no output projection", output=False),
    reversed_heads,
    strided_heads,
    inconsistent_heads,
    strided_concatenation,
    library,
    multihead,
    loops,
    folded,
    renormalised,
    convolutions,
    all_in_one,
    all_in_one_flat,
    summed,
    fused_pair,
)

SINGLE_HEAD = (
    separate("separate Linear"),
    separate("three Linear layers", order="qkv"),
    separate("three Linear layers, scrambled", ("values", "a", "keys", "-"), order="kqv", bias="kq"),
    separate("three Linear layers, no bias", order="vkq", bias=""),
    raw("raw (in, out) parameters, no output projection", output=False),
    raw("raw (in, out) parameters with biases", output=False, bias=True),
    fused("fused, stacked", stacked),
    per_head("one head of a list", output=False),
    einsum("(heads, embed, head_dim)", "", "hed", bias="hd"),
    library,
    multihead,
    loops,
    convolutions,
    fused_pair,
    narrow,
    all_in_one,
    all_in_one_flat,
)
