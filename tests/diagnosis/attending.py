"""The middle of every style: source lines that lead from $q, $k, $v to $h, what the queries receive.

A layout says where the axes are:

    heads    (batch, heads, seq, head_dim), scores (batch, heads, seq, seq)
    sides    (batch, seq, heads, head_dim), scores (batch, heads, seq, seq), by einsum alone
    folded   (batch * heads, seq, head_dim), scores (batch * heads, seq, seq)
    alone    (batch, seq, head_dim), scores (batch, seq, seq): one head, in a loop or not
"""

from __future__ import annotations

from .lines import Lines, indent, size
from .masking import masks_after, masks_before
from .plans import Hand, Plan

KEYS_LAST = {"heads": ("bhqd", "bhkd", "bhqk"), "sides": ("bqhd", "bkhd", "bhqk")}
NARROW = ("bqd", "bkd", "bqk")


def attend(plan: Plan, hand: Hand, layout: str) -> Lines:
    """From $q, $k, $v to $h."""
    weigh = [
        *scale_before(plan, hand, layout),
        *scores(plan, hand, layout),
        *masks_before(plan, hand, layout),
        *(dropped("$s", plan, hand) if plan.dropout == "before_softmax" else []),
        *softmax(plan, hand, layout),
    ]
    if plan.detached == "no_grad":
        weigh = ["with torch.no_grad():", *indent(weigh)]
    return [
        *detach_before(plan),
        *weigh,
        *masks_after(plan, hand, layout),
        *detach_weights(plan),
        *dropout(plan, hand),
        *(["$w = $w + 0.05 * torch.rand_like($w)"] if plan.noise == "weights" else []),
        *mix(plan, hand, layout),
    ]


# -- scores ------------------------------------------------------------------------------------------------------------

POWERS = {"width": ("head_dim", 1.0), "inverted": ("head_dim", -0.5), "quarter": ("head_dim", 0.25)}
CONSTANTS = {"constant": "0.6", "eighth": "0.125", "larger": "1.5"}


def power_of(plan: Plan) -> tuple[str, float]:
    """The size that the scores are divided by, and its exponent."""
    return POWERS.get(plan.scale, (plan.scale, 0.5))


def scaled(expression: str, plan: Plan, hand: Hand, layout: str) -> str:
    """The expression, divided by what the plan says."""
    if plan.scale in CONSTANTS:
        return f"{expression} * {CONSTANTS[plan.scale]}"
    of, power = power_of(plan)
    base = size(of, hand, layout)
    if hand.scale == "attribute" and of in ("head_dim", "embed", "heads"):
        return f"{expression} * self.$scale"
    if hand.scale == "tensor" and power == 0.5:
        return f"{expression} / torch.sqrt(torch.tensor(float({base})))"
    base = f"({base})" if " " in base else base
    if hand.scale == "power":
        return f"{expression} * {base} ** {-power}"
    if power == 1.0:
        return f"{expression} / {base}"
    if power == 0.5:
        return f"{expression} / math.sqrt({base})"
    if power == -0.5:
        return f"{expression} * math.sqrt({base})"
    return f"{expression} / {base} ** {power}"


def scale_attribute(plan: Plan, hand: Hand) -> Lines:
    """What `__init__` keeps for the scale."""
    of, power = power_of(plan)
    if hand.scale != "attribute" or plan.scale == "missing" or plan.scale in CONSTANTS:
        return []
    base = {"head_dim": "self.$head_dim", "embed": "self.$embed_dim", "heads": "self.$num_heads"}.get(of)
    wide = plan.split == "none" or plan.merge.endswith("_wide")
    base = "self.$embed_dim" if of == "head_dim" and wide else base
    return [f"self.$scale = {base} ** {-power}"] if base else []


def scale_before(plan: Plan, hand: Hand, layout: str) -> Lines:
    """The scale, where it is put on the queries, or on both sides."""
    if plan.scale == "twice":
        return [f"$q = $q / math.sqrt({size('head_dim', hand, layout)})"]
    if plan.scale == "head_dim" and hand.scale == "both":
        factor = f"{size('head_dim', hand, layout)} ** -0.25"
        return [f"$q = $q * {factor}", f"$k = $k * {factor}"]
    if hand.scale == "query" and plan.scale != "missing":
        return [f"$q = {scaled('$q', plan, hand, layout)}"]
    return []


def scores(plan: Plan, hand: Hand, layout: str) -> Lines:
    """$s, with its scale unless that was applied before."""
    product = product_of_scores(hand, layout)
    if plan.scale == "twice":
        return [f"$s = {product} / math.sqrt({size('head_dim', hand, layout)})"]
    done = plan.scale == "missing" or hand.scale == "query" or (plan.scale == "head_dim" and hand.scale == "both")
    if done:
        return [f"$s = {product}"]
    if hand.scale == "later":
        return [f"$s = {product}", f"$s = {scaled('$s', plan, hand, layout)}"]
    return [f"$s = {scaled(product, plan, hand, layout)}"]


