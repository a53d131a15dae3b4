"""Writes submissions: the source of a class, from a style, a plan (what is computed) and a hand (how it is spelled)."""

from __future__ import annotations

import re
from dataclasses import replace

from .attending import attend, scale_attribute
from .lines import Lines, indent
from .merging import after, before, merge_and_project, merge_parts, output_layer, project_output
from .names import named
from .plans import Hand, Plan
from .projecting import by_einsum, interleaved, layers, project, projected, roles
from .splitting import split
from .styles import Style

CLASS = {True: "MultiHeadSelfAttention", False: "SelfAttention"}


def write(style: Style, plan: Plan, hand: Hand) -> str:
    """The source of a submission."""
    hand = settled(style, plan, hand)
    body = [*head_class(style, plan, hand), *main_class(style, plan, hand)]
    text = named("\n".join(body), hand.names)
    imports = ["import math", ""] if "math." in text else []
    imports += ["import torch"] if "torch." in text else []
    imports += ["import torch.nn.functional as F"] if "F." in text else []
    return "\n".join([*imports, "from torch import nn", "", "", text, ""])


def settled(style: Style, plan: Plan, hand: Hand) -> Hand:
    """The hand, with what the plan does not leave open."""
    if plan.split.startswith("view:") or plan.split == "swapped" or plan.merge == "unmoved" or plan.fixed:
        hand = replace(hand, fold="view")
    if plan.split == "none" or plan.merge.endswith("_wide"):
        hand = replace(hand, width="$q.shape[-1]")
    if plan.mask == "unforwarded":
        hand = replace(hand, structure="method")
    if plan.split == "strided":
        hand = replace(hand, fold="view")
    if plan.split != "right" and style.layout == "loop":
        hand = replace(hand, loop="range")
    return hand


# -- __init__ ----------------------------------------------------------------------------------------------------------


def attributes(style: Style) -> Lines:
    """The sizes that forward needs."""
    if not style.heads:
        return ["self.$embed_dim = self.$head_dim = embed_dim"]
    return [
        "self.$num_heads = num_heads",
        "self.$head_dim = embed_dim // num_heads",
        "self.$embed_dim = embed_dim",
    ]


def dropout_layer(plan: Plan, hand: Hand) -> Lines:
    """What `__init__` keeps for dropout."""
    if plan.dropout == "keep":
        return ["self.$drop = nn.Dropout(1 - dropout)"]
    if plan.dropout == "absent":
        return []
    by_rate = plan.dropout in ("eval_function", "eval_made", "eval_true", "off")
    written_out = hand.dropout == "function" and plan.dropout not in ("never", "discarded")
    if by_rate or written_out:
        return ["self.$rate = dropout"]
    return ["self.$drop = nn.Dropout(dropout)"]


def other_layers(style: Style, plan: Plan, hand: Hand) -> Lines:
    """What `__init__` makes besides q, k, v."""
    norm = ["self.$norm = nn.LayerNorm(embed_dim)"] if "norm" in (plan.before, plan.after) else []
    return [*output_layer(plan, hand, style), *norm]


def constructor(arguments: str, lines: Lines) -> Lines:
    """An `__init__`."""
    return indent([f"def __init__(self, {arguments}, dropout=0.0):", *indent(["super().__init__()", *lines]), ""])


def check(style: Style) -> Lines:
    """The complaint about sizes that do not fit."""
    if not style.heads:
        return []
    return ["if embed_dim % num_heads != 0:", '    raise ValueError("embed_dim must be divisible by num_heads")']


def init(style: Style, plan: Plan, hand: Hand) -> Lines:
    """The `__init__` of the class that is handed in."""
    inside = style.projection != "modules"
    projections = layers(plan, hand, style) if inside else head_list(plan)
    rest = other_layers(style, plan, hand)
    lines = [
        *(["torch.manual_seed(0)"] if plan.seeded == "init" else []),
        *check(style),
        *(["embed_dim = 512"] if plan.fixed == "embed" else []),
        *attributes(style),
        *(rest + projections if hand.order[0] == "o" else projections + rest),
        *(dropout_layer(plan, hand) if inside or plan.dropout in ("output", "merged", "input") else []),
        *(scale_attribute(plan, hand) if inside else []),
    ]
    return constructor("embed_dim, num_heads" if style.heads else "embed_dim", lines)


# -- forward -----------------------------------------------------------------------------------------------------------


def main_class(style: Style, plan: Plan, hand: Hand) -> Lines:
    """The class that is handed in."""
    body, methods = forward(style, plan, hand)
    lines = [*before(plan, hand), *body]
    if any(re.search(r"\$[bte]\b", line) for line in lines):
        order = "$t, $b, $e" if plan.split == "swapped" else "$b, $t, $e"
        lines.insert(len(before(plan, hand)), f"{order} = x.shape")
    return [
        f"class {CLASS[style.heads]}(nn.Module):",
        *init(style, plan, hand),
        *indent(methods),
        *indent(["def forward(self, x, mask=None):", *indent(lines)]),
    ]


