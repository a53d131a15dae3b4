"""What is true of every self-attention, whatever its number of heads; checks of both core assignments use these.

Each function takes the student's module (`grader.examiner.attention.Attention`) and the source of inputs
(`grader.examiner.fixtures.Draw`), and fails with a sentence for the student. Sizes are pairwise different throughout,
so that no axis can stand in for another.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from grader.attention import TOLERANCE, relative_error
from grader.attention.dropout import kept_weights, with_kept
from grader.attention.gradients import unregistered_id
from grader.attention.scale import name_scale
from grader.checks.asserting import assert_same, fail, inconclusive, require
from grader.checks.faults import Fault, Raised
from grader.model import Loading

SCALES: Final = {
    "1 (no scaling)": "scale-missing",
    "1/sqrt(embed_dim)": "scale-embed-dim",
    "1/d_k": "scale-d-not-sqrt",
    "sqrt(d_k)": "scale-inverted",
    "1/sqrt(seq_len)": "scale-wrong-size",
    "1/sqrt(batch)": "scale-wrong-size",
    "1/sqrt(num_heads)": "scale-wrong-size",
}
"""The findings behind the scales that have a name; any other constant is `scale-constant`."""

SLIGHT: Final = 1e-4
"""Below this share of what moves, nothing is said to move. Even a softmax over large scores leaves more, somewhere."""

WEAKEST_GRADIENT: Final = 1e-3
"""The least share of the strongest gradient that a matrix gets at moderate scores, whatever their scale."""

Attention = Any
Draw = Any


def tokens_meet(attention: Attention, draw: Draw) -> None:
    """Change one token, and outputs of others move."""
    x = draw.tokens(6, 5, attention.embed_dim)
    other = x.clone()
    other[:, 2] = draw.tokens(6, 1, attention.embed_dim)[:, 0]
    moved = _movement(attention(x), attention(other))
    require(
        _moved(moved[:, [0, 1, 3, 4]], moved),
        "Changing one token changes no other token's output: nothing is attended to.",
    )


def weights_sum_to_one(attention: Attention, draw: Draw) -> None:
    """When all tokens carry the same value, whatever the scores are, attention returns that value."""
    x = draw.tokens_of_equal_value(attention, 3, 5)
    alone = attention(x.reshape(15, 1, -1)).view(x.shape)  # a sequence of one token can only attend to itself
    assert_same(
        attention(x),
        alone,
        "When every token carries the same value, attention can only return that value. Here something else came out:"
        " the weights over the keys do not sum to one for every query.",
    )


def large_scores_stay_finite(attention: Attention, draw: Draw) -> None:
    """exp() of a large score overflows unless the largest one is subtracted first."""
    output = attention(300.0 * draw.tokens(2, 5, attention.embed_dim))
    require(
        bool(output.isfinite().all()), "Large inputs turn the output into NaN or infinity.", finding="softmax-unstable"
    )


def matches_the_reference(attention: Attention, draw: Draw, *, batch: int, seq: int) -> None:
    """The output is that of the reference with the same weights, up to a constant scale of the scores."""
    x = draw.telling_tokens(attention, batch, seq)
    assert_same(attention(x), attention.expected(x), "The output differs from self-attention with the same weights.")


def scores_are_scaled(attention: Attention) -> None:
    """The scores are multiplied by 1/sqrt(d_k)."""
    if attention.scale is None:
        inconclusive("The scale of the scores could not be read off the output.")
    d_k = attention.weights.d_k
    if abs(attention.scale * d_k**0.5 - 1) > 1e-4:
        heads = int(attention.config.get("num_heads", 1))
        sizes = {"d_k": d_k, "embed": attention.embed_dim, "heads": heads, "seq": 7, "batch": 3}
        found = name_scale(attention.scale, **sizes, tolerance=1e-4)
        fail(
            f"The scores are multiplied by {found}; they should be divided by the square root of {d_k}, the width of"
            " one key.",
            finding=SCALES.get(found, "scale-constant"),
        )


def samples_do_not_mix(attention: Attention, draw: Draw) -> None:
    """A sample in a batch gets the output it gets alone."""
    x = draw.tokens(3, 5, attention.embed_dim)
    alone = torch.cat([attention(x[i : i + 1]) for i in range(3)])
    assert_same(attention(x), alone, "A sample's output depends on the other samples of the batch.")


def order_does_not_matter(attention: Attention, draw: Draw) -> None:
    """Self-attention without a mask is permutation equivariant."""
    x = draw.tokens(2, 6, attention.embed_dim)
    order = torch.tensor([2, 5, 0, 3, 1, 4])
    assert_same(
        attention(x[:, order]),
        attention(x)[:, order],
        "Reordering the tokens changed more than the order of the outputs: tokens get mixed with their neighbours.",
    )


def lengths_do_not_stick(attention: Attention, draw: Draw) -> None:
    """Calls with other lengths leave nothing behind."""
    x = draw.tokens(2, 8, attention.embed_dim)
    first = attention(x[:, :5])
    attention(x)
    attention(x[:1, :3])
    assert_same(attention(x[:, :5]), first, "The same input gave another output after calls with other lengths.")


def repeats_in_eval_mode(without: Attention, with_dropout: Attention, draw: Draw) -> None:
    """Nothing is random in eval mode, whether the module was built with dropout or not."""
    x = draw.tokens(2, 5, without.embed_dim)
    message = "Two calls in eval mode gave different outputs."
    require(torch.equal(without(x), without(x)), message, finding="not-repeatable")
    require(torch.equal(with_dropout(x), with_dropout(x)), message, finding="dropout-in-eval")


def leaves_inputs_alone(attention: Attention, draw: Draw) -> None:
    """Neither the tokens nor the mask are written to."""
    x = draw.tokens(2, 5, attention.embed_dim)
    for mask in (None, draw.causal_mask(2, 5)) if attention.takes_mask else (None,):
        try:
            handed_in, afterwards = attention.around_call(x, mask)
        except Fault:
            if mask is None:
                raise
            return  # masks that are not accepted have a check of their own
        require(len(handed_in) == len(afterwards), "What was handed in did not come back.")
        for before, after in zip(handed_in, afterwards, strict=True):
            name = "inplace-on-input" if mask is None else "mask-mutated"
            require(torch.equal(after, before), "A tensor that was handed in was changed in place.", finding=name)


def padding_has_no_influence(attention: Attention, draw: Draw) -> None:
    """Tokens that nobody may attend to can hold anything."""
    lengths = (3, 5, 6)
    mask = draw.padding_mask(lengths, 6)
    x = draw.tokens(3, 6, attention.embed_dim)
    other = x.clone()
    for sample, length in enumerate(lengths):
        other[sample, length:] = 3 * draw.tokens(1, 6 - length, attention.embed_dim)[0]
    before, after = attention(x, mask), attention(other, mask)
    for sample, length in enumerate(lengths):
        assert_same(
            after[sample, :length],
            before[sample, :length],
            "Changing tokens that are masked out changed the outputs of visible tokens.",
        )
    seen = x.clone()
    seen[:, 1:3] = draw.tokens(3, 2, attention.embed_dim)  # real tokens of every sample
    moved = _movement(before, attention(seen, mask))
    others = torch.cat([moved[:, :1], moved[:, 3:].masked_fill(~mask[:, 0, 3:, None], 0.0)], dim=1)
    require(_moved(others, moved[:, 1:3]), "Under a padding mask, no token's output depends on the other real tokens.")


def future_has_no_influence(attention: Attention, draw: Draw) -> None:
    """Under a causal mask, what comes later can hold anything."""
    x = draw.tokens(2, 7, attention.embed_dim)
    other = x.clone()
    other[:, 4:] = 3 * draw.tokens(2, 3, attention.embed_dim)
    mask = draw.causal_mask(2, 7)
    before = attention(x, mask)
    assert_same(
        attention(other, mask)[:, :4],
        before[:, :4],
        "Under a causal mask, changing later tokens changed earlier outputs.",
    )
    seen = x.clone()
    seen[:, :3] = draw.tokens(2, 3, attention.embed_dim)
    moved = _movement(before, attention(seen, mask))
    require(_moved(moved[:, 3:], moved[:, :3]), "Under a causal mask, no output depends on the tokens before it.")


def causal_mask_matches(attention: Attention, draw: Draw) -> None:
    """Masked self-attention as in a decoder, also where the scores are large."""
    mask = draw.causal_mask(3, 5)
    for gain in (1.0, 6.0):
        x = gain * draw.tokens(3, 5, attention.embed_dim)
        assert_same(
            attention(x, mask), attention.expected(x, mask), "With a causal mask the output differs from the reference."
        )


def padding_mask_matches(attention: Attention, draw: Draw) -> None:
    """Only the outputs of real tokens are compared: what a padded position gets is nobody's business."""
    lengths = (3, 6, 5)
    mask = draw.padding_mask(lengths, 6)
    x = draw.tokens(3, 6, attention.embed_dim)
    output, expected = attention(x, mask), attention.expected(x, mask)
    for sample, length in enumerate(lengths):
        assert_same(
            output[sample, :length],
            expected[sample, :length],
            "With a padding mask the output differs from the reference.",
        )


