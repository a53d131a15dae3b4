"""Which plans can be written in which style, as a student could have written them."""

from __future__ import annotations

from dataclasses import fields

from .mistakes import Mistake, planned
from .plans import Plan
from .styles import ONE_HEAD, STYLES, Style

WRITTEN = {
    "parameters": {
        "dict": {"separate"},
        "list": {"separate", "lists", "modules"},
        "tensor": {"in_out", "einsum"},
        "forward": {"separate", "in_out"},
    },
    "split": {
        "own_slices": {"lists", "modules"},
        "multiplied": {"lists", "modules"},
        "view:qkv": {"separate", "stacked", "kv", "in_out", "interleaved"},
        "view:qk": {"separate", "stacked", "kv", "in_out"},
        "view:v": {"separate", "stacked", "kv", "in_out"},
        "none": {"separate", "stacked", "kv", "in_out", "interleaved"},
        "strided": {"separate", "stacked", "kv", "in_out", "interleaved"},
        "reversed": {"separate", "stacked", "kv", "in_out"},
        "swapped": {"separate", "stacked", "kv", "in_out"},
    },
    "merge": {"summed_wide": {"lists", "modules"}, "averaged_wide": {"lists", "modules"}},
    "fixed": {
        "seq": {"separate", "stacked", "kv", "in_out", "interleaved"},
        "batch": {"separate", "stacked", "kv", "in_out", "interleaved"},
    },
    "output": {"list": {"separate", "stacked", "kv", "interleaved", "lists", "modules"}},
}
"""The projections with which a value of a field can be written; all, where nothing is said."""
SPLIT_AXES = frozenset({"heads", "folded", "sides"})
ANY_HEADS = SPLIT_AXES | {"loop"}
MERGES = "unmoved strided summed averaged along_seq along_batch seq_viewed batch_viewed"
LAID_OUT: dict[str, dict[str, frozenset[str]]] = {
    "split": {
        "shared": ANY_HEADS,
        **dict.fromkeys(["view:qkv", "view:qk", "view:v", "none", "strided"], SPLIT_AXES),
        "reversed": frozenset({"heads"}),
        "swapped": frozenset({"heads", "folded"}),
    },
    "merge": {
        **dict.fromkeys(["last", "early", "discarded"], frozenset({"loop"})),
        **dict.fromkeys(MERGES.split(), ANY_HEADS),
    },
    "softmax": {
        "heads": frozenset({"heads", "sides"}),
        "batch_heads": frozenset({"folded"}),
        "batch": frozenset({"heads", "sides", "loop", "alone"}),
    },
    "mask": {"head_batch_order": SPLIT_AXES},
    "scale": dict.fromkeys(["embed", "heads"], ANY_HEADS),
    "output": dict.fromkeys(["missing", "unused", "computed", "tensor", "list", "forward"], ANY_HEADS),
    "fixed": dict.fromkeys(["seq", "batch"], SPLIT_AXES),
}
"""The same for layouts."""


def possible(style: Style, plan: Plan) -> bool:
    """Whether a plan can be written in a style, as a student could have written it."""
    written = all(
        style.projection in WRITTEN.get(field.name, {}).get(getattr(plan, field.name), {style.projection})
        and style.layout in LAID_OUT.get(field.name, {}).get(getattr(plan, field.name), {style.layout})
        for field in fields(plan)
    )
    return written and not clash(style, plan)


def clash(style: Style, plan: Plan) -> bool:
    """Fields that do not go together."""
    narrow = plan.merge in ("summed", "averaged", "along_seq", "along_batch", "last", "early")
    wide = plan.merge.endswith("_wide")
    by_input = "x" in plan.roles
    unrolled = style.layout == "loop"
    return any(
        (
            plan.split == "shared" and unrolled and not style.per_head,
            by_input and (style.projection == "modules" or wide),
            plan.roles == "xxx" and (plan.parameters != "registered" or plan.activation or plan.split == "shared"),
            by_input and set(plan.activation) & {r for r, of in zip("qkv", plan.roles, strict=True) if of == "x"},
            plan.parameters in ("forward", "dict") and plan.split == "shared",
            plan.parameters == "list" and style.projection in ("lists", "modules") and plan.split == "shared",
            style.projection in ("kv", "stacked", "interleaved") and plan.roles in ("kkv", "vkv", "qvv"),
            plan.mask == "unforwarded" and unrolled and style.projection != "modules",
            plan.mask == "head_batch_order" and plan.split == "none",
            plan.scale == "embed" and (plan.split == "none" or wide),
            (narrow or plan.merge == "discarded") and plan.output not in ("right", "tensor", "list"),
            wide and plan.split == "shared",
            narrow and plan.split == "none",
        )
    )


def fits(entry: Mistake, style: Style) -> bool:
    """Whether a mistake can be made in a style."""
    return possible(style, planned((entry,)))


def styles_for(entry: Mistake, *, heads: bool = True) -> list[Style]:
    """The styles in which a mistake can be made."""
    return [style for style in (STYLES if heads else ONE_HEAD).values() if fits(entry, style)]
