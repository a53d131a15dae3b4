"""How features become heads: the reshapes between a projection and the attention."""

from __future__ import annotations

from .lines import Lines
from .plans import Hand, Plan
from .styles import Style


def split(plan: Plan, hand: Hand, style: Style) -> Lines:
    """$q, $k, $v with an axis for the heads."""
    if plan.split == "shared":
        return []
    return [f"${letter} = {split_one(f'${letter}', plan, hand, style.layout)}" for letter in "qkv"]


def sizes(plan: Plan) -> tuple[str, str]:
    """The batch and the length, as they stand in reshapes."""
    return "32" if plan.fixed == "batch" else "$b", "10" if plan.fixed == "seq" else "$t"


def split_one(name: str, plan: Plan, hand: Hand, layout: str) -> str:
    """(batch, seq, embed) to what the layout wants."""
    batch, seq = sizes(plan)
    heads, width = "self.$num_heads", "self.$head_dim"
    wrong = plan.split.startswith("view:") and name[-1] in plan.split.removeprefix("view:")
    viewed = f"{name}.reshape({batch}, {heads}, {seq}, {width})"
    strided = f"{name}.reshape({batch}, {seq}, {width}, {heads})"
    if layout == "folded":
        return fold(name, plan, hand, wrong)
    if layout == "sides":
        return {
            True: f"{viewed}.transpose(1, 2)",
            plan.split == "none": f"{name}.unsqueeze(2)",
            plan.split == "strided": f"{strided}.transpose(2, 3)",
            not wrong and plan.split not in ("none", "strided"): f"{name}.reshape({batch}, {seq}, {heads}, {width})",
        }[True]
    if wrong:
        return viewed
    if plan.split == "swapped":
        return f"{name}.view($t, $b, {heads}, {width}).permute(1, 2, 0, 3)"
    if plan.split == "none":
        return (
            f"{name}.unsqueeze(1)" if hand.split == "stack" else f"{name}.view({batch}, {seq}, 1, $e).transpose(1, 2)"
        )
    if plan.split == "strided":
        return f"{strided}.permute(0, 3, 1, 2)"
    right = {
        "permute": f"{name}.reshape({batch}, {seq}, {heads}, {width}).permute(0, 2, 1, 3)",
        "unflatten": f"{name}.unflatten(-1, ({heads}, -1)).transpose(1, 2)",
        "stack": f"torch.stack({name}.chunk({heads}, dim=-1), dim=1)",
    }.get(hand.split, f"{name}.view({batch}, {seq}, {heads}, {width}).transpose(1, 2)")
    right = right if not plan.fixed else f"{name}.view({batch}, {seq}, {heads}, {width}).transpose(1, 2)"
    return f"{right}.flip(1)" if plan.split == "reversed" and name == "$v" else right


def fold(name: str, plan: Plan, hand: Hand, wrong: bool) -> str:
    """(batch, seq, embed) to (batch * heads, seq, head_dim)."""
    batch, seq = sizes(plan)
    heads, width = "self.$num_heads", "self.$head_dim"
    if plan.split == "swapped":
        return f"{name}.reshape($t, $b * {heads}, {width}).transpose(0, 1)"
    if wrong:
        return f"{name}.reshape({batch} * {heads}, {seq}, {width})"
    if hand.fold == "cat":
        return f"torch.cat({name}.chunk({heads}, dim=-1), dim=0)"
    if plan.split == "strided":
        shaped = f"{name}.reshape({batch}, {seq}, {width}, {heads}).permute(0, 3, 1, 2)"
    else:
        shaped = f"{name}.view({batch}, {seq}, {heads}, {width}).transpose(1, 2)"
    return f"{shaped}.reshape({batch} * {heads}, {seq}, {width})"
