"""Stacks of matrices, masks and reshaped tensors that do not fit: what that means."""

from __future__ import annotations

import re
from math import prod
from typing import Final

from grader.examiner.clashes import Batches, Broadcast, Reshape, Shapes
from grader.examiner.layers import keys_not_transposed
from grader.examiner.mismatch import LEAST_CONSTANT, Explained, Mismatch
from grader.examiner.sizes import HEAD, PLAIN

_TRANSPOSED: Final = re.compile(r"\.(?:T|H)\b|\.(?:t|adjoint)\(\)")
_SWAP: Final = re.compile(r"\.(?:transpose|swapaxes|swapdims)\( ?(-?[0-3]) ?, ?(-?[0-3]) ?\)")
_MASKING: Final = re.compile(r"mask|tril|triu|where\(", re.IGNORECASE)
PRODUCT: Final = re.compile(r"@|matmul\(|bmm\(|einsum\(")


def explain_batches(it: Mismatch, here: Batches) -> Explained | None:
    """Stacks of matrices whose columns and rows do not fit, or that differ in number."""
    if here.lefts != here.rights:
        return explain_transposition(it, 0, "lefts", "rights")
    if not it.is_("left", "embed_dim", HEAD):
        return None
    if it.is_("right", "seq"):
        return keys_not_transposed(it.say("left"), it.say("right"))
    if it.is_("right", "num_heads") and here.lefts is not None and it.is_("lefts", "batch * seq"):
        return Explained(
            "keys-not-transposed",
            f"On the left there are {it.say('left')} features, on the right {it.say('right')} rows: the keys are not"
            " transposed. Besides, the heads stand where the tokens should, so that heads meet within each token.",
        )
    return None


def explain_subscript(it: Mismatch) -> Explained | None:
    """An einsum in which features of the queries meet the tokens of the keys."""
    if it.is_("first", "embed_dim", HEAD) and it.is_("later", "seq"):
        return keys_not_transposed(it.say("first"), it.say("later"))
    return None


def explain_transposition(it: Mismatch, axis: int, left: str, right: str) -> Explained | None:
    """Stacks of matrices that differ along an axis because the wrong axes have changed places on the right."""
    stacked = {0: ("batch", "batch * num_heads"), 1: ("num_heads",)}.get(axis, ())
    left_fits = it.is_(left, *stacked)
    where = f"along axis {axis}, the right-hand side has {it.say(right)} where the left-hand side has {it.say(left)}"
    if _TRANSPOSED.search(it.line):
        turned = {0: ("embed_dim", HEAD), 1: ("seq", "num_heads")}.get(axis, ())
        if it.is_(right, *turned) and (left_fits or it.is_(left, "seq")):
            return Explained("transpose-T-on-3d", f".T reverses all axes: {where}.")
        return None
    swap = _SWAP.search(it.line)
    if swap is None or not left_fits or not PRODUCT.search(it.line):
        return None
    first, second = sorted(map(int, swap.groups()))
    is_last_two = (first, second) in ((-2, -1), (2, 3)) or ((first, second) == (1, 2) and axis == 0)
    if is_last_two or not it.is_(right, "seq", HEAD, "embed_dim", "num_heads"):
        return None
    return Explained(
        "transpose-wrong-axes",
        f"Axes {first} and {second} change places. Then {where}; only the last two axes may change places.",
    )


def explain_mask(it: Mismatch, here: Broadcast) -> Explained | None:
    """A mask that does not fit the scores."""
    mask = it.scene.mask
    for one, other in (("a", "b"), ("b", "a")):
        if mask is not None and len(mask) == 3 and it.is_(other, "batch"):
            if here.axis == 1 and it.is_(one, "num_heads"):
                return _no_head_axis(it)
            if here.axis == 0 and it.is_(one, "batch * num_heads"):
                return _no_head_axis(it, it.pair(one)[0])
        if it.is_(one, "seq") and it.is_constant(other) and _MASKING.search(it.line):
            return Explained(
                "mask-wrong-length",
                f"The mask has {it.pair(other)[0]} positions, however long the sequence is; here it has {it.say(one)}.",
            )
    return None


