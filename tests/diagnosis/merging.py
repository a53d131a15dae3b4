"""The last part of every style: from $h, what the heads found, to the result."""

from __future__ import annotations

from .attending import dropped
from .lines import Lines
from .plans import Hand, Plan
from .projecting import linear, relu, with_bias
from .splitting import sizes
from .styles import Style

NARROW_MERGES = ("summed", "averaged", "along_seq", "along_batch", "last", "early")
"""What is as wide as one head, so the output projection has to be, too."""


def merge(plan: Plan, hand: Hand, style: Style) -> Lines:
    """From $h with an axis for the heads to $y, (batch, seq, embed)."""
    batch, seq = sizes(plan)
    if style.layout == "folded":
        return [f"$y = {unfolded(plan, hand)}"]
    if style.layout == "alone":
        return ["$y = $h"]
    sides = style.layout == "sides"
    place = 2 if sides else 1
    moved = "$h" if sides else "$h.transpose(1, 2)"
    if plan.merge in ("right", "values"):
        return [f"$y = {right(plan, hand, sides)}"]
    return {
        "seq_viewed": [f"$y = torch.cat($h.unbind({place}), dim=1).reshape({batch}, {seq}, $e)"],
        "batch_viewed": [f"$y = torch.cat($h.unbind({place}), dim=0).reshape({batch}, {seq}, $e)"],
        "unmoved": [f"$y = {'$h.transpose(1, 2)' if sides else '$h'}.reshape({batch}, {seq}, self.$embed_dim)"],
        "strided": [f"$y = {moved}.transpose(2, 3).reshape({batch}, {seq}, $e)"],
        "summed": [f"$y = $h.sum(dim={place})"],
        "averaged": [f"$y = $h.mean(dim={place})"],
        "along_seq": [f"$y = torch.cat($h.unbind({place}), dim=1)"],
        "along_batch": [f"$y = torch.cat($h.unbind({place}), dim=0)"],
    }[plan.merge]


def right(plan: Plan, hand: Hand, sides: bool) -> str:
    """The heads, concatenated."""
    batch, seq = sizes(plan)
    if plan.split == "swapped":
        return "$h.permute(2, 0, 1, 3).reshape($t, $b, $e)"
    moved = "$h" if sides else "$h.transpose(1, 2)"
    return {
        "view": f"{moved}.contiguous().view({batch}, {seq}, -1)",
        "flatten": f"{moved}.flatten(2)",
        "cat": f"torch.cat($h.unbind({2 if sides else 1}), dim=-1)",
    }.get(hand.merge, f"{moved}.reshape({batch}, {seq}, $e)")


def unfolded(plan: Plan, hand: Hand) -> str:
    """The same for (batch * heads, seq, head_dim)."""
    batch, seq = sizes(plan)
    heads, width = "self.$num_heads", "self.$head_dim"
    by_head = f"$h.reshape({batch}, {heads}, {seq}, {width})"
    parts = f"$h.chunk({heads}, dim=0)" if hand.fold == "cat" else f"{by_head}.unbind(1)"
    if plan.merge == "right" and plan.split == "swapped":
        return "$h.transpose(0, 1).reshape($t, $b, $e)"
    if plan.merge in ("right", "values") and hand.fold != "cat":
        return f"{by_head}.transpose(1, 2).reshape({batch}, {seq}, $e)"
    if plan.merge == "unmoved":
        return f"$h.reshape({batch}, {seq}, $e)"
    if plan.merge == "strided":
        return f"torch.stack({parts}, dim=-1).flatten(2)"
    if plan.merge in ("summed", "averaged"):
        return f"torch.stack({parts}).{'sum' if plan.merge == 'summed' else 'mean'}(dim=0)"
    place = {"along_seq": 1, "along_batch": 0, "seq_viewed": 1, "batch_viewed": 0}.get(plan.merge, -1)
    back = f".reshape({batch}, {seq}, $e)" if plan.merge.endswith("viewed") else ""
    return f"torch.cat({parts}, dim={place}){back}"


def merge_parts(plan: Plan, hand: Hand) -> Lines:
    """The same for a list of heads, $parts."""
    merged = {
        "right": "torch.stack($parts, dim=2).flatten(2)" if hand.merge == "flatten" else "torch.cat($parts, dim=-1)",
        "unmoved": "torch.stack($parts, dim=1).reshape(x.shape)",
        "strided": "torch.stack($parts, dim=-1).flatten(2)",
        "summed": "sum($parts)" if hand.negative else "torch.stack($parts).sum(dim=0)",
        "averaged": "torch.stack($parts).mean(dim=0)",
        "along_seq": "torch.cat($parts, dim=1)",
        "along_batch": "torch.cat($parts, dim=0)",
        "seq_viewed": "torch.cat($parts, dim=1).reshape(x.shape)",
        "batch_viewed": "torch.stack($parts).reshape(x.shape)",
        "discarded": "x",
    }
    merged["values"] = merged["right"]
    return [f"$y = {merged[plan.merge.removesuffix('_wide')]}"]


# -- the output projection ---------------------------------------------------------------------------------------------