def each_sample_has_its_own_mask(attention: Attention, draw: Draw) -> None:
    """A mask without symmetry, another one for each sample."""
    mask = draw.mask(3, 5)
    x = draw.telling_tokens(attention, 3, 5, mask)
    assert_same(
        attention(x, mask), attention.expected(x, mask), "With a different mask for each sample the output differs."
    )


def masks_broadcast(attention: Attention, draw: Draw) -> None:
    """(seq, seq) is one mask for all samples, (batch, 1, seq) one for all queries of a sample."""
    x = draw.tokens(3, 5, attention.embed_dim)
    for mask in (draw.causal_mask(1, 5)[0], draw.padding_mask((3, 4, 5), 5)[:, :1]):
        assert_same(
            attention(x, mask),
            attention.expected(x, mask),
            f"With a mask of shape {tuple(mask.shape)} the output differs from the reference.",
        )


def masks_of_any_dtype(attention: Attention, draw: Draw) -> None:
    """Booleans, whole numbers and floating ones: what counts is whether they are zero."""
    x, mask = draw.tokens(3, 5, attention.embed_dim), draw.mask(3, 5)
    visible = mask.double()
    outputs = [attention.with_raw_mask(x, form) for form in (mask, mask.long(), visible.to(attention.dtype))]
    if not bool(outputs[0].isfinite().all()):
        inconclusive("With a mask the output is not finite, whatever the mask's dtype.")
    for output in outputs[1:]:
        assert_same(output, outputs[0], "Masks of booleans and masks of zeros and ones give different outputs.")


