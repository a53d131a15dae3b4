"""The first part of every style: the layers, and the lines that lead from x to $q, $k, $v, split into heads."""

from __future__ import annotations

from dataclasses import replace

from .lines import Lines
from .plans import Hand, Plan
from .splitting import sizes, split_one
from .styles import Style

LAYER = {"q": "$query", "k": "$key", "v": "$value", "o": "$output"}


# -- layers ------------------------------------------------------------------------------------------------------------


def widths(plan: Plan, style: Style) -> tuple[str, str]:
    """How wide a projection's input and output are, as `__init__` says it."""
    inside = "self.$head_dim" if plan.split in ("shared", "own_slices") else "embed_dim"
    if style.per_head:
        return inside, "embed_dim" if plan.merge.endswith("_wide") else "self.$head_dim"
    return inside, inside


def with_bias(letter: str, hand: Hand) -> bool:
    """Whether a projection has a bias."""
    return hand.bias == "yes" or (hand.bias == "mixed" and letter in "vo")


def linear(letter: str, width_in: str, width_out: str, hand: Hand) -> str:
    """A Linear layer."""
    return f"nn.Linear({width_in}, {width_out}{'' if with_bias(letter, hand) else ', bias=False'})"


def made(plan: Plan, hand: Hand) -> list[str]:
    """The letters of the layers that are made, in the order they are made in."""
    used = set(plan.roles)
    return [letter for letter in hand.order if letter in "qkv" and (hand.spare or letter in used)]


def layers(plan: Plan, hand: Hand, style: Style) -> Lines:
    """What `__init__` makes for q, k and v."""
    width_in, width_out = widths(plan, style)
    if plan.parameters == "forward":
        return []
    if style.projection in ("separate", "modules"):
        plan = plan if style.projection == "separate" else replace(plan, parameters="registered")  # the heads' own
        return separate_layers(plan, hand, width_in, width_out)
    if style.projection == "lists":
        return [line for letter in made(plan, hand) for line in layer_list(letter, plan, hand, width_in, width_out)]
    if style.raw:
        shape = einsum_shape(hand) if style.projection == "einsum" and plan.split != "shared" else ""
        return [line for letter in made(plan, hand) for line in matrix(letter, plan, hand, shape, width_in, width_out)]
    one = len(set(plan.roles)) == 1
    if style.projection == "kv":
        query = [f"self.$query = {linear('q', width_in, width_out, hand)}"] if made(plan, hand) else []
        both = [f"self.$kv = {linear('v', width_in, f'2 * {width_out}', hand)}"]
        return query + both * (hand.spare or not one)
    if plan.roles == "xxx" and not hand.spare:
        return []
    return [f"self.$qkv = {linear('v', width_in, width_out if plan.roles == 'qqq' else f'3 * {width_out}', hand)}"]


def separate_layers(plan: Plan, hand: Hand, width_in: str, width_out: str) -> Lines:
    """A layer for each of q, k, v; or all of them in something that is no module."""
    layer = {letter: linear(letter, width_in, width_out, hand) for letter in "qkv"}
    if plan.parameters == "dict":
        return ["self.$layers = {" + ", ".join(f'"{letter}": {layer[letter]}' for letter in "qkv") + "}"]
    if plan.parameters == "list":
        return [f"self.$layers = [{layer['v']} for _ in range(3)]"]
    return [f"self.{LAYER[letter]} = {layer[letter]}" for letter in made(plan, hand)]


def layer_list(letter: str, plan: Plan, hand: Hand, width_in: str, width_out: str) -> Lines:
    """A list with a layer for every head."""
    layer = linear(letter, width_in, width_out, hand)
    many = f"[{layer} for _ in range(num_heads)]"
    if plan.split == "shared":
        return [f"self.{LAYER[letter]} = {layer}"]
    if plan.split == "multiplied":
        many = f"[{layer}] * num_heads"
    return [f"self.{LAYER[letter]} = {many if plan.parameters == 'list' else f'nn.ModuleList({many})'}"]


