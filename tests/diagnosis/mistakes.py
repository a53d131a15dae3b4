"""The mistakes: each a small change of the plan, with the ids that name it.

Several entries may carry one id: the same mistake, written in another way.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from .plans import Plan

DEFAULT = Plan()


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One mistake, written in one way.

    Attributes:
        name: its id, and a word that tells it from others with the same id.
        ids: the ids that are right: its own, and those of the same function.
        change: the fields of the plan that are different.
        numeric: whether the output is another one; else it is a fact about gradients, state, dropout and the like.
        implied: ids that are true of the code as well.
        masked: whether it can be called with a mask.
        shape: whether the result has the shape it should have.
    """

    name: str
    ids: frozenset[str]
    change: tuple[tuple[str, Any], ...]
    numeric: bool = True
    implied: frozenset[str] = frozenset()
    masked: bool = True
    shape: bool = True

    @property
    def id(self) -> str:
        """The id in the catalogue."""
        return self.name.partition(":")[0]

    @property
    def fact(self) -> bool:
        """Whether it is seen without comparing outputs with the reference's."""
        return not self.numeric and self.id != "gradients-detached"

    @property
    def axes(self) -> frozenset[str]:
        """The fields of the plan that it changes."""
        return frozenset(field for field, _ in self.change)


def planned(mistakes: tuple[Mistake, ...]) -> Plan:
    """The plan with all these mistakes in it."""
    return replace(DEFAULT, **{field: value for mistake in mistakes for field, value in mistake.change})


def mistake(name: str, *others: str, implied: str = "", **rest: Any) -> Mistake:
    """An entry of the table; `others` are further ids that name it."""
    options = {field.name for field in fields(Mistake)}
    change = tuple((key, value) for key, value in rest.items() if key not in options)
    settings = {key: value for key, value in rest.items() if key in options}
    ids = frozenset({name.partition(":")[0], *others})
    return Mistake(name=name, ids=ids, change=change, implied=frozenset(implied.split()), **settings)


