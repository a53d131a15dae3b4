"""A layer or a matrix is given another number of features than it takes: what that means."""

from __future__ import annotations

import re
from typing import Final

from grader.checks.faults import Raised
from grader.examiner.mismatch import Explained, Mismatch
from grader.examiner.scenes import Scene
from grader.examiner.sizes import HEAD

_JOINING: Final = re.compile(r"\b(?:cat|concat|concatenate|stack|hstack|vstack|dstack)\(")
_PARTS: Final = re.compile(r"\[[^\]]{0,40}:|\.chunk\(|\.split\(|\.unbind\(|narrow\(")


def explain_product(it: Mismatch) -> Explained | None:
    """The mistake that these numbers can only come from, or None."""
    named = _keys_of_one_sample(it) or _constant_layer(it)
    return named or (_layer_of_heads(it) if it.scene.sizes.head is not None else None)


def _keys_of_one_sample(it: Mismatch) -> Explained | None:
    """(seq, embed) times (seq, embed)."""
    alone = it.scene.sizes.batch is None and it.is_("rows", "seq")
    if alone and it.is_("takes", "seq") and it.is_("fed", "embed_dim", HEAD):
        return keys_not_transposed(it.say("fed"), it.say("takes"))
    return None


def keys_not_transposed(features: str, tokens: str) -> Explained:
    """Keys that were not transposed, given how the sizes that met are told."""
    return Explained(
        "keys-not-transposed",
        f"On the left there are {features} features for each query, on the right {tokens} rows, one for each key: the"
        " keys are not transposed, so that features do not meet features.",
    )


def _constant_layer(it: Mismatch) -> Explained | None:
    for name, verb in (("takes", "takes"), ("fed", "is given")):
        if it.is_constant(name) and it.read.there is not None:
            number, here, there = it.pair(name)[0], it.scene.sizes.embed, it.read.there.embed
            return Explained(
                "hard-coded-size",
                f"A layer {verb} {number} features, with embed_dim = {here} and with embed_dim = {there} alike: the"
                " number does not follow from the arguments.",
            )
    return None


def _layer_of_heads(it: Mismatch) -> Explained | None:
    sizes = it.scene.sizes
    takes_all = it.is_("takes", "embed_dim")
    if it.is_("fed", "num_heads * embed_dim"):
        last = "last" if takes_all and it.is_("gives", "embed_dim") else "next"
        return Explained(
            "heads-full-width",
            f"Each head returns {sizes.embed} features, so {sizes.heads} heads concatenate to {it.pair('fed')[0]}, but"
            f" the {last} layer expects {it.pair('takes')[0]}: a head should project to {HEAD} = {sizes.head}.",
        )
    if it.is_("fed", "embed_dim") and it.is_("takes", HEAD):
        return _narrow_layer(it)
    if takes_all and it.is_("fed", HEAD):
        return _apart(it) or _wide_layer(it)
    if takes_all and it.is_("fed", "num_heads"):
        return _apart(it)
    return None


def _narrow_layer(it: Mismatch) -> Explained | None:
    """A layer for the features of one head is given those of all."""
    sizes = it.scene.sizes
    if it.is_("gives", HEAD):
        return Explained(
            "head-linear-fed-full-width",
            f"A layer for {sizes.head} features ({HEAD}, the share of one head) is given all {sizes.embed}"
            " (embed_dim).",
        )
    if it.is_("gives", "embed_dim") and it.scene.count(sizes.embed, sizes.head) == 1:
        return Explained(
            "output-projection-wrong-size",
            f"{sizes.heads} heads of {sizes.head} features concatenate to {sizes.embed} (embed_dim), but the last layer"
            f" takes only {sizes.head}, those of one head.",
        )
    return None


def _apart(it: Mismatch) -> Explained | None:
    """The last layer is given heads that do not lie side by side along the last axis."""
    sizes = it.scene.sizes
    stacked = it.is_("fed", "num_heads") and it.is_("rows", f"batch * seq * ({HEAD})", f"seq * ({HEAD})")
    apart = it.is_("fed", HEAD) and it.is_("rows", "batch * num_heads * seq", "seq * num_heads")
    if not (stacked or apart) or not (_has_separate_heads(it) or _JOINING.search(it.line)):
        return None
    how = (
        f"The last layer is given {sizes.heads} numbers, one for each head: they are stacked along a new last axis."
        if stacked
        else f"The last layer is given {it.pair('rows')[0]} rows of {sizes.head} features: the heads are joined along"
        " another axis than that of the features."
    )
    return Explained(
        "heads-concatenated-wrong-dim",
        f"{how} Side by side along the last axis they have {sizes.heads} * {sizes.head} = {sizes.embed} features.",
    )


def _wide_layer(it: Mismatch) -> Explained | None:
    """A layer for all features is given those of one head."""
    sizes = it.scene.sizes
    if it.is_("gives", HEAD):
        name = _overwritten(it.scene)
        if name is not None:
            return Explained(
                "loop-overwrites-input",
                f"{name}, which came in with {sizes.embed} features (embed_dim), has {sizes.head} here ({HEAD}): the"
                " loop over the heads stores what one head returns where the next one reads its input.",
            )
        return _part_given(it) if _PARTS.search(it.line) else None
    return _part_given(it) if it.is_("gives", "embed_dim") and not _has_separate_heads(it) else None


def _part_given(it: Mismatch) -> Explained:
    sizes, more = it.scene.sizes, ""
    if it.is_("rows", "batch * num_heads * seq"):
        more = f" It gets {it.pair('rows')[0]} rows (batch * num_heads * seq): every head by itself."
    return Explained(
        "full-linear-fed-head",
        f"A layer for all {sizes.embed} features (embed_dim) is given {sizes.head}, those of one head ({HEAD}).{more}",
    )


def _has_separate_heads(it: Mismatch) -> bool:
    """Whether each head has layers of its own."""
    sizes = it.scene.sizes
    return it.scene.count(sizes.embed, sizes.head) >= (sizes.heads or 0)


def _overwritten(scene: Scene) -> str | None:
    """The argument of forward that has become narrower, because a loop over the heads assigns to it.

    Either it is handed as a whole to a layer that did take it, one that is no attribute of its own; or the line that
    calls a head assigns to it.
    """
    fault = scene.fault
    if not isinstance(fault, Raised) or scene.count(scene.sizes.embed, scene.sizes.head) < 2:
        return None
    lines = [place for place in fault.trace if place.function == "forward"][:1]
    for name in (re.escape(name) for name in sorted(scene.inputs)):
        for place in lines:
            here = place == fault.where and re.search(
                rf"(?<![\w.])(?!self\.\w+\()[\w.\[\]]+\(\s?{name}\s?[,)]", place.source
            )
            there = re.search(rf"^{name}\s?=\s?\S{{1,60}}\({name}\s?[,)]", place.source)
            if here or there:
                return name
    return None
