"""Sources are what they are said to be: checked by running them, and by nothing of the diagnosis."""

from __future__ import annotations

import ast
import math

import pytest
import torch
from torch import Tensor, nn

from grader.attention import Weights, draw_mask, draw_tokens, relative_error, self_attention

from . import foreign
from .fitting import fits, possible
from .mistakes import BY_ID, MISTAKES, planned
from .names import NAMINGS
from .plans import CHOICES, Plan, hand_of
from .running import SIZES, behaviour, build, class_of, same_function
from .styles import ONE_HEAD, STYLES
from .submissions import KINDS, Submission, correct, foreigners, of_kind, one_head, pairs, singles, triples
from .writing import settled, write

EVERYTHING = [made for kind in KINDS for made in of_kind(kind)]
PLAIN = [made for made in correct() if made.hand is not None and made.name.split("/")[1] == made.style]
HOLD_NO_MORE = {"hard-coded-size"}


# -- correct sources ---------------------------------------------------------------------------------------------------


def textbook(made: Submission, module: nn.Module, heads: int, embed: int) -> Weights:
    """The weights of a correct submission, found by the names that it was written with."""
    assert made.hand is not None
    names = NAMINGS[made.hand.names]
    style = (STYLES | ONE_HEAD)[made.style]
    width = embed // heads

    def leaf(place: str, holder: nn.Module = module) -> tuple[Tensor, Tensor | None]:
        layer = getattr(holder, names[place])
        return (layer.T, getattr(holder, names[f"{place}_b"], None)) if style.raw else (layer.weight, layer.bias)

    def together(parts: list[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor | None]:
        biases = [bias for _, bias in parts if bias is not None]
        return torch.cat([weight for weight, _ in parts]), torch.cat(biases) if biases else None

    roles = ("query", "key", "value")
    if style.projection == "einsum":
        order = [made.hand.orientation.index(letter) for letter in "hde"]
        found = [
            (getattr(module, names[role]).permute(order), getattr(module, names[f"{role}_b"], None)) for role in roles
        ]
        output = (module.get_parameter(names["output"]).flatten(0, 1).T, getattr(module, names["output_b"], None))
    elif style.projection == "modules":
        found = [together([leaf(role, head) for head in getattr(module, names["heads"])]) for role in roles]
    elif style.projection == "lists":
        found = [together([(each.weight, each.bias) for each in getattr(module, names[role])]) for role in roles]
    elif style.projection in ("stacked", "interleaved"):
        weight, bias = leaf("qkv")
        shape = (3, heads, width) if style.projection == "stacked" else (heads, 3, width)
        axis = 0 if style.projection == "stacked" else 1
        rows = weight.unflatten(0, shape).unbind(axis)
        parts = (None,) * 3 if bias is None else bias.view(shape).unbind(axis)
        found = list(zip(rows, parts, strict=True))
    elif style.projection == "kv":
        weight, bias = leaf("kv")
        both = (None, None) if bias is None else bias.chunk(2)
        found = [leaf("query"), *zip(weight.chunk(2), both, strict=True)]
    else:
        found = [leaf(role) for role in roles]
    if style.heads and style.projection != "einsum":
        output = leaf("output")
    (query, q), (key, k), (value, v) = (
        (weight.reshape(heads, width, embed), None if bias is None else bias.reshape(heads, width))
        for weight, bias in found
    )
    return Weights(
        query=query, key=key, value=value, query_bias=q, key_bias=k, value_bias=v,
        output=output[0].unflatten(1, (heads, width)).transpose(0, 1) if style.heads else None,
        output_bias=output[1] if style.heads else None,
    )  # fmt: skip


@pytest.mark.parametrize("made", PLAIN, ids=lambda made: made.name)
def test_a_correct_source_computes_what_the_textbook_says(made):
    for embed, heads, batch, seq in SIZES:
        heads = heads if made.heads else 1
        module = build(made.source, embed, heads, heads=made.heads)
        weights = textbook(made, module, heads, embed)
        generator = torch.Generator().manual_seed(3)
        x, mask = draw_tokens(batch, seq, embed, generator), draw_mask(batch, seq, generator)
        with torch.no_grad():
            for given in (None, mask, mask[0], mask[:, :1].double()):
                assert (
                    relative_error(self_attention(x, weights, given), module(x) if given is None else module(x, given))
                    < 1e-9
                )


@pytest.mark.parametrize("style", [*STYLES.values(), *ONE_HEAD.values()], ids=lambda style: style.name)
def test_no_choice_of_the_hand_changes_what_is_computed(style):
    first = write(style, Plan(), hand_of("", names="plain", bias="yes", orientation="hed"))

    for field, choices in CHOICES.items():
        for choice in choices if field not in ("names", "bias", "orientation") else ():
            hand = (
                hand_of("", names="plain", bias="yes", orientation="hed")
                if field == ""
                else hand_of(f"{field}, {choice}", names="plain", bias="yes", orientation="hed", **{field: choice})
            )
            assert same_function(first, write(style, Plan(), hand), heads=style.heads)


# -- wrong sources -----------------------------------------------------------------------------------------------------


def twin(made: Submission) -> str:
    """The correct source in the same style, by the same hand."""
    assert made.hand is not None
    style = (STYLES | ONE_HEAD)[made.style]
    return write(style, Plan(), settled(style, planned(made.mistakes), made.hand))


NUMERIC = [
    made
    for made in (*singles()[::2], *one_head()[::2], *pairs()[::8], *triples()[::8])
    if any(each.numeric for each in made.mistakes)
]


def test_a_source_with_a_mistake_in_its_output_computes_something_else():
    same = [made.name for made in NUMERIC if same_function(made.source, twin(made), heads=made.heads)]

    assert same == []


LOUD = {
    "parameters-made-in-forward",
    "not-repeatable",
    "hard-coded-size",
    "hard-coded-dtype",
    "dropout-keep-for-drop",
}
"""What shows in the output by itself."""


def moved(made: Submission) -> bool:
    """Whether parameters stand under other paths than in the correct source, and so are drawn anew."""
    return "parameters-unregistered" in made.name or ("python-list" in made.name and not STYLES[made.style].per_head)


def test_a_source_with_another_kind_of_mistake_computes_the_same():
    facts = [made for made in singles() if not made.mistakes[0].numeric]
    quiet = [made for made in facts if made.mistakes[0].id not in LOUD and not moved(made)]

    assert len(quiet) > 50
    for made in quiet:
        assert same_function(made.source, twin(made)), made.name


def test_dropout_acts_in_train_mode_wherever_it_was_put_unless_it_never_does():
    for made in of_kind("facts"):
        if not made.mistakes[0].id.startswith("dropout-"):
            continue
        module = class_of(made.source)(24, 4, dropout=0.5)
        x = torch.randn(3, 5, 24)
        acts = not torch.equal(module(x), module(x))
        assert acts is (made.mistakes[0].id != "dropout-never-on"), made.name


def test_everything_that_is_written_runs():
    for made in EVERYTHING:
        if {each.id for each in made.mistakes} & HOLD_NO_MORE:
            continue
        answers = behaviour(made.source, heads=made.heads)
        masked = all(each.masked for each in made.mistakes)
        assert not any(isinstance(answer, str) for answer in (answers if masked else answers[::3])), made.name


def test_no_foreign_module_is_one_of_the_correct_ones():
    plain = write(STYLES["separate"], Plan(), hand_of("", names="plain", bias="yes"))
    fused = write(STYLES["stacked"], Plan(), hand_of("", names="plain", bias="no"))

    assert same_function(foreign.source(), plain)
    for made in foreigners():
        assert not same_function(made.source, plain), made.name
        assert not same_function(made.source, fused), made.name


# -- how much there is -------------------------------------------------------------------------------------------------


def test_nothing_is_written_twice_and_everything_is_as_often_as_promised():
    count = {kind: len(of_kind(kind)) for kind in KINDS}

    assert count["singles"] >= 400
    assert count["pairs"] >= 300
    assert (count["triples"], count["one-head"] >= 60, count["correct"] >= 40, count["foreign"] >= 14) == (
        60,
        True,
        True,
        True,
    )
    assert len({made.name for made in EVERYTHING}) == len(EVERYTHING)
    assert len({made.source for made in EVERYTHING}) == len(EVERYTHING)


def test_every_mistake_is_written_in_every_way_and_in_six_styles_where_it_can_be():
    written: dict[str, set[str]] = {}
    for made in singles():
        written.setdefault(made.mistakes[0].id, set()).add(made.style)

    assert {made.planted[0] for made in singles()} == set(MISTAKES)
    for identifier, entries in BY_ID.items():
        able = {style.name for style in STYLES.values() if any(fits(entry, style) for entry in entries)}
        assert len(written[identifier]) >= min(6, len(able)), identifier


def test_a_source_can_be_read_as_code_without_a_placeholder_left():
    for made in EVERYTHING:
        ast.parse(made.source)
        assert "$" not in made.source, made.name


def test_a_plan_with_two_mistakes_on_one_axis_is_not_made():
    assert all(possible(STYLES[made.style], planned(made.mistakes)) for made in pairs())
    assert all(len({axis for each in made.mistakes for axis in each.axes}) >= 2 for made in pairs())
    assert math.isclose(len(pairs()), 320, abs_tol=20)