def number_of_heads_matters(one: Attention, many: Attention, draw: Draw) -> None:
    """Two modules that differ in the number of heads give different outputs with the same weights.

    Where their tensors differ in shape, the question is whether those of the second matter at all.
    """
    shapes = {path: value.shape for path, value in one.values.items()}
    differing = {path: draw.noise_like(value) for path, value in many.values.items() if shapes.get(path) != value.shape}
    x = draw.tokens(2, 5, many.embed_dim)
    before = many(x)
    if differing or len(shapes) != len(many.values):
        many.load({**many.values, **differing})
        after = many(x)
    else:
        one.load(many.values)
        after = one(x)
    require(
        bool(_movement(before, after).max() > 1e-3),
        "num_heads makes no difference: the features are not split into heads.",
        finding="heads-not-split",
    )


def has_an_output_projection(attention: Attention) -> None:
    """The concatenated heads are mixed by one more matrix."""
    unused = attention.binding.roles.unused if attention.binding else ()
    require(
        attention.weights.output is not None,
        "The heads are concatenated, but no output projection follows.",
        finding="output-projection-unused" if unused else "output-projection-missing",
    )


def parameters_are_registered(attention: Attention) -> None:
    """`parameters()` finds whatever is learned."""
    hidden = [leaf.path for leaf in attention.leaves if not leaf.registered]
    require(bool(attention.leaves), "The module has no parameters: there is nothing to learn.")
    require(
        not hidden,
        f"parameters() does not find {' and '.join(hidden[:2])}, so training would never change it.",
        finding=unregistered_id(hidden, int(attention.config.get("num_heads", 1))),
    )


