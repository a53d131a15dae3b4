from __future__ import annotations

import inspect
from typing import Any

import pytest

from grader import wire
from grader.checks.faults import WrongResult
from grader.examiner.adapting import Plan, contract_defaults, contract_names, plan_call, plan_construct
from grader.model import Outcome
from grader.serving import KINDS

CONSTRUCT = "embed_dim, num_heads, dropout=0.0"
CALL = "x, mask=None"
CONFIG: dict[str, wire.Value] = {"embed_dim": 24, "num_heads": 4, "dropout": 0.1}
INPUTS: dict[str, wire.Value] = {"x": "X", "mask": "M"}


def function(parameters: str) -> Any:
    """A function with these parameters, which returns them by name."""
    namespace: dict[str, Any] = {}
    exec(f"def f({parameters}): return dict(locals())", namespace)
    return namespace["f"]


def signature(parameters: str) -> tuple[wire.Parameter, ...]:
    """What a worker says about a function with these parameters."""
    return tuple(
        wire.Parameter(each.name, KINDS[each.kind], each.default is each.empty)
        for each in inspect.signature(function(parameters)).parameters.values()
    )


def built(parameters: str, values: dict[str, wire.Value], wanted: str = CONSTRUCT) -> dict[str, Any]:
    """What a constructor with these parameters receives."""
    args, kwargs = plan_construct(signature(parameters), wanted).arguments(values)
    received: dict[str, Any] = function(parameters)(*args, **kwargs)
    return received


def called(parameters: str, values: dict[str, wire.Value], wanted: str = CALL) -> dict[str, Any]:
    """What a forward with these parameters receives."""
    args, kwargs = plan_call(signature(parameters), wanted).arguments(values)
    received: dict[str, Any] = function(parameters)(*args, **kwargs)
    return received


# -- constructors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "received"),
    [
        ("embed_dim, num_heads, dropout=0.0", {"embed_dim": 24, "num_heads": 4, "dropout": 0.1}),
        ("d_model, n_heads, p=0.0", {"d_model": 24, "n_heads": 4, "p": 0.1}),
        ("dim, heads, drop", {"dim": 24, "heads": 4, "drop": 0.1}),
        ("num_heads, embed_dim, dropout=0.0", {"num_heads": 4, "embed_dim": 24, "dropout": 0.1}),
        ("dropout, num_heads, embed_dim", {"dropout": 0.1, "num_heads": 4, "embed_dim": 24}),
        ("*, embed_dim, num_heads, dropout=0.0", {"embed_dim": 24, "num_heads": 4, "dropout": 0.1}),
        ("embed_dim, /, num_heads, *, dropout", {"embed_dim": 24, "num_heads": 4, "dropout": 0.1}),
        ("embed_dim=512, num_heads=8, dropout=0.5", {"embed_dim": 24, "num_heads": 4, "dropout": 0.1}),
        ("Embed_Dim, NUM_HEADS, _dropout", {"Embed_Dim": 24, "NUM_HEADS": 4, "_dropout": 0.1}),
        ("alpha, beta, gamma", {"alpha": 24, "beta": 4, "gamma": 0.1}),
        ("alpha, num_heads, gamma", {"alpha": 24, "num_heads": 4, "gamma": 0.1}),
        ("embed_dim, beta, dropout=0.0", {"embed_dim": 24, "beta": 4, "dropout": 0.1}),
        ("d_in, d_out, num_heads, dropout=0.0", {"d_in": 24, "d_out": 24, "num_heads": 4, "dropout": 0.1}),
        ("embed_dim, hidden_size, heads", {"embed_dim": 24, "hidden_size": 24, "heads": 4}),
        ("embed_dim, num_heads, bias=True, dropout=0.0", {"bias": True, "dropout": 0.1}),
        ("embed_dim, kdim=None, num_heads=1", {"kdim": None, "num_heads": 4}),
        ("embed_dim, num_heads, d_v=None", {"d_v": None}),
        ("embed_dim, num_heads", {"embed_dim": 24, "num_heads": 4}),
        ("*args", {"args": (24, 4, 0.1)}),
        ("**config", {"config": CONFIG}),
        ("*args, **config", {"args": (24, 4, 0.1)}),
        ("embed_dim, **config", {"embed_dim": 24, "config": {"num_heads": 4, "dropout": 0.1}}),
    ],
)
def test_a_constructor_receives_what_its_names_and_their_order_say(parameters, received):
    got = built(parameters, CONFIG)

    assert {name: got[name] for name in received} == received


