"""The mistakes that can be named: what each does, in words for the student who made it.

A title is what fits into a table; an explanation says what happens and where to look, and gives no solution away.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Entry:
    """One mistake.

    Attributes:
        title: a few words.
        explanation: what happens, in a sentence or two.
        informative: whether it is only worth knowing: correct code may have it, and it costs nothing.
    """

    title: str
    explanation: str
    informative: bool = False


CATALOGUE = MappingProxyType(
    {
        # -- what is handed in ---------------------------------------------------------------------------------------
        "syntax-error": Entry("syntax error", "Python cannot read the file. Run it once before you hand it in."),
        "import-missing": Entry(
            "missing import", "A module is used but never imported. It may work where another cell or file imported it."
        ),
        "name-undefined": Entry("undefined name", "A name is used that nothing has been assigned to."),
        "super-init-missing": Entry(
            "super().__init__() missing", "Layers are assigned before nn.Module has been initialised."
        ),
        "not-implemented": Entry("not implemented", "A part of the exercise still raises NotImplementedError."),
        "extra-required-argument": Entry(
            "extra constructor argument", "The constructor demands an argument that the contract does not give."
        ),
        "unbatched-only": Entry(
            "works on one sample only",
            "forward expects a single (seq, embed) matrix. With a batch there is one more axis in front, so transposes"
            " and the softmax must name the last axes.",
        ),
        "mask-not-accepted": Entry(
            "no mask argument", "forward has no parameter for the mask, so nothing can be masked."
        ),
        "returns-none": Entry("forward returns nothing", "Something is computed, but forward does not return it."),
        "forbidden-api": Entry(
            "ready-made attention", "The library's own attention is called; here the point is to write it out."
        ),
        # -- shapes --------------------------------------------------------------------------------------------------
        "shape-error": Entry("shapes do not fit", "Two tensors meet whose shapes do not fit together."),
        "heads-full-width": Entry(
            "heads project to full width",
            "Every head returns all features, so the concatenation is num_heads times too wide for the last layer. A"
            " head projects to embed_dim // num_heads features.",
        ),
        "head-linear-fed-full-width": Entry(
            "head layer fed all features",
            "A layer sized for one head is given all embed_dim features. Project from embed_dim, or split first.",
        ),
        "full-linear-fed-head": Entry(
            "full layer fed one head", "A layer sized for all features is given those of one head only."
        ),
        "transpose-T-on-3d": Entry(
            ".T on a batch",
            ".T reverses all axes, the batch too. For scores only the last two axes of the keys change places.",
        ),
        "keys-not-transposed": Entry(
            "keys not transposed", "Queries meet keys over their features; for that the last two axes of the keys swap."
        ),
        "view-noncontiguous": Entry(
            "view after transpose", "view cannot follow a transpose, because the memory is not in that order any more."
        ),
        "float-head-dim": Entry(
            "head width is a float", "A size must be a whole number: / gives a float, // does not."
        ),
        "sqrt-of-int": Entry(
            "torch.sqrt of a number", "torch.sqrt takes tensors; for a plain number there is math.sqrt."
        ),
        # -- the mathematics -----------------------------------------------------------------------------------------
        "softmax-missing": Entry("no softmax", "The raw scores are used as attention weights."),
        "softmax-twice": Entry("softmax applied twice", "A second softmax makes the attention weights nearly uniform."),
        "softmax-global": Entry("softmax over all pairs", "The weights of one query do not sum to one by themselves."),
        "softmax-dim-query": Entry(
            "softmax over the queries", "The softmax runs along the queries; for each query it must run along the keys."
        ),
        "softmax-dim-head": Entry("softmax over the heads", "The softmax runs along the axis of the heads."),
        "softmax-dim-batch": Entry("softmax over the batch", "The softmax runs along the batch, so samples mix."),
        "softmax-unstable": Entry(
            "softmax overflows",
            "exp of a large score overflows. Subtracting the largest score first changes nothing else.",
        ),
        "attention-transposed": Entry("attention transposed", "The attention weights are transposed before use."),
        "key-uses-query": Entry("keys made by the query layer", "The key projection is not used; the query's is."),
        "value-uses-key": Entry("values made by the key layer", "The value projection is not used; the key's is."),
        "residual-inside": Entry(
            "input added to the output",
            "The input is added to the result; the contract has no such residual connection.",
        ),
        "scale-missing": Entry(
            "scores not scaled", "The scores are not divided by the square root of the key's width."
        ),
        "scale-embed-dim": Entry(
            "scaled by sqrt(embed_dim)",
            "The scores are divided by the square root of the full width; each head has only embed_dim // num_heads.",
        ),
        "scale-d-not-sqrt": Entry("scaled by d, not sqrt(d)", "The scores are divided by the width, not by its root."),
        "scale-inverted": Entry(
            "scale upside down", "The scores are multiplied by the root where they must be divided."
        ),
        "scale-wrong-size": Entry(
            "scaled by the wrong size", "The scores are scaled by the size of another axis than the key's width."
        ),
        "scale-constant": Entry("scaled by a constant", "The scores are multiplied by a number that is not 1/sqrt(d)."),
        # -- masks ---------------------------------------------------------------------------------------------------
        "mask-ignored": Entry("mask ignored", "The mask is accepted, but it has no effect on the output."),
        "mask-inverted": Entry("mask inverted", "What may be attended to is hidden, and what must be hidden is seen."),
        "mask-after-softmax": Entry(
            "mask applied after softmax",
            "Weights are set to zero after the softmax, so those that are left do not sum to one.",
        ),
        "mask-fill-zero": Entry(
            "masked scores set to 0", "A score of 0 is an ordinary score: softmax gives it weight."
        ),
        "mask-on-queries": Entry("mask on the wrong axis", "The mask hides queries where it should hide keys."),
        "mask-no-head-axis": Entry(
            "mask lacks the head axis", "A (batch, seq, seq) mask meets (batch, heads, seq, seq)."
        ),
        "mask-mutated": Entry("mask changed in place", "The mask that was handed in is written to."),
        "mask-dtype-rejected": Entry(
            "only some mask dtypes", "Masks of one dtype work, others raise or give other results."
        ),
        # -- heads ---------------------------------------------------------------------------------------------------
        "heads-view-no-transpose": Entry(
            "heads split without transpose",
            "The features are reshaped straight to (batch, heads, seq, head_dim), which mixes tokens with heads. First"
            " give the heads an axis of their own, then move it.",
        ),
        "merge-view-no-transpose": Entry(
            "heads merged without transpose",
            "The heads are reshaped back without moving their axis, which mixes tokens with heads.",
        ),
        "heads-not-split": Entry("heads not split", "num_heads makes no difference: there is one big head."),
        "output-projection-missing": Entry("no output projection", "The concatenated heads are returned as they are."),
        "output-projection-unused": Entry(
            "output projection unused", "The last layer is defined but its result is not."
        ),
        "output-projection-wrong-size": Entry(
            "output projection too narrow",
            "The last layer is sized for one head, but is given all of them concatenated.",
        ),
        "indivisible-heads-accepted": Entry(
            "indivisible sizes accepted", "A width that the heads cannot share evenly must be rejected when building."
        ),
        # -- learning ------------------------------------------------------------------------------------------------
        "parameters-unregistered": Entry(
            "parameters not registered",
            "Layers in a plain list, or plain tensors, are not found by parameters(): no optimiser would train them."
            " nn.ModuleList and nn.Parameter are.",
        ),
        "gradients-detached": Entry("gradient cut off", "Some parameters receive no gradient although they are used."),
        "layers-unused": Entry("unused layers", "A layer is defined, but the output does not depend on it."),
        "numpy-in-forward": Entry("numpy inside forward", "numpy knows no gradients; use torch's functions."),
        "inplace-after-softmax": Entry(
            "overwritten in place", "A value that the gradient needs is overwritten in place after it was computed."
        ),
        "inplace-on-input": Entry("input changed in place", "The tensor that was handed in is written to."),
        "not-repeatable": Entry(
            "not repeatable", "Two calls in eval mode differ, even without dropout: something is drawn in forward."
        ),
        "dropout-in-eval": Entry("dropout in eval mode", "Two calls in eval mode differ: dropout must rest there."),
        "answers-depend-on-history": Entry(
            "answers change with what was asked before",
            "Asked the same once more, in another order and a fresh process, the same weights gave other outputs in"
            " eval mode. The output may depend on the input, the mask and the weights, and on nothing that"
            " earlier calls left behind.",
        ),
        "answers-depend-on-precision": Entry(
            "other outputs in single precision",
            "In float32 the module computes something else than in float64, by far more than rounding.",
        ),
        "dropout-never-on": Entry("dropout without effect", "In train mode nothing is dropped."),
        "hard-coded-dtype": Entry("fixed precision", "Some tensor is created in a fixed dtype instead of the input's."),
        "hard-coded-device": Entry("fixed device", "Some tensor is created on the CPU instead of the input's device."),
    }
)
"""By the id of the finding."""