def gradients_reach_every_parameter(attention: Attention, draw: Draw) -> None:
    """Every matrix gets a gradient. A key's bias gets none by nature: softmax does not see it."""
    x = 0.5 * draw.tokens(6, 5, attention.embed_dim)  # scores that saturate no softmax
    noise = draw.noise_like(x)
    output, gradients, untouched = attention.slopes(x, noise[None])
    require(not untouched, f"No gradient reaches {' and '.join(untouched[:2])}: it is unused, or cut off.")
    values = attention.values
    strengths: dict[str, float] = {}
    for path, gradient in gradients.items():
        require(bool(gradient.isfinite().all()), f"The gradient of {path} is not finite.")
        strengths[path] = float(gradient.double().norm() * values[path].norm())
    strongest = max(strengths.values(), default=0.0)
    felt = strongest > SLIGHT * float(noise.norm() * output.norm())
    require(felt, "The output hardly depends on any parameter.")
    for path, strength in strengths.items():
        matrix = values[path].numel() > 3 * attention.embed_dim  # more than all biases together
        enough = strength > WEAKEST_GRADIENT * strongest
        require(not matrix or enough, f"The gradient of {path} is always zero, or next to it.")
    telling = {
        path: gradients[path][0].double()
        for path, strength in strengths.items()
        if strength > WEAKEST_GRADIENT * strongest
    }
    if not torch.equal(attention(x), attention(x)):
        inconclusive("Two calls gave different outputs, so that gradients cannot be compared with them.")
    slope, claimed = _slope_along(attention, x, noise, telling)
    require(
        abs(slope - claimed) < 0.2 * claimed,
        "The gradients are not those of the output: some part of it is cut off, or has a gradient of its own.",
        finding="gradients-detached",
    )
    _learns_under_a_mask(attention, x, noise, gradients)


def _learns_under_a_mask(attention: Attention, x: Tensor, noise: Tensor, without: dict[str, Tensor]) -> None:
    """A mask that hides nothing changes no gradient. Where it changes the output, other checks are about that."""
    if not attention.takes_mask:
        return
    everything = torch.ones(len(x), x.shape[1], x.shape[1], dtype=torch.bool)
    try:
        output, gradients, _ = attention.slopes(x, noise[None], everything)
    except Fault:
        return
    if not relative_error(output, attention(x)) <= TOLERANCE[attention.dtype]:
        return
    allowed = 1e-6 if attention.dtype is torch.float64 else 1e-3
    for path, gradient in without.items():
        own = gradients.get(path)
        same = own is not None and relative_error(own.double(), gradient.double()) <= allowed
        negligible = float(gradient.double().norm()) <= WEAKEST_GRADIENT * float(noise.norm())
        require(
            same or negligible,
            f"With a mask that hides nothing, the output is the same, but the gradient of {path} is another one: some"
            " part of the output is cut off when there is a mask.",
            finding="gradients-detached",
        )


def drops_nothing_unless_asked(attention: Attention, draw: Draw) -> None:
    """A module that was built without a rate of dropout gives the same output in both modes."""
    x = draw.tokens(3, 5, attention.embed_dim)
    attention.eval()
    resting = attention(x)
    attention.train()
    message = "Built without a rate of dropout, the module drops something in train mode; the default must be 0."
    require(_same(attention(x), resting), message, finding="dropout-wrong-rate")