@pytest.mark.parametrize(
    "parameters", ["embed_dim, context_length", "embed_dim, block_size, dropout=0.0", "max_len, dim"]
)
def test_a_constructor_that_wants_to_know_the_longest_sequence_is_told_a_length(parameters):
    got = built(parameters, {"embed_dim": 24}, "embed_dim, dropout=0.0")

    assert 24 in got.values()
    assert next(value for name, value in got.items() if name in ("context_length", "block_size", "max_len")) >= 32


def test_a_value_that_was_not_given_leaves_the_default():
    assert built("embed_dim, num_heads, dropout=0.7", {"embed_dim": 24, "num_heads": 4})["dropout"] == 0.7


@pytest.mark.parametrize(
    "parameters", ["d_model, heads, p", "dropout, embed_dim, num_heads", "*, dropout, embed_dim, heads"]
)
def test_a_value_that_was_not_given_but_is_demanded_is_the_contract_s_default(parameters):
    received = built(parameters, {"embed_dim": 24, "num_heads": 4})

    assert sorted(received.values()) == [0.0, 4, 24]


def test_what_is_demanded_under_a_name_that_means_nothing_is_not_given_a_default():
    plan = plan_construct(signature("embed_dim, num_heads, temperature"), CONSTRUCT)

    assert plan.arguments({"embed_dim": 24, "num_heads": 4}) == ((24, 4), {})


def test_a_mask_that_is_demanded_is_none_when_there_is_none():
    assert called("tokens, mask", {"x": "X"}) == {"tokens": "X", "mask": None}
    assert called("tokens, mask", INPUTS) == {"tokens": "X", "mask": "M"}


@pytest.mark.parametrize(
    ("contract", "defaults"),
    [("x", {}), (CALL, {"mask": None}), ("a, b=2, *, c, d='e', f=g", {"b": 2, "d": "e"}), ("a=b'', c=...", {})],
)
def test_the_defaults_of_a_contract(contract, defaults):
    assert contract_defaults(contract) == defaults


def test_a_constructor_without_a_place_for_an_argument_says_which_is_missing():
    plan = plan_construct(signature("embed_dim"), CONSTRUCT)

    assert plan.missing == ("num_heads", "dropout")
    assert plan.arguments(CONFIG) == ((24,), {})


def test_a_constructor_without_any_parameters_lacks_everything():
    assert plan_construct((), CONSTRUCT).missing == contract_names(CONSTRUCT)


@pytest.mark.parametrize(
    "parameters", ["embed_dim, num_heads, dropout, device", "*, embed_dim, num_heads, dropout, device"]
)
def test_a_constructor_that_demands_more_than_the_contract_gives_is_wrong(parameters):
    with pytest.raises(
        WrongResult, match="The constructor demands an argument 'device' that is not in the contract"
    ) as caught:
        plan_construct(signature(parameters), CONSTRUCT)

    assert caught.value.outcome is Outcome.FAILED


def test_what_was_renamed_is_told():
    plan = plan_construct(signature("d_model, num_heads, p=0.0"), CONSTRUCT)

    assert set(plan.renamed) == {("embed_dim", "d_model"), ("dropout", "p")}


def test_a_name_from_the_worker_is_made_safe_before_it_is_shown():
    hostile = wire.Parameter("x" * 1000 + "\x1b[31m", "either", required=True)
    with pytest.raises(WrongResult) as caught:
        plan_construct((*signature("embed_dim, num_heads, dropout"), hostile), CONSTRUCT)

    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 250


