from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from grader import leaves


def paths(module: object) -> list[str]:
    return [leaf.path for leaf in leaves.survey(leaves.walk(module))]


def registered(module: object) -> dict[str, bool]:
    return {leaf.path: leaf.registered for leaf in leaves.survey(leaves.walk(module))}


def linear() -> nn.Linear:
    return nn.Linear(2, 2, bias=False)


class Bag(nn.Module):
    """A module that holds whatever it is given as attributes."""

    def __init__(self, **members: Any) -> None:
        super().__init__()
        for name, member in members.items():
            setattr(self, name, member)


# -- what is found -----------------------------------------------------------------------------------------------------


def test_registered_parameters_are_found_by_their_own_names_in_order_of_definition():
    module = Bag(q=nn.Linear(2, 3), heads=nn.ModuleList([linear(), linear()]), scale=nn.Parameter(torch.ones(1)))

    assert registered(module) == dict.fromkeys(
        ["scale", "q.weight", "q.bias", "heads.0.weight", "heads.1.weight"], True
    )


def test_a_leaf_tells_its_shape_dtype_and_whether_it_is_trained():
    frozen = nn.Parameter(torch.ones(2, 3, dtype=torch.float64), requires_grad=False)
    (leaf,) = leaves.survey(leaves.walk(Bag(w=frozen)))

    assert (leaf.path, leaf.shape, leaf.dtype, leaf.trainable) == ("w", (2, 3), "float64", False)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"heads": [linear()]}, "heads.0.weight"),
        ({"heads": (linear(),)}, "heads.0.weight"),
        ({"heads": {"a": linear()}}, "heads.a.weight"),
        ({"heads": {3: linear()}}, "heads.3.weight"),
        ({"w": torch.randn(2, 2)}, "w"),
        ({"w": torch.randn(2, 2, requires_grad=True)}, "w"),
        ({"w": [torch.randn(2, 2)]}, "w.0"),
        ({"w": [nn.Parameter(torch.zeros(2, 2))]}, "w.0"),
        ({"layers": [{"q": [linear()]}]}, "layers.0.q.0.weight"),
        ({"heads": [nn.Sequential(linear())]}, "heads.0.0.weight"),
        ({"part": Bag(heads=[linear()])}, "part.heads.0.weight"),
        ({"heads": [Bag(inner=[linear()])]}, "heads.0.inner.0.weight"),
    ],
)
def test_a_hidden_tensor_is_found_and_said_to_be_unregistered(members, path):
    assert registered(Bag(**members)) == {path: False}


def test_a_tensor_of_an_object_that_is_no_module_is_found():
    class Plain:
        def __init__(self) -> None:
            self.w = torch.randn(2, 2)
            self.layer = linear()

    assert registered(Plain()) == {"w": False, "layer.weight": False}


def test_a_tensor_of_a_student_s_own_object_is_found():
    class Head:
        def __init__(self) -> None:
            self.q = linear()

    assert registered(Bag(heads=[Head()])) == {"heads.0.q.weight": False}


def test_registered_ones_come_before_hidden_ones():
    assert paths(Bag(a=[linear()], b=linear())) == ["b.weight", "a.0.weight"]


def test_tied_parameters_are_found_once():
    shared = linear()

    assert paths(Bag(a=shared, b=shared)) == ["a.weight"]
    assert paths(Bag(a=shared, hidden=[shared])) == ["a.weight"]
    assert paths(Bag(hidden=[shared, shared])) == ["hidden.0.weight"]
    assert paths(Bag(a=shared, w=shared.weight)) == ["w"]


def test_a_module_that_holds_itself_is_walked_once():
    module = Bag(w=linear())
    module.__dict__["me"] = [module]

    assert paths(module) == ["w.weight"]


def test_a_lazy_layer_is_found_without_a_shape_and_has_one_after_a_call():
    module = nn.Sequential(nn.LazyLinear(3, bias=False))
    (before,) = leaves.survey(leaves.walk(module))
    module(torch.ones(1, 5))
    (after,) = leaves.survey(leaves.walk(module))

    assert (before.path, before.shape) == ("0.weight", None)
    assert (after.path, after.shape) == ("0.weight", (3, 5))


def test_a_lazy_layer_in_a_plain_list_is_found_without_a_shape():
    assert [
        (leaf.path, leaf.shape) for leaf in leaves.survey(leaves.walk(Bag(heads=[nn.LazyLinear(3, bias=False)])))
    ] == [("heads.0.weight", None)]


@pytest.mark.parametrize("nothing", [nn.Module(), nn.Dropout(), object(), 3, None, SimpleNamespace()])
def test_what_learns_nothing_has_no_leaves(nothing):
    assert leaves.survey(leaves.walk(nothing)) == ()


# -- what is none ------------------------------------------------------------------------------------------------------


def test_a_buffer_is_none():
    module = Bag()
    module.register_buffer("position", torch.randn(4, 2))
    module.again = [module.position]

    assert paths(module) == []