def einsum_shape(hand: Hand) -> str:
    """The shape of a parameter with an axis for the heads."""
    sizes = {"h": "num_heads", "e": "embed_dim", "d": "self.$head_dim"}
    return ", ".join(sizes[letter] for letter in hand.orientation)


def matrix(letter: str, plan: Plan, hand: Hand, shape: str, width_in: str, width_out: str) -> Lines:
    """A parameter that is multiplied from the right, and its bias."""
    drawn = f"torch.randn({shape or f'{width_in}, {width_out}'}"
    if plan.parameters == "tensor":
        lines = [f"self.{LAYER[letter]} = {drawn}, requires_grad=True)"]
    else:
        lines = [f"self.{LAYER[letter]} = nn.Parameter({drawn}) / math.sqrt(embed_dim))"]
    if with_bias(letter, hand):
        width = "num_heads, self.$head_dim" if shape else width_out
        lines.append(f"self.{LAYER[letter]}_b = nn.Parameter(torch.zeros({width}))")
    return lines


# -- projections -------------------------------------------------------------------------------------------------------


def project(plan: Plan, hand: Hand, style: Style) -> Lines:
    """From x to $q, $k, $v, all heads still side by side; only the shared ones are split before."""
    source, lines = "x", []
    if plan.split == "shared" and not style.per_head:
        source, lines = "$z", [f"$z = {split_one('x', plan, hand, style.layout)}"]
    if style.projection in ("stacked", "kv"):
        lines += fused(plan, hand, style, source)
    else:
        lines += [f"${letter} = {projected(role, plan, hand, style, source)}" for letter, role in roles(plan)]
    return lines + activation(plan, hand)


def roles(plan: Plan) -> list[tuple[str, str]]:
    """Which letter is made by whose projection."""
    return list(zip("qkv", plan.roles, strict=True))


def projected(role: str, plan: Plan, hand: Hand, style: Style, source: str) -> str:
    """What one projection makes of the source."""
    if role == "x":
        return source
    name = LAYER[role]
    if plan.parameters == "dict":
        return f'self.$layers["{role}"]({source})'
    if plan.parameters == "list" and style.projection == "separate":
        return f"self.$layers[{'qkv'.index(role)}]({source})"
    if plan.parameters == "forward":
        made_now = "device=x.device, dtype=x.dtype)"
        if style.raw:
            return f"{source} @ torch.randn(x.shape[-1], self.$embed_dim, {made_now}"
        return f"nn.Linear(x.shape[-1], self.$embed_dim, {made_now}({source})"
    if style.projection == "lists":
        return f"self.{name}({source})" if plan.split == "shared" else f"self.{name}[$i]({source})"
    if style.raw:
        bias = f" + self.{name}_b" if with_bias(role, hand) else ""
        return f"{source} @ self.{name}{bias}"
    return f"self.{name}({source})"


def fused(plan: Plan, hand: Hand, style: Style, source: str) -> Lines:
    """One layer for two or three roles, cut apart."""
    if plan.roles == "xxx":
        return [f"$q = $k = $v = {source}"]
    if style.projection == "kv":
        lines = [f"$q = self.$query({source})"]
        if plan.roles == "qqq":
            return [f"$q = $k = $v = self.$query({source})"]
        lines += cut(f"self.$kv({source})", "kv", plan, hand)
    elif plan.roles == "qqq":
        return [f"$q = $k = $v = self.$qkv({source})"]
    else:
        lines = cut(f"self.$qkv({source})", "qkv", plan, hand)
    return lines + reassigned(plan, source)


def reassigned(plan: Plan, source: str) -> Lines:
    """Roles that one of the three takes from another."""
    if sorted(plan.roles) == ["k", "q", "v"]:
        order = ", ".join(f"${role}" for role in plan.roles)
        return [] if plan.roles == "qkv" else [f"$q, $k, $v = {order}"]
    return [f"${letter} = {source if role == 'x' else f'${role}'}" for letter, role in roles(plan) if letter != role]