SCORES = (
    mistake("scale-missing", scale="missing"),
    mistake("scale-embed-dim", scale="embed"),
    mistake("scale-d-not-sqrt", scale="width"),
    mistake("scale-d-not-sqrt:twice", scale="twice"),
    mistake("scale-inverted", scale="inverted"),
    mistake("scale-quarter", scale="quarter"),
    mistake("scale-wrong-size:seq", scale="seq"),
    mistake("scale-wrong-size:batch", scale="batch"),
    mistake("scale-wrong-size:heads", scale="heads"),
    mistake("scale-constant", scale="constant"),
    mistake("scale-constant:eighth", scale="eighth"),
    mistake("scale-constant:larger", scale="larger"),
    mistake("softmax-missing", softmax="missing"),
    mistake("softmax-dim-query", softmax="queries"),
    mistake("softmax-dim-head", softmax="heads"),
    mistake("softmax-dim-batch", softmax="batch"),
    mistake("softmax-dim-batch:and-head", "softmax-dim-head", softmax="batch_heads"),
    mistake("softmax-twice", softmax="twice"),
    mistake("softmax-global", softmax="global"),
    mistake("softmax-replaced:sigmoid", softmax="sigmoid"),
    mistake("softmax-replaced:l1", softmax="l1"),
    mistake("softmax-replaced:log", softmax="log"),
    mistake("softmax-replaced:sum", softmax="l1_plain"),
    mistake("softmax-replaced:exp", softmax="exp"),
    mistake("softmax-replaced:relu", softmax="relu"),
    mistake("softmax-replaced:relu-sum", softmax="relu_sum"),
    mistake("softmax-replaced:tanh", softmax="tanh"),
    mistake("softmax-unstable", softmax="unstable", numeric=False),
    mistake("attention-transposed", transposed=True),
    mistake("attention-unused", implied="layers-unused dropout-never-on", merge="values"),
)
PROJECTIONS = (
    mistake("value-not-projected", implied="layers-unused", roles="qkx"),
    mistake("query-not-projected", "key-not-projected", implied="layers-unused", roles="xkv"),
    mistake("key-not-projected", "query-not-projected", implied="layers-unused", roles="qxv"),
    mistake("value-uses-key", implied="layers-unused", roles="qkk"),
    mistake("value-uses-key:key-uses-value", implied="layers-unused", roles="qvv"),
    mistake("value-uses-query", implied="layers-unused", roles="qkq"),
    mistake("value-uses-query:query-uses-value", implied="layers-unused", roles="vkv"),
    mistake("key-uses-query", implied="layers-unused", roles="qqv"),
    mistake("key-uses-query:query-uses-key", implied="layers-unused", roles="kkv"),
    mistake("qkv-one-projection", implied="layers-unused", roles="qqq"),
    mistake("no-projections", implied="layers-unused", roles="xxx"),
    mistake("activation-on-projection:all", activation="qkv"),
    mistake("activation-on-projection:query", activation="q"),
    mistake("activation-on-projection:key", activation="k"),
    mistake("activation-on-projection:value", activation="v"),
    mistake("activation-on-projection:query-and-key", activation="qk"),
    mistake("activation-on-projection:tanh", activation="tanh:q"),
    mistake("activation-on-projection:gelu", activation="gelu:qkv"),
)
MASKS = (
    mistake("mask-ignored", mask="absent"),
    mistake("mask-ignored:unforwarded", mask="unforwarded"),
    mistake("mask-ignored:discarded", mask="discarded"),
    mistake("mask-ignored:discarded-where", mask="discarded_where"),
    mistake("mask-inverted", mask="inverted"),
    mistake("mask-after-softmax", mask="after_product"),
    mistake("mask-after-softmax:fill", mask="after_fill"),
    mistake("mask-fill-zero", mask="fill_zero"),
    mistake("mask-fill-zero:multiplied", mask="multiplied"),
    mistake("mask-fill-zero:tiny", mask="fill_tiny"),
    mistake("mask-fill-zero:minus-tiny", mask="fill_minus_tiny"),
    mistake("mask-fill-too-small", mask="fill_ten"),
    mistake("mask-fill-too-small:five", mask="fill_five"),
    mistake("mask-fill-too-small:added", mask="minus_ten"),
    mistake("mask-fill-positive-inf", mask="fill_inf"),
    mistake("mask-fill-positive-inf:text", mask="fill_inf_text"),
    mistake("mask-additive-01", mask="added"),
    mistake("mask-zero-times-inf", mask="zero_times_inf"),
    mistake("mask-zero-times-inf:bool", mask="zero_times_inf_bool"),
    mistake("mask-off-by-one-leak", mask="instead_leak"),
    mistake("mask-off-by-one-leak:builtin", mask="builtin_leak"),
    mistake("mask-off-by-one-no-self", mask="instead_no_self"),
    mistake("mask-off-by-one-no-self:builtin", mask="builtin_no_self"),
    mistake("mask-always-causal", mask="builtin"),
    mistake("mask-on-queries", mask="queries"),
    mistake("mask-first-sample-only", mask="first_sample"),
    mistake("mask-first-sample-only:index", mask="first_sample_index"),
    mistake("mask-head-batch-order", mask="head_batch_order"),
)
UNUSED = "layers-unused heads-not-split attention-unused"
HEADS = (
    mistake("heads-view-no-transpose", split="view:qkv"),
    mistake("heads-view-no-transpose:queries-and-keys", split="view:qk"),
    mistake("heads-view-no-transpose:values", split="view:v"),
    mistake("heads-not-split", split="none"),
    mistake("heads-share-weights", "split-then-project", split="shared"),
    mistake("split-then-project", "heads-share-weights", split="own_slices"),
    mistake("heads-list-multiplied", "heads-share-weights", split="multiplied"),
    mistake("batch-sequence-mixed", before="swapped", masked=False),
    mistake("batch-sequence-mixed:split", split="swapped", masked=False),
    mistake("merge-view-no-transpose", merge="unmoved"),
    mistake("heads-summed", merge="summed"),
    mistake("heads-summed:wide", implied="heads-full-width", merge="summed_wide"),
    mistake("heads-averaged", merge="averaged"),
    mistake("heads-averaged:wide", implied="heads-full-width", merge="averaged_wide"),
    mistake("heads-concatenated-wrong-dim", merge="along_seq", shape=False),
    mistake("heads-concatenated-wrong-dim:batch", merge="along_batch", shape=False),
    mistake("heads-concatenated-wrong-dim:viewed", "merge-view-no-transpose", merge="batch_viewed"),
    mistake("merge-view-no-transpose:concatenated", "heads-concatenated-wrong-dim", merge="seq_viewed"),
    mistake("loop-keeps-last-head", implied=UNUSED, merge="last"),
    mistake("loop-returns-early", implied=UNUSED, merge="early"),
    mistake("loop-discards-heads", implied=f"{UNUSED} dropout-never-on", merge="discarded"),
    mistake("output-projection-missing", output="missing"),
    mistake("output-projection-unused", implied="layers-unused", output="unused"),
    mistake("output-projection-unused:computed", implied="layers-unused", output="computed"),
)
RESULTS = (
    mistake("residual-inside", after="residual"),
    mistake("residual-inside:front", after="residual_front"),
    mistake("residual-inside:in-place", implied="inplace-on-input", after="added"),
    mistake("normalisation-inside:first", before="norm"),
    mistake("normalisation-inside:first-function", before="norm_function"),
    mistake("normalisation-inside:last", after="norm"),
    mistake("normalisation-inside:last-function", after="norm_function"),
    mistake("activation-on-output", after="relu"),
    mistake("activation-on-output:tanh", after="tanh"),
    mistake("activation-on-output:gelu", after="gelu"),
    mistake("output-rounded", implied="gradients-detached", after="round_4"),
    mistake("output-rounded:by-hand", implied="gradients-detached", after="round_3"),
    mistake("inplace-on-input", after="written", numeric=False),
    mistake("inplace-on-input:copied", after="copied", numeric=False),
)
REPEATED = "not-repeatable"
DROPOUT = (
    mistake("dropout-before-softmax", dropout="before_softmax", numeric=False),
    mistake("dropout-in-eval", implied=REPEATED, dropout="eval_function", numeric=False),
    mistake("dropout-in-eval:made", implied=REPEATED, dropout="eval_made", numeric=False),
    mistake("dropout-in-eval:true", implied=REPEATED, dropout="eval_true", numeric=False),
    mistake("dropout-never-on", dropout="never", numeric=False),
    mistake("dropout-never-on:absent", dropout="absent", numeric=False),
    mistake("dropout-never-on:off", dropout="off", numeric=False),
    mistake("dropout-never-on:discarded", dropout="discarded", numeric=False),
    mistake("dropout-keep-for-drop", dropout="keep", numeric=False),
    mistake("dropout-on-wrong-place:values", dropout="values", numeric=False),
    mistake("dropout-on-wrong-place:merged", dropout="merged", numeric=False),
    mistake("dropout-on-wrong-place:output", dropout="output", numeric=False),
    mistake("dropout-on-wrong-place:input", dropout="input", numeric=False),
)
STATE = (
    mistake("heads-python-list", "parameters-unregistered", parameters="list", numeric=False),
    mistake("parameters-unregistered:dict", parameters="dict", numeric=False),
    mistake("parameters-unregistered:tensor", parameters="tensor", numeric=False),
    mistake("parameters-unregistered:output", output="tensor", numeric=False),
    mistake("parameters-unregistered:output-list", "heads-python-list", output="list", numeric=False),
    mistake("parameters-made-in-forward", implied=REPEATED, parameters="forward", numeric=False),
    mistake("parameters-made-in-forward:output", implied=REPEATED, output="forward", numeric=False),
    mistake("not-repeatable", noise="output", numeric=False),
    mistake("not-repeatable:weights", noise="weights", numeric=False),
    mistake("rng-reseeded-in-init", seeded="init", numeric=False),
    mistake("rng-reseeded-in-forward", seeded="forward", numeric=False),
    mistake("gradients-detached", detached="weights", numeric=False),
    mistake("gradients-detached:query", detached="query", numeric=False),
    mistake("gradients-detached:values", detached="values", numeric=False),
    mistake("gradients-detached:data", detached="data", numeric=False),
    mistake("gradients-detached:no-grad", detached="no_grad", numeric=False),
    mistake("gradients-detached:clone", detached="clone", numeric=False),
    mistake("hard-coded-dtype", implied="answers-depend-on-precision", fixed="dtype", numeric=False),
    mistake("hard-coded-dtype:cast", implied="answers-depend-on-precision", fixed="cast", numeric=False),
    mistake("hard-coded-device", fixed="device", numeric=False),
    mistake("hard-coded-size:seq", implied="shape-error", fixed="seq", numeric=False),
    mistake("hard-coded-size:batch", implied="shape-error", fixed="batch", numeric=False),
    mistake("hard-coded-size:embed", implied="shape-error", fixed="embed", numeric=False),
)
MISTAKES = {entry.name: entry for entry in (*SCORES, *PROJECTIONS, *MASKS, *HEADS, *RESULTS, *DROPOUT, *STATE)}
BY_ID: dict[str, tuple[Mistake, ...]] = {
    identifier: tuple(entry for entry in MISTAKES.values() if entry.id == identifier)
    for identifier in dict.fromkeys(entry.id for entry in MISTAKES.values())
}