def explain_shapes(it: Mismatch, here: Shapes) -> Explained | None:
    """A mask that does not fit the scores, where the whole shapes are told."""
    scores, mask = sorted((here.one, here.other), key=len, reverse=True)
    heads, batch = it.scene.sizes.heads, it.scene.sizes.batch
    if it.scene.mask != mask or len(mask) != 3 or None in (heads, batch) or heads == batch:
        return None
    return _no_head_axis(it) if scores == (batch, heads, *mask[1:]) else None


def _no_head_axis(it: Mismatch, folded: int | None = None) -> Explained:
    sizes, shape = it.scene.sizes, ", ".join(map(str, it.scene.mask or ()))
    if folded is not None:
        meets = f"The scores have {folded} entries along their first axis (batch * num_heads), the mask of shape"
        return Explained(
            "mask-no-head-axis", f"{meets} ({shape}) only {sizes.batch}: it is not repeated for the heads."
        )
    return Explained(
        "mask-no-head-axis",
        f"The scores have an axis for the {sizes.heads} heads, the mask of shape ({shape}) has none. Axes are compared"
        f" from the last one forward, so its {sizes.batch} samples meet the {sizes.heads} heads.",
    )


def explain_kept(it: Mismatch) -> Explained:
    """A newly built module takes the very same call."""
    strange = [number for number in it.here.numbers if not it.read.names(number, None)]
    what = f" It has a size of {strange[0]}, which is none of this call's." if strange else ""
    masked = it.scene.mask is not None or _MASKING.search(it.line) is not None
    return Explained(
        "mask-stale-cache" if masked and isinstance(it.here, Broadcast | Shapes) else "shape-error",
        f"Something that is kept from an earlier call does not fit this one, which a newly built module takes.{what}"
        f"{it.context}",
    )


def explain_reshape(it: Mismatch, here: Reshape) -> Explained | None:
    """A tensor that cannot have the shape it is to have."""
    sizes = it.scene.sizes
    if it.is_("size", "batch * seq * num_heads * embed_dim") and prod(here.shape) * (sizes.heads or 0) == here.size:
        return Explained(
            "heads-full-width",
            f"{sizes.heads} heads hold {here.size} numbers together, {sizes.embed} features for each head and token: a"
            f" head should have {HEAD} = {sizes.head}.",
        )
    fixed = _fixed(it, here)
    if not fixed:
        return None
    numbers = list(dict.fromkeys(str(number) for number, _ in fixed))
    stand = f"{' and '.join(numbers)} {'stands' if len(numbers) == 1 else 'stand'} there whatever the input is"
    belongs = f", where {fixed[0][1]} belongs" if len(fixed) == 1 and fixed[0][1] else ""
    return Explained(
        "hard-coded-size",
        f"A tensor is reshaped to {it.say_all('shape')}, and {stand}{belongs}: it was so with other sizes, too."
        f"{it.context}",
    )


def _fixed(it: Mismatch, here: Reshape) -> list[tuple[int, str]]:
    """The sizes of the new shape that never change, each with what belongs there; a small one only if that is known."""
    there = it.there if isinstance(it.there, Reshape) else None
    found: list[tuple[int, str]] = []
    for index, (number, other) in enumerate(it.pairs("shape")):
        if there is None or number < 1 or not it.read.is_constant(number, other):
            continue
        needed = _needed(here, index), _needed(there, index)
        known = None not in needed and any(it.read.is_(name, needed[0] or 0, needed[1]) for name in PLAIN)
        if known or number >= LEAST_CONSTANT:
            found.append((number, it.read.say(needed[0] or 0, needed[1]) if known else ""))
    return found


def _needed(reshape: Reshape, index: int) -> int | None:
    """What one size of a new shape would have to be, given the others."""
    others = prod(size for at, size in enumerate(reshape.shape) if at != index)
    return reshape.size // others if others > 0 and reshape.size % others == 0 else None
