"""What the shape of a wrong output means in the terms of the assignment."""

from __future__ import annotations

from typing import Final

from grader.checks.faults import WrongResult
from grader.examiner.mismatch import LEAST_CONSTANT, Explained
from grader.examiner.scenes import Case, Shape
from grader.examiner.sizes import HEAD, Reader

Form = tuple[str, ...]
"""What each axis stands for."""

ALONG_TOKENS: Final = "one after the other along the tokens"
HEADS_STAND: Final[dict[Form, str]] = {
    ("batch", "seq * num_heads", HEAD): ALONG_TOKENS,
    ("seq * num_heads", HEAD): ALONG_TOKENS,
    ("batch * num_heads", "seq", HEAD): "one after the other along the samples",
    ("num_heads", "batch", "seq", HEAD): "along an axis of their own, the first",
    ("num_heads", "seq", HEAD): "along an axis of their own, the first",
    ("batch", "num_heads", "seq", HEAD): "along an axis of their own",
    ("batch", "seq", "num_heads", HEAD): "along an axis of their own",
    ("seq", "num_heads", HEAD): "along an axis of their own",
    ("batch", "seq", HEAD, "num_heads"): "along an axis of their own, the last",
    ("seq", HEAD, "num_heads"): "along an axis of their own, the last",
}
"""Where the heads stand in an output of this form; each has its features beside the others' nowhere."""

ONE_HEAD: Final = frozenset({("batch", "seq", HEAD), ("seq", HEAD)})
FULL_WIDTH: Final = frozenset({("batch", "seq", "num_heads * embed_dim"), ("seq", "num_heads * embed_dim")})

REMARKS: Final[dict[Form, str]] = {
    ("seq", "batch", "embed_dim"): "the axes of samples and tokens have changed places",
    ("batch", "embed_dim", "seq"): "the axes of tokens and features have changed places",
    ("batch", "num_heads", "seq", "seq"): "that is the shape of attention weights",
    ("batch", "seq", "seq"): "that is the shape of attention weights",
    ("seq", "seq"): "that is the shape of attention weights",
    ("batch * seq", "embed_dim"): "samples and tokens share one axis",
    ("batch", "seq * embed_dim"): "tokens and features share one axis",
    ("batch", "embed_dim"): "the axis of the tokens is lost",
    ("batch", "seq"): "the axis of the features is lost",
    ("batch", "seq", "3 * embed_dim"): "that is as wide as queries, keys and values together",
}
"""What is to be said of an output of this form."""


def explain_output(case: Case) -> Explained | None:
    """What the shape of a returned tensor means; None when none was returned, or its shape is right."""
    fault = case.here.fault
    if not isinstance(fault, WrongResult) or fault.shape is None or fault.shape == fault.wanted:
        return None
    pairs, read = _readings(case, fault.shape)
    said = f"({', '.join(read.say(*pair) for pair in pairs)})"
    if case.is_kept:
        kept = "Something is kept from an earlier call; a newly built module answers this one with the right shape."
        return Explained("shape-error", f"The output is {said}. {kept}")
    form = _form(pairs, read)
    named = _named(case, form, said) or _constant(case, pairs, read)
    return named or Explained("shape-error", _plainly(case, form, said))


def is_one_head(case: Case) -> bool:
    """Whether a tensor was returned that is as wide as one head."""
    fault = case.here.fault
    if not isinstance(fault, WrongResult) or fault.shape is None or case.is_kept:
        return False
    return _form(*_readings(case, fault.shape)) in ONE_HEAD


def _form(pairs: list[tuple[int, int | None]], read: Reader) -> Form | None:
    forms = (*HEADS_STAND, *ONE_HEAD, *FULL_WIDTH, *REMARKS)
    return next((form for form in forms if _has(form, pairs, read)), None)


def _readings(case: Case, shape: Shape) -> tuple[list[tuple[int, int | None]], Reader]:
    """Each axis here and elsewhere, where as many axes were returned there."""
    there = case.there.fault if case.there is not None else None
    other = there.shape if isinstance(there, WrongResult) else None
    if case.there is None or other is None or len(other) != len(shape):
        return [(size, None) for size in shape], Reader(case.here.sizes)
    return list(zip(shape, other, strict=True)), Reader(case.here.sizes, case.there.sizes)


def _has(form: Form, pairs: list[tuple[int, int | None]], read: Reader) -> bool:
    return len(form) == len(pairs) and all(read.is_(name, *pair) for name, pair in zip(form, pairs, strict=True))


def _named(case: Case, form: Form | None, said: str) -> Explained | None:
    sizes = case.here.sizes
    if form in FULL_WIDTH:
        return Explained(
            "heads-full-width",
            f"The output is {said}: each of the {sizes.heads} heads returns {sizes.embed} features. A head should"
            f" project to {HEAD} = {sizes.head}.",
        )
    separate = case.here.count(sizes.embed, sizes.head) >= (sizes.heads or 0)
    where = HEADS_STAND.get(form) if form is not None else None
    if where is None or not (separate or where == ALONG_TOKENS):
        return None
    return Explained(
        "heads-concatenated-wrong-dim",
        f"The output is {said}: the heads stand {where}. Side by side along the last axis they have {sizes.heads} *"
        f" {sizes.head} = {sizes.embed} features.",
    )


def _constant(case: Case, pairs: list[tuple[int, int | None]], read: Reader) -> Explained | None:
    """A width that is always the same."""
    width, other = pairs[-1] if pairs else (0, None)
    if width < LEAST_CONSTANT or not read.is_constant(width, other):
        return None
    return Explained(
        "hard-coded-size",
        f"The output has {width} features, whatever embed_dim is; here that is {case.here.sizes.embed}.",
    )


def _plainly(case: Case, form: Form | None, said: str) -> str:
    sizes = case.here.sizes
    if form in ONE_HEAD:
        return (
            f"The output is {said}: {HEAD} = {sizes.head} features instead of embed_dim = {sizes.embed}, as many as one"
            " head has. For example, only one head is returned, or the heads are added up instead of concatenated."
        )
    if form in HEADS_STAND:
        return f"The output is {said}: the heads stand {HEADS_STAND[form]} and are not merged."
    remark = f": {REMARKS[form]}" if form in REMARKS else ""
    return f"The output is {said}{remark}. It should have the shape of x."