def product_of_scores(hand: Hand, layout: str) -> str:
    """The products of queries and keys."""
    if layout == "sides" or hand.product == "einsum":
        query, key, both = KEYS_LAST.get(layout, NARROW)
        return f'torch.einsum("{query},{key}->{both}", $q, $k)'
    if hand.product == "matmul":
        return "torch.matmul($q, $k.transpose(-1, -2))"
    if hand.product == "bmm" and layout in ("folded", "alone"):
        return "torch.bmm($q, $k.transpose(1, 2))"
    if hand.product == "baddbmm" and layout == "folded":
        return "torch.baddbmm($q.new_zeros(1, 1, 1), $q, $k.transpose(1, 2), beta=0)"
    return "$q @ $k.transpose(-2, -1)"


# -- softmax -----------------------------------------------------------------------------------------------------------


def axis(name: str, hand: Hand, layout: str) -> str:
    """The number of an axis of the scores."""
    ranks = 4 if layout in ("heads", "sides") else 3
    place = {"keys": ranks - 1, "queries": ranks - 2, "heads": 1, "batch": 0}[name]
    return str(place - ranks if hand.negative and name in ("keys", "queries") else place)


def normalised(expression: str, over: str, hand: Hand) -> Lines:
    """$w as the softmax of an expression over an axis."""
    return {
        "F": [f"$w = F.softmax({expression}, dim={over})"],
        "method": [f"$w = {expression}.softmax({over})"],
        "module": [f"$w = nn.Softmax(dim={over})({expression})"],
        "hand": [
            f"$w = torch.exp({expression} - {expression}.amax(dim={over}, keepdim=True))",
            f"$w = $w / $w.sum(dim={over}, keepdim=True)",
        ],
        "log": [f"$w = F.log_softmax({expression}, dim={over}).exp()"],
    }.get(hand.softmax, [f"$w = torch.softmax({expression}, dim={over})"])


def softmax(plan: Plan, hand: Hand, layout: str) -> Lines:
    """$w, the attention weights."""
    over = axis("keys", hand, layout)
    if plan.softmax in ("keys", "queries", "heads", "batch"):
        return normalised("$s", axis(plan.softmax, hand, layout), hand)
    return {
        "missing": ["$w = $s"],
        "twice": [*normalised("$s", over, hand), f"$w = F.softmax($w, dim={over})"],
        "global": ["$w = torch.softmax($s.flatten(-2), dim=-1).view_as($s)"],
        "sigmoid": ["$w = torch.sigmoid($s)"],
        "l1": [f"$w = $s / $s.abs().sum(dim={over}, keepdim=True)"],
        "l1_plain": [f"$w = $s / $s.sum(dim={over}, keepdim=True)"],
        "log": [f"$w = F.log_softmax($s, dim={over})"],
        "exp": ["$w = torch.exp($s)"],
        "relu": ["$w = F.relu($s)"],
        "relu_sum": ["$w = F.relu($s)", f"$w = $w / ($w.sum(dim={over}, keepdim=True) + 1e-12)"],
        "tanh": ["$w = torch.tanh($s)"],
        "batch_heads": normalised("$s", "0", hand),
        "unstable": ["$w = torch.exp($s)", f"$w = $w / $w.sum(dim={over}, keepdim=True)"],
    }[plan.softmax]


# -- dropout, gradients, mixing ----------------------------------------------------------------------------------------

DROPOUT_LINES = {
    "eval_function": "$w = F.dropout($w, self.$rate)",
    "eval_made": "$w = nn.Dropout(self.$rate)($w)",
    "eval_true": "$w = F.dropout($w, p=self.$rate, training=True)",
    "off": "$w = F.dropout($w, p=self.$rate, training=False)",
    "discarded": "self.$drop($w)",
}


def dropped(name: str, plan: Plan, hand: Hand) -> Lines:
    """A variable, through dropout."""
    if hand.dropout == "function" and plan.dropout != "keep":
        return [f"{name} = F.dropout({name}, p=self.$rate, training=self.training)"]
    return [f"{name} = self.$drop({name})"]


def dropout(plan: Plan, hand: Hand) -> Lines:
    """Dropout of weights, or of values."""
    if plan.dropout in DROPOUT_LINES:
        return [DROPOUT_LINES[plan.dropout]]
    if plan.dropout == "values":
        return dropped("$v", plan, hand)
    return dropped("$w", plan, hand) if plan.dropout in ("right", "keep") else []


def detach_before(plan: Plan) -> Lines:
    lines = {"query": ["$q = $q.detach()"], "values": ["$v = $v.detach()"], "data": ["$q, $k = $q.data, $k.data"]}
    return lines.get(plan.detached, [])


def detach_weights(plan: Plan) -> Lines:
    return {"weights": ["$w = $w.detach()"], "clone": ["$w = $w.data.clone()"]}.get(plan.detached, [])


def mix(plan: Plan, hand: Hand, layout: str) -> Lines:
    """$h: the values, weighted and summed."""
    if plan.merge == "values":
        return ["$h = $v"]
    if layout == "sides" or hand.product == "einsum":
        _, value, weights = KEYS_LAST.get(layout, NARROW)
        mixed = value.replace("k", "q")
        weights = weights[:-2] + ("kq" if plan.transposed else "qk")
        return [f'$h = torch.einsum("{weights},{value}->{mixed}", $w, $v)']
    weights = "$w.transpose(-2, -1)" if plan.transposed else "$w"
    if hand.product == "matmul":
        return [f"$h = torch.matmul({weights}, $v)"]
    if hand.product in ("bmm", "baddbmm") and layout in ("folded", "alone"):
        return [f"$h = torch.bmm({weights}, $v)"]
    return [f"$h = {weights} @ $v"]