def dropout_acts_on_the_attention_weights(attention: Attention, draw: Draw, *, rate: float) -> None:
    """In train mode the output is what removing some attention weights and scaling up the others gives."""
    if attention.scale is None:
        inconclusive("The attention weights could not be read off the output.")
    x = 0.1 * draw.tokens(16, 5, attention.embed_dim)  # small scores: no attention weight is too small to be seen
    attention.eval()
    resting, scale = attention(x), attention.scale_for(x)
    attention.train()
    acting = attention(x).double()
    require(not _same(acting, resting), "Dropout has no effect in train mode.", finding="dropout-never-on")
    kept = kept_weights(acting, x, attention.weights, scale=scale)
    explained = with_kept(kept, x, attention.weights, rate=rate, scale=scale)
    assert_same(
        acting,
        explained,
        "In train mode the output is not what dropout on the attention weights gives: some weights removed, the others"
        " divided by 1 - p, and nothing else changed.",
        tolerance=1e-4,
    )
    dropped = 1 - float(kept.double().mean())
    require(abs(dropped - rate) < 0.1, f"Dropout removes {dropped:.0%} of the attention weights; p is {rate:.0%}.")


def precision_follows_the_input(attention: Attention, draw: Draw) -> None:
    """What goes in as float64 comes out as float64, and likewise float32."""
    x = draw.tokens(2, 5, attention.embed_dim)
    for dtype in (torch.float32, torch.float64):
        attention.to(dtype)
        got = attention(x).dtype
        message = f"For an input of {_name(dtype)} the output is {_name(got)}."
        require(got is dtype, message, finding="hard-coded-dtype")


def device_follows_the_input(attention: Attention) -> None:
    """On a device without data, whatever was left behind on the CPU shows."""
    try:
        output = attention.on_device("meta", (2, 5, attention.embed_dim))
    except Raised as raised:
        if raised.is_about_devices:
            fail(
                "When the module and its input are moved to another device, some tensor stays behind on the CPU.",
                finding="hard-coded-device",
            )
        return  # code that looks at numbers cannot run without data; that says nothing about devices
    if isinstance(output, Tensor):
        require(output.device.type == "meta", "The output is on the CPU although the module and its input are not.")


def _movement(before: Tensor, after: Tensor) -> Tensor:
    """How far each output moved, `(batch, seq, embed)`."""
    return (after - before).abs()


def _moved(others: Tensor, own: Tensor) -> bool:
    """Whether some of these outputs moved by more than a trace of what the changed tokens' own outputs did."""
    return bool(others.max() > SLIGHT * max(float(own.max()), SLIGHT))


def _slope_along(attention: Attention, x: Tensor, noise: Tensor, gradients: dict[str, Tensor]) -> tuple[float, float]:
    """The slope of `sum(noise * output)` along a direction to which all tensors contribute alike.

    Returns:
        the slope as two outputs tell it, by a central difference, and as the gradients do.
    """
    values = attention.values
    size = float((noise.abs().sum() * attention(x).abs().mean()).detach())
    step = size * (1e-5 if attention.dtype is torch.float64 else 1e-3)
    moves = {path: gradient * (step / gradient.square().sum()) for path, gradient in gradients.items()}
    ends = []
    for sign in (1.0, -1.0):
        attention.load({**values, **{path: values[path] + sign * move for path, move in moves.items()}})
        ends.append(float((noise * attention(x)).sum()))
    attention.load(values)
    return (ends[0] - ends[1]) / 2, step * len(moves)


def _same(a: Tensor, b: Tensor) -> bool:
    return bool(torch.allclose(a.double(), b.double(), rtol=1e-7, atol=1e-9))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def runs_top_to_bottom(loaded: Any) -> None:
    """Nothing that was handed in fails when it is run as it stands. For courses that ask for it, with points."""
    note = f": {loaded.note.rstrip('.')}" if loaded.note else ""
    require(loaded.loading is Loading.EXECUTED, f"It does not run from top to bottom{note}.")