def output_layer(plan: Plan, hand: Hand, style: Style) -> Lines:
    """What `__init__` makes for the output projection."""
    if not style.heads or plan.output in ("missing", "forward"):
        return []
    width = "self.$head_dim" if plan.merge in NARROW_MERGES else "embed_dim"
    if plan.output == "tensor":
        return [f"self.$output = torch.randn({width}, embed_dim, requires_grad=True)"]
    if plan.output == "list":
        return [f"self.$output = [{linear('o', width, 'embed_dim', hand)}]"]
    if not style.raw:
        return [f"self.$output = {linear('o', width, 'embed_dim', hand)}"]
    by_head = style.projection == "einsum" and width == "embed_dim"
    shape = "num_heads, self.$head_dim, embed_dim" if by_head else f"{width}, embed_dim"
    lines = [f"self.$output = nn.Parameter(torch.randn({shape}) / math.sqrt(embed_dim))"]
    return lines + ["self.$output_b = nn.Parameter(torch.zeros(embed_dim))"] * with_bias("o", hand)


def output(plan: Plan, hand: Hand, style: Style) -> Lines:
    """$y, projected."""
    if not style.heads or plan.output in ("missing", "unused"):
        return []
    if plan.output == "forward":
        return ["$y = nn.Linear(x.shape[-1], self.$embed_dim, device=x.device, dtype=x.dtype)($y)"]
    target = "$o" if plan.output == "computed" else "$y"
    if plan.output == "tensor":
        return ["$y = $y @ self.$output"]
    if plan.output == "list":
        return ["$y = self.$output[0]($y)"]
    if not style.raw:
        return [f"{target} = self.$output($y)"]
    flat = ".flatten(0, 1)" if style.projection == "einsum" and plan.merge not in NARROW_MERGES else ""
    bias = " + self.$output_b" if with_bias("o", hand) else ""
    return [f"{target} = $y @ self.$output{flat}{bias}"]


def merge_and_project(plan: Plan, hand: Hand, style: Style) -> Lines:
    """From $h to what would be returned if nothing else happened."""
    by_einsum = style.projection == "einsum" and (plan.merge, plan.output) == ("right", "right")
    if by_einsum and plan.dropout not in ("merged", "output") and plan.split != "none":
        bias = " + self.$output_b" if with_bias("o", hand) else ""
        return [f'$y = torch.einsum("bhtd,hde->bte", $h, self.$output){bias}']
    return [*merge(plan, hand, style), *project_output(plan, hand, style)]


def project_output(plan: Plan, hand: Hand, style: Style) -> Lines:
    """The output projection with what dropout does before and after it."""
    return [
        *(dropped("$y", plan, hand) if plan.dropout == "merged" else []),
        *output(plan, hand, style),
        *(dropped("$y", plan, hand) if plan.dropout == "output" else []),
    ]


# -- before and after --------------------------------------------------------------------------------------------------


def before(plan: Plan, hand: Hand) -> Lines:
    """What happens to the input."""
    keep = ["$first = x"] if plan.before and plan.after in ("residual", "residual_front") else []
    lines = {
        "norm": ["x = self.$norm(x)"],
        "norm_function": ["x = F.layer_norm(x, (x.shape[-1],))"],
        "swapped": ["x = x.transpose(0, 1)"],
    }
    seed = ["torch.manual_seed(0)"] if plan.seeded == "forward" else []
    return seed + keep + lines.get(plan.before, []) + (dropped("x", plan, hand) if plan.dropout == "input" else [])


def after(plan: Plan, hand: Hand) -> Lines:
    """What happens to the result, and its return."""
    x = "$first" if plan.before and plan.before != "swapped" else "x"
    lines = {
        "residual": [f"$y = $y + {x}"],
        "residual_front": [f"$y = {x} + $y"],
        "norm": ["$y = self.$norm($y)"],
        "norm_function": ["$y = F.layer_norm($y, $y.shape[-1:])"],
        "relu": [f"$y = {relu('$y', hand)}"],
        "tanh": ["$y = torch.tanh($y)"],
        "gelu": ["$y = F.gelu($y)"],
        "round_4": ["$y = torch.round($y, decimals=4)"],
        "round_3": ["$y = ($y * 1000).round() / 1000"],
        "written": ["x[:] = $y", "$y = x"],
        "copied": ["$y = x.copy_($y)"],
        "added": ["x += $y", "$y = x"],
    }.get(plan.after, [])
    noise = ["$y = $y + 0.01 * torch.randn_like($y)"] if plan.noise == "output" else []
    back = ["$y = $y.transpose(0, 1)"] if plan.before == "swapped" else []
    return [*lines, *noise, *fixed(plan), *back, "return $y"]


def fixed(plan: Plan) -> Lines:
    """A result that is always of one dtype, or on one device."""
    empty = {
        "dtype": "$o = torch.zeros($y.shape, dtype=torch.float32, device=$y.device)",
        "device": '$o = torch.zeros($y.shape, dtype=$y.dtype, device="cpu")',
    }.get(plan.fixed)
    if plan.fixed == "cast":
        return ["$y = $y.float()"]
    return [empty, "$o[:] = $y", "$y = $o"] if empty else []