def forward(style: Style, plan: Plan, hand: Hand) -> tuple[Lines, Lines]:
    """The body of forward after what happens to x, and the methods it needs."""
    if style.layout == "loop":
        return loop(style, plan, hand), []
    whole = style.layout == "folded" and plan.split == "none"  # nothing to fold: one head
    layout = "alone" if whole else style.layout
    heads = project(plan, hand, style) if whole else split_heads(style, plan, hand)
    middle, methods = middle_of(plan, hand, layout)
    if whole:
        return [*heads, *middle, "$y = $h", *project_output(plan, hand, style), *after(plan, hand)], methods
    return [*heads, *middle, *merge_and_project(plan, hand, style), *after(plan, hand)], methods


def middle_of(plan: Plan, hand: Hand, layout: str) -> tuple[Lines, Lines]:
    """From $q, $k, $v to $h: in place, or by a method, which is the second part."""
    if hand.structure != "method":
        return attend(plan, hand, layout), []
    forgotten = plan.mask == "unforwarded"
    inside = replace(plan, mask="respected") if forgotten else plan
    body = indent([*attend(inside, hand, layout), "return $h"])
    method = [f"def $attend(self, $q, $k, $v, mask{'=None' if forgotten else ''}):", *body, ""]
    return [f"$h = self.$attend($q, $k, $v{'' if forgotten else ', mask'})"], method


def split_heads(style: Style, plan: Plan, hand: Hand) -> Lines:
    """From x to $q, $k, $v as the layout wants them."""
    if style.projection == "interleaved":
        return interleaved(plan, hand)
    if style.projection == "einsum":
        return by_einsum(plan, hand)
    if style.layout == "alone":
        return project(plan, hand, style)
    return [*project(plan, hand, style), *split(plan, hand, style)]


# -- one head after the other ------------------------------------------------------------------------------------------


def head_list(plan: Plan) -> Lines:
    """The list of heads, each a module."""
    head = "$Head(embed_dim, num_heads, dropout)"
    if plan.split == "shared":
        return [f"self.$head = {head}"]
    many = f"[{head}] * num_heads" if plan.split == "multiplied" else f"[{head} for _ in range(num_heads)]"
    return [f"self.$heads = {many if plan.parameters == 'list' else f'nn.ModuleList({many})'}"]


def head_class(style: Style, plan: Plan, hand: Hand) -> Lines:
    """The class of one head."""
    if style.projection != "modules":
        return []
    lines = [*attributes(style), *layers(plan, hand, style), *dropout_layer(plan, hand), *scale_attribute(plan, hand)]
    inside = replace(plan, mask="respected") if plan.mask == "unforwarded" else plan
    body = [*project(plan, hand, style), *attend(inside, hand, "alone"), "return $h"]
    return [
        "class $Head(nn.Module):",
        *constructor("embed_dim, num_heads", lines),
        *indent(["def forward(self, x, mask=None):", *indent(body)]),
        "",
        "",
    ]


def loop(style: Style, plan: Plan, hand: Hand) -> Lines:
    """A loop over the heads, and what follows it."""
    over, body, first = heads_of(style, plan, hand)
    tail = [*project_output(plan, hand, style), *after(plan, hand)]
    if plan.merge == "last":
        return [*first, over, *indent(body), "$y = $h", *tail]
    if plan.merge == "early":
        return [*first, over, *indent([*body, "$y = $h", *tail])]
    collected = [*first, "$parts = []", over, *indent([*body, "$parts.append($h)"])]
    if style.projection == "modules" and hand.loop == "zip":
        call = body[0].removeprefix("$h = ")
        collected = [*first, f"$parts = [{call} {over.removesuffix(':')}]"]
    return [*collected, *merge_parts(plan, hand), *tail]


def heads_of(style: Style, plan: Plan, hand: Hand) -> tuple[str, Lines, Lines]:
    """The `for` line, what it does for one head, and what comes before it."""
    over, chunk = "for $i in range(self.$num_heads):", "x.chunk(self.$num_heads, dim=-1)[$i]"
    if style.projection == "modules":
        mask = "" if plan.mask == "unforwarded" else ", mask"
        if plan.split == "shared":
            return "for $part in x.chunk(self.$num_heads, dim=-1):", [f"$h = self.$head($part{mask})"], []
        if plan.split == "own_slices":
            return over, [f"$h = self.$heads[$i]({chunk}{mask})"], []
        return "for $head in self.$heads:", [f"$h = $head(x{mask})"], []
    if style.projection == "lists":
        source = chunk if plan.split in ("shared", "own_slices") else "x"
        of_x = [chunk if role == "x" else projected(role, plan, hand, style, source) for _, role in roles(plan)]
        relu_lines = project(replace(plan, roles="xxx"), hand, style)[3:]
        names = [f"${letter} = {made}" for letter, made in zip("qkv", of_x, strict=True)]
        return over, [*names, *relu_lines, *attend(plan, hand, "alone")], []
    first = [re.sub(r"\$([qkv])\b", r"$\1s", line) for line in project(plan, hand, style)]
    cut = {
        "range": [f"${letter} = ${letter}s.chunk(self.$num_heads, dim=-1)[$i]" for letter in "qkv"],
        "zip": [
            "$part = slice($i * self.$head_dim, ($i + 1) * self.$head_dim)",
            *(f"${letter} = ${letter}s[..., $part]" for letter in "qkv"),
        ],
    }[hand.loop]
    return over, [*cut, *attend(plan, hand, "alone")], first