def cut(expression: str, letters: str, plan: Plan, hand: Hand) -> Lines:
    """Equal parts of the last axis, under the names of letters."""
    names = ", ".join(f"${letter}" for letter in letters)
    width = "self.$head_dim" if plan.split == "shared" else "self.$embed_dim"
    if hand.chunk == "split":
        return [f"{names} = {expression}.split({width}, dim=-1)"]
    if hand.chunk == "slices":
        starts = range(len(letters))
        parts = ", ".join(f"$y[..., {number} * {width} : {number + 1} * {width}]" for number in starts)
        return [f"$y = {expression}", f"{names} = {parts}"]
    return [f"{names} = {expression}.chunk({len(letters)}, dim=-1)"]


def activation(plan: Plan, hand: Hand) -> Lines:
    """A nonlinearity on some of q, k, v."""
    kind, _, letters = plan.activation.rpartition(":")
    made = {"": relu("{}", hand), "gelu": "F.gelu({})", "tanh": "torch.tanh({})", "sigmoid": "{}.sigmoid()"}[kind]
    return [f"${letter} = {made.format(f'${letter}')}" for letter in letters]


def relu(name: str, hand: Hand) -> str:
    """A ReLU, as the hand writes it."""
    return {"F.relu": f"F.relu({name})", "method": f"{name}.relu()"}.get(hand.relu, f"torch.relu({name})")


# -- roles and heads in one go -----------------------------------------------------------------------------------------


def interleaved(plan: Plan, hand: Hand) -> Lines:
    """One layer whose rows are ordered by head, then by role."""
    heads, width = "self.$num_heads", "self.$head_dim"
    batch, seq = sizes(plan)
    by_head = split_one("x", plan, hand, "heads")
    if plan.roles == "xxx":
        return [f"$q = $k = $v = {by_head}"]
    if plan.roles == "qqq" and plan.split == "shared":
        return [f"$z = {by_head}", "$q = $k = $v = self.$qkv($z)", *activation(plan, hand)]
    if plan.roles == "qqq":
        return [f"$q = $k = $v = {split_one('self.$qkv(x)', plan, hand, 'heads')}", *activation(plan, hand)]
    made_of = {
        "shared": [f"$z = {by_head}", "$q, $k, $v = self.$qkv($z).chunk(3, dim=-1)"],
        "none": ["$q, $k, $v = self.$qkv(x).unsqueeze(1).chunk(3, dim=-1)"],
        "view:qkv": [f"$q, $k, $v = self.$qkv(x).view({batch}, {heads}, {seq}, 3 * {width}).chunk(3, dim=-1)"],
        "strided": [
            f"$q, $k, $v = self.$qkv(x).view({batch}, {seq}, {width}, 3, {heads}).permute(3, 0, 4, 1, 2)",
        ],
    }
    viewed = f"self.$qkv(x).view({batch}, {seq}, {heads}, 3 * {width})"
    right = [f"$q, $k, $v = {viewed}.transpose(1, 2).chunk(3, dim=-1)"]
    if hand.chunk == "slices":
        right = [f"$y = {viewed}.permute(0, 2, 1, 3)", f"$q, $k, $v = $y.split({width}, dim=-1)"]
    lines = made_of.get(plan.split, right)
    return [*lines, *reassigned(plan, "$z" if plan.split == "shared" else by_head), *activation(plan, hand)]


def by_einsum(plan: Plan, hand: Hand) -> Lines:
    """Parameters with an axis for the heads."""
    if plan.split == "shared":
        return project(plan, hand, Style(name="", projection="in_out", layout="heads"))
    lines = []
    for letter, role in roles(plan):
        bias = f" + self.{LAYER[role]}_b[:, None]" if role != "x" and with_bias(role, hand) else ""
        product = f'torch.einsum("bte,{hand.orientation}->bhtd", x, self.{LAYER.get(role)}){bias}'
        lines.append(f"${letter} = {split_one('x', plan, hand, 'heads') if role == 'x' else product}")
    return lines + activation(plan, hand)
