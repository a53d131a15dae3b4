"""What sizes that do not fit mean in the terms of the assignment.

A name is claimed where the numbers can mean nothing else. Otherwise it is a `shape-error`, and the sentence says which
sizes meet, by their names, and what it may be.
"""

from __future__ import annotations

from grader.examiner.clashes import (
    Axes,
    Batches,
    Broadcast,
    Features,
    Joint,
    NoAxis,
    Product,
    Reshape,
    Shapes,
    Subscript,
    clash,
)
from grader.examiner.layers import explain_product
from grader.examiner.mismatch import Explained, Mismatch, line_of, text_of
from grader.examiner.scenes import Case, Scene
from grader.examiner.sizes import HEAD
from grader.examiner.stacks import (
    PRODUCT,
    explain_batches,
    explain_kept,
    explain_mask,
    explain_reshape,
    explain_shapes,
    explain_subscript,
    explain_transposition,
)


def is_about_sizes(scene: Scene) -> bool:
    """Whether an exception says that sizes do not fit."""
    text, line = text_of(scene), line_of(scene)
    unpacked_something_else = "to unpack" in text and "shape" not in line and "size()" not in line
    return clash(text) is not None and not unpacked_something_else


def explain_mismatch(case: Case) -> Explained | None:
    """What the exception of a case says about sizes, or None when it is about something else."""
    here = clash(text_of(case.here))
    if here is None or not is_about_sizes(case.here):
        return None
    it = Mismatch(case, here)
    return _named(it) or Explained("shape-error", _plainly(it))


def _named(it: Mismatch) -> Explained | None:
    if it.is_kept:
        return explain_kept(it)
    match it.here:
        case Product():
            return explain_product(it)
        case Batches() as here:
            return explain_batches(it, here)
        case Broadcast() as here:
            return explain_transposition(it, here.axis, "a", "b") or explain_mask(it, here)
        case Shapes() as here:
            return explain_shapes(it, here)
        case Reshape() as here:
            return explain_reshape(it, here)
        case Subscript():
            return explain_subscript(it)
    return None


def _plainly(it: Mismatch) -> str:
    """Which sizes meet, by their names."""
    said = _said(it)
    return f"{said}{it.context}" if said else ""


def _said(it: Mismatch) -> str:
    match it.here:
        case Product():
            met = f"A layer or matrix that takes {it.say('takes')} features is given {it.say('fed')}."
            return met + _perhaps(it)
        case Batches(lefts=lefts, rights=rights) if lefts != rights:
            return f"On the left of a product there are {it.say('lefts')} matrices, on the right {it.say('rights')}."
        case Batches():
            return (
                f"In a product of matrices, those on the left have {it.say('left')} columns, and those on the right"
                f" {it.say('right')} rows; these must be equal."
            )
        case Broadcast(axis=axis):
            what = "In a product of matrices, the stacks" if PRODUCT.search(it.line) else "Two tensors that meet"
            return f"{what} differ along axis {axis}: one has {it.say('a')}, the other {it.say('b')}."
        case Shapes():
            return f"A tensor of shape {it.say_all('one')} meets one of shape {it.say_all('other')}."
        case Reshape(size=size):
            return f"{size} numbers cannot be reshaped to {it.say_all('shape')}."
        case Joint(axis=axis):
            return (
                f"Tensors that are joined along axis {axis} must agree along all others, but one has {it.say('first')}"
                f" where a later one has {it.say('later')}."
            )
        case Features():
            return f"Something made for {it.say('made')} numbers is given {it.say('given')}."
        case Subscript(letter=letter):
            return (
                f"In the einsum, the letter {letter} stands for {it.say('first')} in one tensor and for"
                f" {it.say('later')} in another."
            )
        case Axes(has=has, wanted=wanted):
            return f"A tensor with {has} axes is treated as if it had {wanted}."
        case NoAxis(has=has, axis=axis):
            return f"Axis {axis} is asked of a tensor that has {has} axes, counted from 0 to {has - 1}."
    return ""


def _perhaps(it: Mismatch) -> str:
    """What it may be, where numbers leave that open."""
    if it.scene.sizes.head is None or not it.is_("takes", "embed_dim") or not it.is_("fed", HEAD):
        return ""
    if it.is_("gives", HEAD):
        return " For example, the output of one head stands where the next reads x, or x was split too early."
    return " For example, the heads are added up, or only one of them is passed on, instead of all side by side."
