"""What a mask does to the scores and to the weights, rightly and wrongly."""

from __future__ import annotations

from .lines import Lines, indent, size
from .plans import Hand, Plan


def masks_before(plan: Plan, hand: Hand, layout: str) -> Lines:
    """Everything that happens to the scores between product and softmax."""
    if plan.mask.startswith("builtin"):
        own = own_causal(plan, hand, layout)
        return [*own, *(masks_before_softmax(Plan(), hand, layout))]
    return masks_before_softmax(plan, hand, layout)


def own_causal(plan: Plan, hand: Hand, layout: str) -> Lines:
    """A causal mask that the module makes for itself, perhaps one diagonal off."""
    diagonal = {"leak": 1, "no_self": -1}.get(plan.mask.partition("_")[2], 0)
    length = size("seq", hand, layout)
    if hand.negative:
        return [
            f"$c = torch.ones({length}, {length}, device=$q.device).tril(diagonal={diagonal})",
            "$s = $s.masked_fill($c == 0, -math.inf)",
        ]
    return [
        f"$c = torch.ones({length}, {length}, dtype=torch.bool, device=$q.device).triu({diagonal + 1})",
        "$s = $s.masked_fill($c, -math.inf)",
    ]


def masks_before_softmax(plan: Plan, hand: Hand, layout: str) -> Lines:
    if plan.mask in ("absent", "unforwarded", "after_product", "after_fill", "renormalised"):
        return []
    if plan.mask in ("instead_leak", "instead_no_self"):
        return ["if mask is not None:", *indent(own_causal(plan, hand, layout))]
    prepared, mask = prepare(plan, hand, layout)
    return ["if mask is not None:", *indent([*prepared, *filled(plan, hand, mask)])]


def prepare(plan: Plan, hand: Hand, layout: str) -> tuple[Lines, str]:
    """Lines that shape the mask for the scores, and the expression for what comes out."""
    given = {
        "queries": "mask.transpose(-2, -1)",
        "first_sample": "mask[:1] if mask.dim() == 3 else mask",
        "first_sample_index": "mask[0] if mask.dim() == 3 else mask",
    }.get(plan.mask)
    lines: Lines = [f"$m = {given}"] if given else []
    mask = "$m" if given else "mask"
    if layout == "alone":
        return lines, mask
    batch, seq, heads = (size(name, hand, layout) for name in ("batch", "seq", "heads"))
    expanded = f"{mask}.expand({batch}, {seq}, {seq})"
    if layout == "folded":
        headwise = (hand.fold == "cat") != (plan.mask == "head_batch_order")
        repeated = f"repeat({heads}, 1, 1)" if headwise else f"repeat_interleave({heads}, dim=0)"
        return [*lines, f"$m = {expanded}.{repeated}"], "$m"
    if plan.mask == "head_batch_order":
        return [*lines, f"$m = {expanded}.repeat({heads}, 1, 1).view({batch}, {heads}, {seq}, {seq})"], "$m"
    if hand.heads_axis == "lines":
        return [*lines, f"$m = {mask}.unsqueeze(1) if {mask}.dim() == 3 else {mask}"], "$m"
    if hand.heads_axis == "expand":
        return [*lines, f"$m = {expanded}[:, None]"], "$m"
    return lines, f"{mask}.unsqueeze(-3)"


FILLS = {
    "fill_zero": "0.0",
    "fill_tiny": "1e-9",
    "fill_minus_tiny": "-1e-9",
    "fill_ten": "-10.0",
    "fill_five": "-5.0",
    "fill_inf": "math.inf",
    "fill_inf_text": 'float("inf")',
}
ARITHMETIC = {
    "multiplied": "$s = $s * {mask}",
    "added": "$s = $s + {mask}",
    "added_complement": "$s = $s + (1 - {mask}.to($s.dtype))",
    "minus_ten": "$s = $s + (1.0 - {mask}.to($s.dtype)) * -10.0",
    "zero_times_inf": "$s = $s + (1 - {mask}.to($s.dtype)) * -math.inf",
    "zero_times_inf_bool": '$s = $s + ({mask} == 0) * float("-inf")',
}


def filled(plan: Plan, hand: Hand, mask: str) -> Lines:
    """The line that puts the mask into the scores."""
    if plan.mask in ARITHMETIC:
        return [ARITHMETIC[plan.mask].format(mask=mask)]
    fill = FILLS.get(plan.mask, hand.fill)
    if plan.mask == "discarded":
        return [f"$s.masked_fill({mask} == 0, {fill})"]
    if plan.mask == "discarded_where":
        return [f"$m = torch.where({mask} == 0, {fill}, $s)"]
    if plan.mask == "inverted":
        forbidden = f"{mask} != 0" if hand.condition == "== 0" else f"{mask}.bool()"
    else:
        forbidden = f"{mask} == 0" if hand.condition == "== 0" else f"~{mask}.bool()"
    if plan.mask in ("respected", "queries", "head_batch_order") and hand.mask == "arithmetic":
        return [f"$s = $s + (1.0 - {mask}.to($s.dtype)) * -1e9"]
    if plan.mask in ("respected", "queries", "head_batch_order") and hand.mask == "log":
        return [f"$s = $s + {mask}.to($s.dtype).log()"]
    return {
        "fill_": [f"$s.masked_fill_({forbidden}, {fill})"],
        "where": [f"$s = torch.where({forbidden}, {fill}, $s)"],
        "additive": [f"$s = $s + torch.zeros_like($s).masked_fill({forbidden}, {fill})"]
        if plan.mask not in FILLS or plan.mask.startswith("fill_inf")
        else [f"$s = $s.masked_fill({forbidden}, {fill})"],
    }.get(hand.mask, [f"$s = $s.masked_fill({forbidden}, {fill})"])


def masks_after(plan: Plan, hand: Hand, layout: str) -> Lines:
    """What a mask does to the weights."""
    if plan.mask not in ("after_product", "after_fill", "renormalised"):
        return []
    prepared, mask = prepare(plan, hand, layout)
    lines = {
        "after_product": [f"$w = $w * {mask}"],
        "after_fill": [f"$w = $w.masked_fill({mask} == 0, 0.0)"],
        "renormalised": [f"$w = $w * ({mask} != 0)", "$w = $w / $w.sum(dim=-1, keepdim=True)"],
    }[plan.mask]
    return ["if mask is not None:", *indent([*prepared, *lines])]