# -- forward -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "received"),
    [
        ("x, mask=None", {"x": "X", "mask": "M"}),
        ("inputs, attn_mask=None", {"inputs": "X", "attn_mask": "M"}),
        ("hidden_states, attention_mask", {"hidden_states": "X", "attention_mask": "M"}),
        ("mask, x", {"mask": "M", "x": "X"}),
        ("attn_mask, tokens", {"attn_mask": "M", "tokens": "X"}),
        ("x, *, mask=None", {"x": "X", "mask": "M"}),
        ("x, mask=None, /", {"x": "X", "mask": "M"}),
        ("query, key, value", {"query": "X", "key": "X", "value": "X"}),
        ("query, key, value, mask=None", {"query": "X", "key": "X", "value": "X", "mask": "M"}),
        ("q, k, v, mask", {"q": "X", "k": "X", "v": "X", "mask": "M"}),
        ("mask, queries, keys, values", {"mask": "M", "queries": "X", "keys": "X", "values": "X"}),
        ("x, key=None, value=None, mask=None", {"x": "X", "key": None, "value": None, "mask": "M"}),
        ("x, need_weights=False, mask=None", {"x": "X", "need_weights": False, "mask": "M"}),
        ("foo, bar", {"foo": "X", "bar": "M"}),
        ("foo, mask=None", {"foo": "X", "mask": "M"}),
        ("x", {"x": "X"}),
        ("x, training=True", {"x": "X", "training": True}),
        ("*args", {"args": ("X", "M")}),
        ("x, **kwargs", {"x": "X", "kwargs": {"mask": "M"}}),
        ("**kwargs", {"kwargs": {"x": "X", "mask": "M"}}),
    ],
)
def test_forward_receives_what_its_names_and_their_order_say(parameters, received):
    assert called(parameters, INPUTS) == received


@pytest.mark.parametrize(
    ("parameters", "received"),
    [
        ("x, mask=None", {"x": "X", "mask": None}),
        ("mask=None, x=None", {"mask": None, "x": "X"}),
        ("x, mask=None, /", {"x": "X", "mask": None}),
        ("q, k, v, mask=None", {"q": "X", "k": "X", "v": "X", "mask": None}),
        ("*args", {"args": ("X",)}),
        ("x, **kwargs", {"x": "X", "kwargs": {}}),
    ],
)
def test_forward_is_called_without_a_mask_when_there_is_none(parameters, received):
    assert called(parameters, {"x": "X"}) == received


def test_a_contract_with_three_inputs_keeps_them_apart():
    values: dict[str, wire.Value] = {"query": "Q", "key": "K", "value": "V"}

    assert called("q, k, v", values, "query, key, value, mask=None") == {"q": "Q", "k": "K", "v": "V"}
    assert called("values, keys, queries", values, "query, key, value") == {
        "values": "V",
        "keys": "K",
        "queries": "Q",
    }


def test_a_forward_that_takes_no_mask_lacks_it():
    plan = plan_call(signature("x"), CALL)

    assert plan.missing == ("mask",)


def test_a_forward_that_demands_more_than_the_contract_gives_is_wrong():
    with pytest.raises(WrongResult, match="The forward demands an argument 'temperature'"):
        plan_call(signature("x, mask, temperature"), CALL)


@pytest.mark.parametrize("kind", ["either", "positional", "keyword", "args", "kwargs", "", "nonsense"])
@pytest.mark.parametrize("name", ["x", "", "mask", "x" * 10_000, "1 + 1", "__class__"])
def test_any_claim_about_a_signature_gives_a_plan_or_a_wrong_result(kind, name):
    try:
        plan = plan_call((wire.Parameter(name, kind, required=True),) * 3, CALL)
    except WrongResult:
        return

    assert isinstance(plan, Plan)
    plan.arguments(INPUTS)


# -- contracts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ("", ()),
        ("x", ("x",)),
        ("x, mask=None", ("x", "mask")),
        (CONSTRUCT, ("embed_dim", "num_heads", "dropout")),
        (" x ,mask = None, ", ("x", "mask")),
        ("x: Tensor, mask: Tensor | None = None", ("x", "mask")),
        ("x, *, mask=None", ("x", "mask")),
        ("x, /, mask=None", ("x", "mask")),
        ("x, sizes=(1, 2), mask=None", ("x", "sizes", "mask")),
        ("x, parts: dict[str, int] = None", ("x", "parts")),
        ("x, how='a,b=c'", ("x", "how")),
    ],
)
def test_the_names_of_a_contract_are_those_of_its_parameters(parameters, names):
    assert contract_names(parameters) == names
