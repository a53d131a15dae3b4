"""What the steps of a trace do: which scale scores, which split heads, which add the input to the output."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Final

from grader.examiner.flow import PRODUCTS, PROJECTIONS, TRANSPOSITIONS, Act, Flow

ACTIVATIONS: Final = frozenset(
    {"relu", "relu6", "leaky_relu", "gelu", "elu", "selu", "celu", "silu", "mish", "tanh", "sigmoid", "softplus"}
)
NORMALISATIONS: Final = frozenset({"layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm", "normalize"})
REPLACEMENTS: Final = ACTIVATIONS | {"log_softmax", "softmin", "normalize", "gumbel_softmax", "hardtanh", "hardsigmoid"}
DROPOUTS: Final = frozenset({"dropout", "alpha_dropout", "feature_dropout", "native_dropout", "bernoulli"})
DRAWS: Final = frozenset({"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "normal", "multinomial"})
STARTS: Final = frozenset({"uniform", "normal", "trunc_normal", "kaiming_uniform", "kaiming_normal", "xavier_uniform"})
FACTORIES: Final = frozenset({"zeros", "ones", "full", "arange", "eye", "empty", "tensor", "rand", "randn", "linspace"})
RESHAPES: Final = frozenset({"view", "reshape", "flatten", "unflatten", "view_as", "reshape_as"})
SPLITS: Final = RESHAPES | {"unsqueeze", "chunk", "split", "tensor_split", "unfold"}
FLOATS: Final = frozenset({"float64", "float32", "float16", "bfloat16"})

ROLE: Final = re.compile(r"(?<![a-z])([qkv])(?:uer(?:y|ies)|eys?|alues?|s)?(?![a-z])")
"""Which of query, key and value a name speaks of, by its letter."""

ATTRIBUTE: Final = re.compile(r"self\.(\w+)")

SOURCE_CAP: Final = 300

Likeness = Callable[[Flow, Act], bool]
"""Something that is true of a step, or not."""


def takes_square(flow: Flow, act: Act) -> bool:
    """Whether what it works on has a place for each pair of tokens."""
    return bool(act.takes) and flow.is_square(act.takes[0])


def follows_scores(flow: Flow, act: Act) -> bool:
    """Whether it comes after the scores."""
    return any(map(flow.is_after_scores, act.takes))


def follows_softmax(flow: Flow, act: Act) -> bool:
    """Whether it comes after the softmax."""
    return any(map(flow.is_after_softmax, act.takes))


def precedes_softmax(flow: Flow, act: Act) -> bool:
    """Whether it computes with the input, and not after the softmax."""
    return flow.any_from_x(act) and not follows_softmax(flow, act)


# -- scores and softmax ------------------------------------------------------------------------------------------------


def scales(flow: Flow, act: Act) -> bool:
    """Whether it multiplies queries, keys or scores by a number."""
    if not precedes_softmax(flow, act) or any(map(flow.is_input, act.takes)):
        return False
    if act.name in PRODUCTS:
        return isinstance(act.argument("alpha"), float)
    numbers = [act.argument(name) for name in ("0", "1", "other")]
    by_number = any(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)
    by_tensor = any(math.prod(flow.shape(number)) == 1 for number in act.takes)
    return act.name in ("mul", "div") and (by_number or by_tensor)


def scales_again(flow: Flow, act: Act) -> bool:
    """Whether it scales scores of queries or keys that were scaled already."""
    already = any(scales(flow, each) and not follows_scores(flow, each) for each in flow.acts[: act.at])
    return scales(flow, act) and follows_scores(flow, act) and already


def is_softmax_again(flow: Flow, act: Act) -> bool:
    """Whether it is a softmax of what went through one."""
    return flow.is_softmax(act) and follows_softmax(flow, act)


def runs_over_queries(flow: Flow, act: Act) -> bool:
    """Whether it is a softmax along the first axis of tokens."""
    shape, seq = flow.before(act), flow.sizes.seq
    return flow.is_softmax(act) and seq in shape and flow.axis(act) == shape.index(seq)


def runs_over_heads(flow: Flow, act: Act) -> bool:
    """Whether it runs along the axis of the heads."""
    return _runs_over(flow, act, flow.sizes.heads)


def runs_over_batch(flow: Flow, act: Act) -> bool:
    """Whether it runs along the axis of the samples."""
    return _runs_over(flow, act, flow.sizes.batch)


def _runs_over(flow: Flow, act: Act, size: int) -> bool:
    axis = flow.axis(act)
    return axis is not None and flow.before(act)[axis] == size


def divides_squares(flow: Flow, act: Act) -> bool:
    """Whether it divides scores by what was made of scores."""
    return act.name == "div" and len(act.takes) == 2 and all(map(flow.is_after_scores, act.takes))


def transposes(flow: Flow, act: Act) -> bool:
    """Whether it moves axes."""
    return act.name in TRANSPOSITIONS


def transposes_for_scores(flow: Flow, act: Act) -> bool:
    """Whether it moves axes of what meets in the scores."""
    meeting = {number for each in flow.acts if flow.makes_scores(each) for number in each.takes}
    return transposes(flow, act) and not meeting.isdisjoint(act.gives)


# -- masks -------------------------------------------------------------------------------------------------------------


def masks(flow: Flow, act: Act) -> bool:
    """Whether the mask meets what was computed from the input."""
    return flow.any_from_x(act) and any(map(flow.is_mask, act.takes))


def masks_in_vain(flow: Flow, act: Act) -> bool:
    """Whether it masks something that is not used."""
    return masks(flow, act) and not act.writes and flow.is_in_vain(act)


def is_of_mask(flow: Flow, act: Act) -> bool:
    """Whether it works on the mask alone."""
    return bool(act.takes) and all(map(flow.is_mask, act.takes))


def multiplies_mask_by_infinity(flow: Flow, act: Act) -> bool:
    """Whether it works on the mask and has an infinite number at hand."""
    numbers = [number for number in act.step.arguments.values() if isinstance(number, float)]
    return is_of_mask(flow, act) and any(map(math.isinf, numbers))


def takes_first_sample(flow: Flow, act: Act) -> bool:
    """Whether it leaves all samples of the mask out but some."""
    picks = is_of_mask(flow, act) and act.name in ("getitem", "select", "narrow")
    return picks and flow.before(act)[:1] == (flow.sizes.batch,) != flow.after(act)[:1]


# -- projections and heads ---------------------------------------------------------------------------------------------


def projects(flow: Flow, act: Act) -> bool:
    """Whether it multiplies what was computed from the input by weights."""
    return act.name in PROJECTIONS and flow.any_from_x(act) and any(map(flow.is_parameter, act.takes))


def projects_before_softmax(flow: Flow, act: Act) -> bool:
    """Whether it makes queries, keys or values."""
    return projects(flow, act) and not follows_softmax(flow, act)


def projects_in_vain(flow: Flow, act: Act) -> bool:
    """Whether it projects what the heads found, and is not used."""
    return projects(flow, act) and follows_softmax(flow, act) and flow.is_in_vain(act)


def repeated_projections(flow: Flow) -> list[Act]:
    """Where weights project once more.

    Which of two uses is the wrong one, names may tell: where what makes keys is called query, it is that line.
    Otherwise it is the later one. In a line where other weights project too, it is none.
    """
    uses: dict[frozenset[int], list[Act]] = {}
    for act in flow.acts:
        if projects(flow, act):
            weights = (flow.origins(number) for number in act.takes if flow.is_parameter(number))
            uses.setdefault(frozenset().union(*weights), []).append(act)
    lines = {_line_of(acts[0]) for acts in uses.values() if len(acts) == 1}
    again = [acts for acts in uses.values() if len(acts) > 1 and lines.isdisjoint(map(_line_of, acts))]
    return [act for acts in again for act in [each for each in acts if _is_misnamed(each)] or acts[1:]]


def _line_of(act: Act) -> tuple[str, int | None, int] | None:
    frame = act.step.frame
    return None if frame is None else (frame.file, frame.cell, frame.line)


def _is_misnamed(act: Act) -> bool:
    """Whether its line makes one of query, key and value with what is called another of them."""
    made, _, rest = (act.step.frame.source if act.step.frame else "")[:SOURCE_CAP].partition("=")
    roles = [set(ROLE.findall(text.lower())) for text in (made, " ".join(ATTRIBUTE.findall(rest)))]
    return all(len(each) == 1 for each in roles) and roles[0] != roles[1]


def splits_directly(flow: Flow, act: Act) -> bool:
    """Whether it makes (heads, seq, head) out of (seq, embed) without moving an axis."""
    before, after, seq = flow.before(act), flow.after(act), flow.sizes.seq
    if act.name not in RESHAPES or not precedes_softmax(flow, act) or len(before) < 2 or len(after) < 3:
        return False
    return before[-2] == after[-2] == seq and after[-1] < before[-1]


def merges_directly(flow: Flow, act: Act) -> bool:
    """Whether it makes (seq, embed) out of (heads, seq, head) or (heads * seq, head) without moving an axis."""
    sizes = flow.sizes
    apart = flow.before(act)[-2:] in ((sizes.seq, sizes.head), (sizes.heads * sizes.seq, sizes.head))
    merges = apart and sizes.heads > 1 and flow.after(act)[-2:] == (sizes.seq, sizes.embed)
    return act.name in RESHAPES and follows_scores(flow, act) and merges


def splits_input(flow: Flow, act: Act) -> bool:
    """Whether it splits the input itself into heads."""
    return takes_part_of_input(flow, act) and act.name in SPLITS


def takes_part_of_input(flow: Flow, act: Act) -> bool:
    """Whether it takes the features of one head out of the input itself, or those of all heads apart."""
    sizes = flow.sizes
    is_input = bool(act.takes) and flow.is_input(act.takes[0]) and flow.before(act)[-1:] == (sizes.embed,)
    return is_input and sizes.heads > 1 and flow.after(act)[-1:] == (sizes.head,)


def leaves_one_head(flow: Flow, act: Act) -> bool:
    """Whether it makes an axis for heads that holds a single one."""
    before, after = flow.before(act), flow.after(act)
    adds_axis = len(after) == len(before) + 1 and 1 in after[1:-1] and after[-1] % flow.sizes.embed == 0
    return act.name in SPLITS and precedes_softmax(flow, act) and adds_axis


def puts_samples_for_tokens(flow: Flow, act: Act) -> bool:
    """Whether it moves the axis of the samples to where that of the tokens should be."""
    before, after, sizes = flow.before(act), flow.after(act), flow.sizes
    moves = before[-2:-1] != after[-2:-1] == (sizes.batch,) and after[-1] in (sizes.embed, sizes.head)
    return transposes(flow, act) and precedes_softmax(flow, act) and moves


def mixes_samples(flow: Flow, act: Act) -> bool:
    """Whether tokens of different samples meet."""
    return act.name in PRODUCTS and flow.any_from_x(act) and flow.after(act).count(flow.sizes.batch) >= 2


def adds_heads(flow: Flow, act: Act) -> bool:
    """Whether it adds what heads found."""
    return act.name == "add" and len(act.takes) >= 2 and all(map(flow.is_after_softmax, act.takes))


def reduces_heads(flow: Flow, act: Act) -> bool:
    """Whether it makes one of all heads."""
    return follows_softmax(flow, act) and runs_over_heads(flow, act)


def divides_by_heads(flow: Flow, act: Act) -> bool:
    """Whether it divides what heads found by their number."""
    divides = act.name == "div" and act.argument("1", "other") == flow.sizes.heads
    return divides and follows_softmax(flow, act) and not takes_square(flow, act)


# -- the result --------------------------------------------------------------------------------------------------------


def makes_output(flow: Flow, act: Act) -> bool:
    """Whether the output comes out of it."""
    sizes = flow.sizes
    shapes = {(sizes.batch, sizes.seq, sizes.embed), (sizes.seq, sizes.embed)}
    return any(number in flow.returned and flow.shape(number) in shapes for number in act.gives)


def adds_input(flow: Flow, act: Act) -> bool:
    """Whether it adds the input to something computed from it."""
    computed = any(flow.is_from_x(number) and not flow.is_input(number) for number in act.takes)
    return act.name == "add" and computed and any(map(flow.is_input, act.takes))


# -- randomness, gradients, state --------------------------------------------------------------------------------------


def drops_in_eval(flow: Flow, act: Act) -> bool:
    """Whether it is dropout that is not told to rest."""
    return act.name in DROPOUTS and act.argument("training", "2") is not False


def writes_to_mask(flow: Flow, act: Act) -> bool:
    """Whether it changes the mask that was handed in."""
    return act.writes and bool(act.takes) and flow.is_mask_itself(act.takes[0])


def writes_to_input(flow: Flow, act: Act) -> bool:
    """Whether it changes the input that was handed in."""
    return act.writes and bool(act.takes) and flow.is_input(act.takes[0])


def writes_to_weights(flow: Flow, act: Act) -> bool:
    """Whether it changes attention weights in place."""
    return act.writes and takes_square(flow, act) and flow.is_after_softmax(act.takes[0])


def makes_matrix(flow: Flow, act: Act) -> bool:
    """Whether it makes something with two axes or more."""
    return len(flow.after(act)) >= 2


def makes_other_precision(flow: Flow, act: Act) -> bool:
    """Whether it makes floating point numbers of another precision than the input's, out of none of that."""
    if flow.x is None:
        return False
    made, before = ({flow.dtype(number) for number in numbers} & FLOATS for numbers in (act.gives, act.takes))
    return bool(made - before - {flow.dtype(flow.x)})


def makes_on_fixed_device(flow: Flow, act: Act) -> bool:
    """Whether it makes a tensor on a device of its own."""
    is_fixed = act.argument("device") in (None, "cpu", "cuda", "cuda:0")
    return act.name in FACTORIES and not act.takes and makes_matrix(flow, act) and is_fixed
