"""What one token alone becomes says how the values reach the output, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from grader.attention.drawing import draw_tokens
from grader.attention.projections import Layout, Output
from grader.attention.questions import textbook
from grader.attention.trial import Trial
from grader.attention.values import ValuePath, untested_paths, value_paths
from grader.attention.variants import CERTAIN, CHANGES, IDENTITY, Variant

EMBED, HEADS = 24, 4
RIGHT = textbook(EMBED, HEADS, torch.Generator().manual_seed(0))
X = draw_tokens(1, 1, EMBED, torch.Generator().manual_seed(1))
MOST = 3


def open_layout(*, output: int | None = EMBED) -> Layout:
    """Roles unknown; an output projection that takes so many features, or none."""
    layout = replace(RIGHT.layout, sure=False, name=f"output {output}")
    assert layout.output is not None
    if output is None:
        return replace(layout, output=None)
    columns = layout.output.columns[:output]
    return replace(layout, output=Output(columns=columns, biases=layout.output.biases, paths=("output",), idle=False))


def becomes(variant: Variant, layout: Layout, *, scale: int = 1) -> Tensor:
    """What one token becomes; scores are not scaled unless told, so that heads' weights are far from one."""
    trial = Trial(X, None, X, heads=HEADS, elements=RIGHT.elements)
    made = trial.outputs(layout, variant)
    assert made is not None
    return made[scale]


def found(output: Tensor, layout: Layout) -> list[ValuePath]:
    """The paths of least change."""
    for changes in range(MOST + 1):
        paths = value_paths(X, output, layout, RIGHT.elements, heads=HEADS, tolerance=1e-6, changes=changes)
        if paths:
            assert all(path.changes == changes for path in paths)
            return paths
    return []


def test_the_right_path_is_found_and_no_other() -> None:
    (path,) = found(becomes(Variant(), open_layout()), open_layout())

    assert path == ValuePath(
        value=2,
        normed="",
        activation="",
        merge="concatenated",
        projected=True,
        after=(),
        weighted=False,
        changes=0,
    )


SEEN = [
    (Variant(roles=(0, 1, 1)), EMBED, {"value": 1}, 0),
    (Variant(roles=(0, 1, 0)), EMBED, {"value": 0}, 0),
    (Variant(roles=(0, 1, IDENTITY)), EMBED, {"value": IDENTITY}, 1),
    (Variant(normed="layer norm"), EMBED, {"normed": "layer norm"}, 1),
    (Variant(normed="affine layer norm"), EMBED, {"normed": "affine layer norm"}, 1),
    (Variant(activation=("relu", "qkv")), EMBED, {"activation": "relu"}, 1),
    (Variant(activation=("tanh", "v")), EMBED, {"activation": "tanh"}, 1),
    (Variant(merge="sum"), 6, {"merge": "sum"}, 1),
    (Variant(merge="mean"), 6, {"merge": "mean"}, 1),
    (Variant(merge="last"), 6, {"merge": "last"}, 1),
    (Variant(merge="first"), 6, {"merge": "first"}, 1),
    (Variant(merge="along tokens"), 6, {"merge": "along tokens"}, 1),
    (Variant(merge="along samples"), 6, {"merge": "along samples"}, 1),
    (Variant(merge="sum"), None, {"merge": "sum", "projected": False}, 1),
    (Variant(after=("residual",)), EMBED, {"after": ("residual",)}, 1),
    (Variant(after=("layer norm",)), EMBED, {"after": ("layer norm",)}, 1),
    (Variant(after=("gelu",)), EMBED, {"after": ("gelu",)}, 1),
    (Variant(after=("residual", "layer norm")), EMBED, {"after": ("residual", "layer norm")}, 2),
    (Variant(after=("layer norm", "residual")), EMBED, {"after": ("layer norm", "residual")}, 2),
    (Variant(), None, {"projected": False}, 0),
    (Variant(activation=("relu", "v"), merge="sum"), 6, {"activation": "relu", "merge": "sum"}, 2),
    (
        Variant(roles=(0, 1, IDENTITY), after=("residual",)),
        EMBED,
        {"value": IDENTITY, "after": ("residual",)},
        2,
    ),
]