@pytest.mark.parametrize(
    "constant",
    [
        torch.tensor(0.5),
        torch.ones(4, 4).tril(),
        torch.zeros(4, 4).masked_fill(torch.ones(4, 4).triu(1) == 1, float("-inf")),
        torch.ones(4, 4, dtype=torch.bool),
        torch.arange(4),
        torch.empty(2, 2, device="meta"),
        torch.zeros(2, dtype=torch.complex64),
        torch.empty(0, 3),
    ],
    ids=["scale", "causal mask", "additive mask", "boolean", "positions", "without data", "complex", "empty"],
)
def test_a_mask_or_another_constant_is_none(constant):
    assert paths(Bag(constant=constant, kept=[constant])) == []


def test_a_parameter_of_zeros_is_one_even_where_a_mask_would_not_be():
    assert paths(Bag(hidden=[nn.Parameter(torch.zeros(2))])) == ["hidden.0"]


def test_gradients_that_are_kept_by_a_parameter_are_none():
    module = Bag(w=linear())
    module.w(torch.ones(1, 2)).sum().backward()

    assert paths(module) == ["w.weight"]


def test_an_object_with_very_many_tensors_is_not_walked_for_ever():
    module = Bag(rows=[[torch.randn(1) for _ in range(200)] for _ in range(200)])

    assert leaves.LEAVES_CAP <= len(paths(module)) <= leaves.LEAVES_CAP + 1


# -- loading them ------------------------------------------------------------------------------------------------------


def test_values_are_loaded_in_place_by_path_wherever_the_tensor_is():
    module = Bag(q=linear(), heads=[linear()], w=torch.randn(2, 2))
    before = {path: leaf for path, leaf, _ in leaves.walk(module)}
    values = {path: torch.full((2, 2), float(number)) for number, path in enumerate(before)}
    leaves.fill(leaves.walk(module), values)

    after = {path: leaf for path, leaf, _ in leaves.walk(module)}
    assert all(after[path] is before[path] for path in before)
    assert all(torch.equal(after[path], value) for path, value in values.items())


def test_loading_leaves_no_trace_in_the_graph():
    module = Bag(q=linear())
    leaves.fill(leaves.walk(module), {"q.weight": torch.zeros(2, 2)})

    assert module.q.weight.requires_grad
    assert module.q.weight.grad_fn is None


def test_loading_to_a_path_that_is_not_there_is_an_error():
    with pytest.raises(KeyError, match="nowhere"):
        leaves.fill(leaves.walk(Bag(q=linear())), {"nowhere": torch.zeros(2, 2)})


def test_values_are_converted_to_the_dtype_of_the_tensor():
    module = Bag(q=linear())
    leaves.fill(leaves.walk(module), {"q.weight": torch.full((2, 2), 0.5, dtype=torch.float64)})

    assert module.q.weight.dtype == torch.float32
    assert bool((module.q.weight == 0.5).all())


# -- switching and converting ------------------------------------------------------------------------------------------

HIDDEN = {
    "in a list": lambda part: Bag(parts=[part]),
    "in a tuple": lambda part: Bag(parts=(part,)),
    "in a dict": lambda part: Bag(parts={"a": part}),
    "in a list of lists": lambda part: Bag(parts=[[part]]),
    "in a list of a registered part": lambda part: Bag(attention=Bag(parts=[part])),
    "in a list of a part in a list": lambda part: Bag(attention=[Bag(parts=[part])]),
    "in a student's own object": lambda part: Bag(head=Head(part)),
}


class Head:
    """A student's class that should have been a module."""

    def __init__(self, part: nn.Module) -> None:
        self.part = part


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_hidden_module_is_switched_too(hide):
    dropout = nn.Dropout(0.5)
    module = hide(dropout)
    leaves.switch(module, training=False)
    resting = dropout.training
    leaves.switch(module, training=True)

    assert not resting
    assert dropout.training


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_hidden_module_is_converted_too_with_its_buffers(hide):
    norm = nn.BatchNorm1d(2)
    leaves.convert(hide(norm), dtype=torch.float64, device=None, reach=True)

    assert norm.weight.dtype == torch.float64
    assert norm.running_mean is not None
    assert norm.running_mean.dtype == torch.float64


def test_without_reach_a_module_converts_what_it_knows_it_has():
    module = Bag(known=linear(), hidden=[linear()], w=torch.randn(2, 2))
    leaves.convert(module, dtype=torch.float64, device=None, reach=False)

    assert module.known.weight.dtype == torch.float64
    assert module.hidden[0].weight.dtype == module.w.dtype == torch.float32


def test_with_reach_hidden_tensors_are_converted_in_place():
    hidden = torch.randn(2, 2, requires_grad=True)
    leaves.convert(Bag(w=[hidden]), dtype=torch.float64, device=None, reach=True)

    assert hidden.dtype == torch.float64
    assert hidden.requires_grad


def test_masks_keep_their_dtype_when_everything_else_is_converted():
    mask = torch.ones(2, 2, dtype=torch.bool)
    leaves.convert(Bag(mask=mask, w=linear()), dtype=torch.float64, device=None, reach=True)

    assert mask.dtype == torch.bool


def test_a_module_moves_to_a_device_without_data():
    module = Bag(w=linear())
    leaves.convert(module, dtype=None, device="meta", reach=False)

    assert module.w.weight.device.type == "meta"


def test_something_that_cannot_be_switched_stays_as_it_is():
    leaves.switch(object(), training=True)
