import math

import pytest
import torch
from attention_zoo import MULTI_HEAD, Module
from torch import Tensor

from grader.attention.drawing import draw_mask, draw_tokens, draw_values
from grader.attention.reference import Weights, self_attention
from grader.attention.roles import find_roles
from grader.attention.scale import fit_scale, name_scale, named_scales

SIZES = {"d_k": 6, "embed": 24, "heads": 4, "seq": 5, "batch": 3}
STYLES = [
    style for style in MULTI_HEAD if style.name in ("separate Linear", "fused, stacked", "raw (in, out) parameters")
]


def case() -> tuple[Tensor, Weights, Tensor]:
    generator = torch.Generator().manual_seed(4)
    shapes = {"q": (4, 6, 24), "k": (4, 6, 24), "v": (4, 6, 24), "o": (4, 24, 6)}
    values = draw_values(shapes, embed_dim=24, gain=1.0, generator=generator)
    weights = Weights(query=values["q"], key=values["k"], value=values["v"], output=values["o"])
    return draw_tokens(3, 5, 24, generator), weights, draw_mask(3, 5, generator)


@pytest.mark.parametrize(("name", "value"), named_scales(**SIZES).items())
@pytest.mark.parametrize("masked", [True, False])
def test_every_named_scale_is_found_exactly_and_gets_its_name(name: str, value: float, masked: bool) -> None:
    x, weights, mask = case()
    used = mask if masked else None

    found = fit_scale(self_attention(x, weights, used, scale=value), x, weights, used)

    assert found == value
    assert name_scale(found, **SIZES) == name


@pytest.mark.parametrize("value", [0.0123, 0.1, 0.37, 0.8, 1.7, 3.1])
def test_a_constant_without_a_name_is_found_and_told_as_a_number(value: float) -> None:
    x, weights, mask = case()

    found = fit_scale(self_attention(x, weights, mask, scale=value), x, weights, mask)

    assert found == pytest.approx(value, rel=1e-6)
    assert name_scale(found, **SIZES) == f"{value:.6g}"


def test_a_scale_computed_in_float32_is_the_named_one() -> None:
    x, weights, _ = case()
    rounded = float(1 / torch.sqrt(torch.tensor(6.0)))

    assert fit_scale(self_attention(x, weights, scale=rounded), x, weights) == 6**-0.5
    assert name_scale(rounded, **SIZES) == "1/sqrt(d_k)"


def test_no_constant_is_found_where_none_explains_the_output() -> None:
    x, weights, mask = case()

    assert fit_scale(self_attention(x, weights, mask), x, weights) is None
    assert fit_scale(self_attention(x, weights) + x, x, weights) is None
    assert fit_scale(self_attention(x, weights)[:, :2], x, weights) is None
    assert fit_scale(self_attention(x, weights) * math.nan, x, weights) is None


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("no scale", "1 (no scaling)"),
        ("embed scale", "1/sqrt(embed_dim)"),
        ("d scale", "1/d_k"),
        ("inverted scale", "sqrt(d_k)"),
        ("seq scale", "1/sqrt(seq_len)"),
        ("batch scale", "1/sqrt(batch)"),
        ("constant scale", "0.37"),
        ("float32 scale", "1/sqrt(d_k)"),
    ],
)
def test_a_wrong_scale_is_bound_and_named_in_student_code(style, fault: str, name: str) -> None:
    generator = torch.Generator().manual_seed(9)
    values = draw_values(style.shapes(24, 4), embed_dim=24, gain=1.0, generator=generator)
    module = Module(style, values, 4, fault)
    roles = find_roles(values, module.probe, embed_dim=24, num_heads=4, generator=generator)
    x = draw_tokens(3, 5, 24, generator)

    (found,) = roles
    scale = fit_scale(module(x), x, found.weights(values))

    assert scale is not None
    assert name_scale(scale, **SIZES) == name