@pytest.mark.parametrize(("variant", "width", "expected", "changes"), SEEN, ids=[str(case[2]) for case in SEEN])
def test_a_mistake_on_the_way_of_the_values_is_seen(
    variant: Variant, width: int | None, expected: dict[str, object], changes: int
) -> None:
    layout = open_layout(output=width)

    (path,) = found(becomes(variant, layout), layout)

    unchanged = {"value": 2, "normed": "", "activation": "", "merge": "concatenated", "after": ()}
    unchanged["projected"] = width is not None
    assert {name: getattr(path, name) for name in unchanged} == unchanged | expected
    assert path.changes == changes
    assert not path.weighted


UNSEEN = [
    *(Variant(softmax=str(softmax)) for softmax in sorted(CERTAIN - {"relu sum"})),
    Variant(transposed=True),
    Variant(split="raw"),
    Variant(split="none"),
    Variant(merge="raw"),
    Variant(causal="present"),
    Variant(roles=(1, 0, 2)),
    Variant(activation=("relu", "qk")),
]


@pytest.mark.parametrize("variant", UNSEEN, ids=str)
def test_what_happens_to_scores_is_not_seen(variant: Variant) -> None:
    (path,) = found(becomes(variant, open_layout(), scale=0), open_layout())

    assert (path.value, path.changes, path.weighted) == (2, 0, False)


@pytest.mark.parametrize("after", [(), ("residual",), ("relu",), ("layer norm",), ("affine layer norm",)], ids=str)
@pytest.mark.parametrize("softmax", ["heads", "none", "sigmoid", "exp", "batch and heads"])
def test_heads_with_weights_other_than_one_are_seen_and_so_is_what_follows(
    softmax: str, after: tuple[str, ...]
) -> None:
    output = becomes(Variant(softmax=softmax, after=after), open_layout())

    paths = found(output, open_layout())

    assert [(path.value, path.merge, path.after, path.weighted) for path in paths] == [(2, "concatenated", after, True)]


def test_every_softmax_of_the_table_is_either_certain_or_seen_in_the_weights() -> None:
    for softmax in CHANGES["softmax"]:
        if softmax == "log":
            continue  # of a weight of one it is nothing: any value gives that
        (path,) = found(becomes(Variant(softmax=str(softmax)), open_layout()), open_layout())

        assert path.changes == 0
        assert path.weighted == (softmax not in CERTAIN) or softmax in ("l1", "l2", "relu sum")


def test_where_roles_are_sure_only_the_third_block_serves_as_value() -> None:
    sure = replace(open_layout(), sure=True)

    assert found(becomes(Variant(roles=(0, 1, 1)), sure), sure) == []
    assert [path.value for path in found(becomes(Variant(), sure), sure)] == [2]


def test_something_else_is_not_explained() -> None:
    for other in (
        torch.sin(becomes(Variant(), open_layout())),
        0.5 * becomes(Variant(), open_layout()),
        becomes(Variant(), open_layout())[..., :-1],
        draw_tokens(1, 1, EMBED, torch.Generator().manual_seed(5)),
    ):
        assert found(other, open_layout()) == []


def test_the_error_must_be_within_the_tolerance() -> None:
    right = becomes(Variant(), open_layout())
    nearly, hardly = right.clone(), right.clone()
    nearly[0, 0, 0] += 0.5e-6 * right.abs().max()
    hardly[0, 0, 0] += 2e-6 * right.abs().max()

    assert len(found(nearly, open_layout())) == 1
    assert found(hardly, open_layout()) == []


def test_without_an_answer_the_unchanged_ways_remain() -> None:
    paths = untested_paths(open_layout(), HEADS)

    assert [(path.value, path.changes) for path in paths] == [(0, 0), (1, 0), (2, 0)]
    assert [path.value for path in untested_paths(replace(open_layout(), sure=True), HEADS)] == [2]
