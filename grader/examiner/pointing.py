"""From a finding and a trace to the student's line that the finding is about.

For each finding there are rules, most telling first. The first rule that any step obeys decides: if all such steps
stand in one line, that is the line; if they stand in several, none is named. Where each of the lines shows the mistake
by itself, as three projections do that are split in the same wrong way, the first of them is named.

The finding is proven elsewhere, by numbers. A trace proves nothing: a wrong one points at a wrong line, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from grader import wire
from grader.checks.faults import place
from grader.examiner.acts import (
    ACTIVATIONS,
    DRAWS,
    DROPOUTS,
    NORMALISATIONS,
    REPLACEMENTS,
    STARTS,
    Likeness,
    adds_heads,
    adds_input,
    divides_by_heads,
    divides_squares,
    drops_in_eval,
    follows_softmax,
    is_of_mask,
    is_softmax_again,
    leaves_one_head,
    makes_matrix,
    makes_on_fixed_device,
    makes_other_precision,
    makes_output,
    masks,
    masks_in_vain,
    merges_directly,
    mixes_samples,
    multiplies_mask_by_infinity,
    precedes_softmax,
    projects_before_softmax,
    projects_in_vain,
    puts_samples_for_tokens,
    reduces_heads,
    repeated_projections,
    runs_over_batch,
    runs_over_heads,
    runs_over_queries,
    scales,
    scales_again,
    splits_directly,
    splits_input,
    takes_first_sample,
    takes_part_of_input,
    takes_square,
    transposes,
    transposes_for_scores,
    writes_to_input,
    writes_to_mask,
    writes_to_weights,
)
from grader.examiner.flow import TRANSPOSITIONS, Act, Flow, Sizes, is_implicit
from grader.examiner.tracing import SMALL, Tracer
from grader.model import Finding, Place

Rule = Callable[[Flow], list[Act]]
"""The steps of a trace that a finding may be about."""


def locate(id_: str, tracer: Tracer) -> Place | None:
    """The line that the finding is about, from traces that are made if need be.

    What is about masks shows in a call with one, unless the class builds its own; whatever else there is shows in a
    call without, unless the class insists on one.
    """
    if id_ not in RULES:
        return None
    first = needs_mask(id_)
    traces = (tracer.trace(*SMALL, masked=masked) for masked in (first, not first))
    lines = (point(id_, traced, tracer.sizes(*SMALL)) for traced in traces if traced is not None)
    return next((line for line in lines if line is not None), None)


def with_lines(findings: Iterable[Finding], tracer: Tracer) -> Iterator[Finding]:
    """Those that a check saw without a line and that have one; nothing is traced on account of others."""
    for found in findings:
        where = None if found.where or found.informative else locate(found.id, tracer)
        if where is not None:
            yield msgspec.structs.replace(found, where=where)


def point(id_: str, traced: wire.Traced, sizes: Sizes) -> Place | None:
    """The line that the finding is about, or None where the trace shows none, or several.

    For what is about masks, the trace must be of a call with one (`needs_mask`).
    """
    flow = Flow(traced, sizes)
    for rule in RULES.get(id_, ()):
        found = [act for act in rule(flow) if act.step.frame is not None]
        if found:
            return _line(found)
    return None


def needs_mask(id_: str) -> bool:
    """Whether the finding is about the mask, so that only a call with one shows it."""
    return id_.startswith("mask-") or id_ == "fully-masked-row-nan"


def is_implicit_softmax(traced: wire.Traced) -> bool:
    """Whether a softmax was called without the axis it should run along; torch chooses one then, and warns."""
    return any(is_implicit(act) for act in Flow(traced, Sizes(batch=0, seq=0, embed=0, heads=1)).acts)


def _line(acts: list[Act]) -> Place | None:
    """The line of all these steps, if it is one."""
    frames = tuple(act.step.frame for act in acts if act.step.frame is not None)
    lines = {(frame.file, frame.cell, frame.line) for frame in frames}
    return place(frames[:1]) if len(lines) == 1 else None


# -- how rules are written ---------------------------------------------------------------------------------------------


def _that(*likenesses: Likeness) -> Rule:
    """Steps that do all of this."""
    return lambda flow: [act for act in flow.acts if all(is_so(flow, act) for is_so in likenesses)]


def _named(*names: str | Iterable[str]) -> Likeness:
    """Whether it is a call of one of these functions."""
    wanted = {name for each in names for name in ((each,) if isinstance(each, str) else each)}
    return lambda flow, act: act.name in wanted


def _not(likeness: Likeness) -> Likeness:
    return lambda flow, act: not likeness(flow, act)


def _first(rule: Rule) -> Rule:
    """The first of these steps: for what each of them shows by itself."""
    return lambda flow: rule(flow)[:1]


def _last(rule: Rule) -> Rule:
    """The last of these steps: for what happens once, at the end of others like it."""
    return lambda flow: rule(flow)[-1:]


# -- the table ---------------------------------------------------------------------------------------------------------

SOFTMAX = _that(Flow.is_softmax)
SCORES = _that(Flow.makes_scores)
VALUES = _that(Flow.attends)
SCALE = _that(scales)
MASK = (_that(masks, precedes_softmax), _that(masks))
CAUSAL = _that(_named("tril", "triu"))
DROPOUT = _that(_named(DROPOUTS))
OUTPUT = _last(_that(makes_output))

RULES: Final[dict[str, tuple[Rule, ...]]] = {
    # -- projections
    "value-not-projected": (_that(splits_input), VALUES),
    "value-uses-key": (repeated_projections, VALUES),
    "value-uses-query": (repeated_projections, VALUES),
    "key-uses-query": (repeated_projections, SCORES),
    "qkv-one-projection": (_first(repeated_projections), _that(projects_before_softmax)),
    "no-projections": (_first(_that(splits_input)), SCORES),
    "activation-on-projection": (_first(_that(_named(ACTIVATIONS), precedes_softmax)),),
    "split-then-project": (_first(_that(takes_part_of_input)),),
    # -- scores and softmax
    "keys-not-transposed": (SCORES,),
    "transpose-T-on-3d": (_that(_named("T", "t")),),
    "transpose-wrong-axes": (_last(_that(transposes_for_scores)), SCORES),
    "scale-missing": (SCORES,),
    "scale-d-not-sqrt": (_that(scales_again), SCALE),
    **dict.fromkeys(("scale-embed-dim", "scale-inverted", "scale-wrong-size"), (SCALE,)),
    **dict.fromkeys(("scale-quarter", "scale-constant"), (SCALE,)),
    "softmax-missing": (SCORES,),
    "softmax-dim-query": (_that(runs_over_queries), SOFTMAX),
    "softmax-dim-head": (_that(Flow.is_softmax, runs_over_heads), SOFTMAX),
    "softmax-dim-batch": (_that(Flow.is_softmax, runs_over_batch), SOFTMAX),
    "softmax-dim-implicit": (_that(lambda flow, act: is_implicit(act)),),
    "softmax-twice": (_that(is_softmax_again),),
    "softmax-global": (SOFTMAX,),
    "softmax-replaced": (
        _that(_named(REPLACEMENTS), takes_square),
        _that(divides_squares),
        _that(_named("exp", "exp2", "abs", "square", "pow"), takes_square),
    ),
    "softmax-unstable": (_that(_named("exp"), takes_square),),
    "attention-transposed": (_that(transposes, takes_square, follows_softmax), _that(_named("einsum"), Flow.attends)),
    # -- masks
    "mask-ignored": (_that(masks_in_vain),),
    "mask-after-softmax": (_that(masks, follows_softmax), *MASK),
    "mask-zero-times-inf": (_that(multiplies_mask_by_infinity), *MASK),
    "mask-off-by-one-leak": (CAUSAL, *MASK),
    "mask-off-by-one-no-self": (CAUSAL, *MASK),
    "mask-on-queries": (_that(_named(TRANSPOSITIONS), is_of_mask), *MASK),
    "mask-first-sample-only": (_that(takes_first_sample), *MASK),
    "mask-head-batch-order": (_that(_named("repeat", "tile", "cat", "expand"), is_of_mask), *MASK),
    "mask-mutated": (_that(writes_to_mask),),
    **dict.fromkeys(("mask-inverted", "mask-fill-zero", "mask-fill-too-small", "mask-fill-positive-inf"), MASK),
    **dict.fromkeys(("mask-additive-01", "mask-no-head-axis", "mask-square-only", "mask-wrong-length"), MASK),
    **dict.fromkeys(("mask-stale-cache", "mask-not-buffer", "mask-is-parameter", "mask-dtype-rejected"), MASK),
    "fully-masked-row-nan": MASK,
    # -- heads
    "heads-view-no-transpose": (_first(_that(splits_directly)),),
    "merge-view-no-transpose": (_that(merges_directly),),
    "heads-not-split": (_first(_that(leaves_one_head)), SCORES),
    "heads-summed": (_that(_named("sum"), reduces_heads), _that(adds_heads)),
    "heads-averaged": (
        _that(_named("mean"), reduces_heads),
        _that(divides_by_heads),
        _that(_named("sum"), reduces_heads),
    ),
    "heads-concatenated-wrong-dim": (_that(_named("cat", "stack", "hstack", "vstack", "dstack"), follows_softmax),),
    "batch-sequence-mixed": (_first(_that(puts_samples_for_tokens)), _that(mixes_samples)),
    "output-projection-missing": (OUTPUT,),
    "output-projection-unused": (_that(projects_in_vain), OUTPUT),
    # -- dropout and randomness
    "dropout-in-eval": (_that(drops_in_eval), _that(_named(DRAWS))),
    "dropout-before-softmax": (_that(_named(DROPOUTS), takes_square, precedes_softmax),),
    "dropout-on-wrong-place": (_that(_named(DROPOUTS), _not(takes_square)),),
    "dropout-never-on": (_that(_named(DROPOUTS), Flow.is_in_vain), DROPOUT),
    "dropout-keep-for-drop": (DROPOUT,),
    "not-repeatable": (_that(_named(DRAWS, STARTS)), _that(drops_in_eval)),
    "parameters-made-in-forward": (_first(_that(_named(DRAWS, STARTS), _not(Flow.any_from_x))),),
    # -- gradients, state, dtype, device
    "gradients-detached": (_that(_named("detach", "data", "numpy")), _that(_named("tensor"), makes_matrix)),
    "numpy-in-forward": (_that(_named("numpy")),),
    "inplace-on-input": (_that(writes_to_input),),
    "inplace-after-softmax": (_that(writes_to_weights),),
    "hard-coded-dtype": (_first(_that(makes_other_precision)),),
    "hard-coded-device": (_that(makes_on_fixed_device),),
    # -- the result
    "residual-inside": (_that(adds_input),),
    "normalisation-inside": (_that(_named(NORMALISATIONS), Flow.any_from_x),),
    "activation-on-output": (_that(_named(ACTIVATIONS), follows_softmax),),
    "output-rounded": (_that(_named("round", "floor", "ceil", "trunc"), Flow.any_from_x),),
}
"""By finding, what its line is about. The first rule that any step obeys decides; `_first` stands where every such step
shows the mistake by itself."""
