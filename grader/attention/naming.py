"""Names a mistake when the output proves it: it equals the reference with exactly that mistake, and with no other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from grader.attention.comparison import relative_error
from grader.attention.counterfactuals import counterfactuals
from grader.attention.power import MARGIN
from grader.attention.reference import Weights


def name_mistake(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    weights: Weights,
    masks: Sequence[Tensor | None],
    *,
    tolerance: float,
    scale: float | None = None,
) -> tuple[str, float] | None:
    """The one entry of the table of counterfactuals that every output equals, if there is one.

    Args:
        outputs: what the module made of the inputs, `(batch, seq, embed)` each.
        inputs: two or more, `(batch, seq, embed)` each, of different sizes.
        weights: the projections.
        masks: one for each input, or None.
        tolerance: the greatest relative error of a match.
        scale: what the scores are multiplied by; 1/sqrt(d_k) unless told.

    Returns:
        the id and its greatest relative error; None unless every other entry is at least a hundred times farther away
        than the tolerance.
    """
    worst: dict[str, float] = {}
    for output, x, mask in zip(outputs, inputs, masks, strict=True):
        for name, wrong in counterfactuals(x, weights, mask, scale=scale).items():
            worst[name] = max(worst.get(name, 0.0), relative_error(output, wrong))
    ranked = sorted(worst.items(), key=lambda entry: entry[1])
    (best, error), runner_up = ranked[0], ranked[1][1]
    return (best, error) if error <= tolerance and runner_up > MARGIN * tolerance else None
