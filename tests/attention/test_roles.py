import math
import statistics
import time

import pytest
import torch
from attention_zoo import MULTI_HEAD, SINGLE_HEAD, Module, Style
from torch import Tensor

from grader.attention.comparison import relative_error
from grader.attention.drawing import draw_mask, draw_tokens, draw_values
from grader.attention.reference import self_attention
from grader.attention.roles import Roles, find_roles

MULTI_HEAD_SIZES = [(24, 4), (15, 3), (8, 2)]
SINGLE_HEAD_SIZES = [(24, 1), (15, 1), (7, 1)]
TOLERANCE = 1e-6

WRONG = [
    "no scale",
    "embed scale",
    "d scale",
    "inverted scale",
    "seq scale",
    "batch scale",
    "constant scale",
    "softmax over queries",
    "softmax over heads",
    "softmax over batch",
    "softmax twice",
    "softmax missing",
    "sigmoid",
    "attention transposed",
    "key = query",
    "value = key",
    "relu on projections",
    "raw split",
    "heads not split",
    "raw merge",
    "residual",
    "normalised input",
    "output projection unused",
    "causal by itself",
]
WRONG_STYLES = [
    style
    for style in MULTI_HEAD
    if style.name
    in (
        "separate Linear",
        "separate Linear, scrambled names",
        "no bias",
        "no output projection",
        "fused, stacked",
        "fused, interleaved per head",
        "per-head list",
        "per-role lists",
        "raw (in, out) parameters with biases",
        "(heads, embed, head_dim)",
        "(3, heads, embed, head_dim)",
    )
]


def bind(
    style: Style, embed: int, heads: int, *, seed: int = 0, gain: float = 1.0, fault: str = ""
) -> tuple[Roles, ...]:
    generator = torch.Generator().manual_seed(seed)
    values = draw_values(style.shapes(embed, heads), embed_dim=embed, gain=gain, generator=generator)
    module = Module(style, values, heads, fault)
    return find_roles(values, module.probe, embed_dim=embed, num_heads=heads, generator=generator)


def error(roles: Roles, style: Style, embed: int, heads: int) -> float:
    """How far the reference is from the correct module, with other values, other tokens and a mask."""
    generator = torch.Generator().manual_seed(77)
    values = draw_values(style.shapes(embed, heads), embed_dim=embed, gain=1.3, generator=generator)
    x, mask = draw_tokens(3, 5, embed, generator), draw_mask(3, 5, generator)
    return relative_error(Module(style, values, heads)(x, mask), self_attention(x, roles.weights(values), mask))


def places(roles: Roles) -> list[int]:
    found = [roles.query_places, roles.key_places, roles.value_places, roles.query_bias_places, roles.key_bias_places]
    found += [roles.value_bias_places, roles.output_bias_places]
    found += [] if roles.output_places is None else [roles.output_places]
    size = sum(leaf.size for leaf in roles.leaves)
    return [place for part in found for place in part.flatten().tolist() if place < size]


@pytest.mark.parametrize(("embed", "heads"), MULTI_HEAD_SIZES)
@pytest.mark.parametrize("style", MULTI_HEAD, ids=lambda style: style.name)
def test_correct_multi_head_code_has_one_candidate_and_it_is_right(style: Style, embed: int, heads: int) -> None:
    (roles,) = bind(style, embed, heads)

    assert error(roles, style, embed, heads) < TOLERANCE
    assert roles.query_places.shape[0] == heads


@pytest.mark.parametrize(("embed", "heads"), SINGLE_HEAD_SIZES)
@pytest.mark.parametrize("style", SINGLE_HEAD, ids=lambda style: style.name)
def test_correct_single_head_code_has_one_candidate_and_it_is_right(style: Style, embed: int, heads: int) -> None:
    (roles,) = bind(style, embed, heads)

    assert error(roles, style, embed, heads) < TOLERANCE


@pytest.mark.parametrize("gain", [0.3, 1.6, 2.5])
@pytest.mark.parametrize("style", MULTI_HEAD, ids=lambda style: style.name)
def test_the_first_candidate_is_right_at_any_ordinary_gain(style: Style, gain: float) -> None:
    roles = bind(style, 24, 4, seed=3, gain=gain)

    assert error(roles[0], style, 24, 4) < TOLERANCE


@pytest.mark.parametrize("style", MULTI_HEAD, ids=lambda style: style.name)
def test_every_element_has_a_part_to_play_and_only_one(style: Style) -> None:
    (roles,) = bind(style, 24, 4)

    found = places(roles)
    spare = sum(leaf.size for leaf in roles.leaves if leaf.path.startswith("spare"))
    assert len(found) == len(set(found)) == sum(leaf.size for leaf in roles.leaves) - spare
    assert [path for path in roles.unused if not path.startswith("spare")] == []
    assert roles.unexplained == ()


@pytest.mark.parametrize("style", [s for s in MULTI_HEAD if "float32" not in s.name], ids=lambda style: style.name)
def test_a_module_that_computes_in_float32_is_bound_too(style: Style) -> None:
    generator = torch.Generator().manual_seed(1)
    values = draw_values(style.shapes(24, 4), embed_dim=24, gain=1.0, generator=generator)
    module = Module(style, {path: value.float() for path, value in values.items()}, 4)

    def probe(x: Tensor, cotangents: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        output, gradients = module.probe(x.float(), cotangents.float())
        return output.double(), {path: gradient.double() for path, gradient in gradients.items()}

    roles = find_roles(values, probe, embed_dim=24, num_heads=4, generator=generator)

    assert error(roles[0], style, 24, 4) < TOLERANCE


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("style", WRONG_STYLES, ids=lambda style: style.name)
def test_a_candidate_for_wrong_code_has_every_row_in_the_role_the_student_meant(style: Style, fault: str) -> None:
    roles = bind(style, 24, 4, fault=fault)

    assert min(error(candidate, style, 24, 4) for candidate in roles) < TOLERANCE


def test_names_are_told_for_messages() -> None:
    (style,) = (style for style in MULTI_HEAD if style.name == "separate Linear, scrambled names")

    (roles,) = bind(style, 24, 4)

    assert roles.query == ("alpha.weight",)
    assert roles.key == ("delta.weight",)
    assert roles.value == ("beta.weight",)
    assert roles.output == ("gamma.weight",)


def test_an_output_projection_that_is_not_used_has_a_role_and_is_told() -> None:
    style = MULTI_HEAD[0]

    with_it, without = bind(style, 24, 4, fault="output projection unused")

    assert error(with_it, style, 24, 4) < TOLERANCE
    assert with_it.output == ("out.weight",)
    assert without.output == ()
    assert with_it.unused == without.unused == ("out.weight", "out.bias")


def test_a_key_layer_that_is_not_used_is_told() -> None:
    candidates = bind(MULTI_HEAD[0], 24, 4, fault="key = query")

    assert "key.weight" in candidates[0].unused


def test_leaves_of_another_shape_are_refused() -> None:
    (roles,) = bind(MULTI_HEAD[0], 24, 4)

    with pytest.raises(ValueError, match=r"query\.weight: expected a tensor of shape \(24, 24\)"):
        roles.weights({})


def answers(
    x: Tensor, cotangents: Tensor, shapes: dict[str, tuple[int, ...]], fill: str
) -> tuple[Tensor, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(5)
    gradients = {path: torch.randn(len(cotangents), *shape, generator=generator) for path, shape in shapes.items()}
    match fill:
        case "nan":
            gradients = {path: gradient * math.nan for path, gradient in gradients.items()}
        case "infinite":
            gradients = {path: gradient * math.inf for path, gradient in gradients.items()}
        case "zero":
            gradients = {path: gradient * 0 for path, gradient in gradients.items()}
        case "missing":
            gradients = {}
        case "misshapen":
            gradients = {path: gradient[..., :1] for path, gradient in gradients.items()}
        case "short output":
            return x[:, :1], gradients
        case "nan output":
            return x * math.nan, gradients
    return x, gradients


@pytest.mark.parametrize(
    "fill", ["random", "nan", "infinite", "zero", "missing", "misshapen", "short output", "nan output"]
)
@pytest.mark.parametrize(
    "shapes",
    [
        {"a": (24, 24), "b": (24,), "c": (24, 24), "d": (24, 24)},
        {"a": (72, 24), "b": (24, 24)},
        {"a": (3,), "b": (2, 2)},
        {"a": ()},
        {"a": (0, 24)},
        {},
    ],
    ids=str,
)
def test_an_answer_that_is_no_attention_binds_nothing_and_breaks_nothing(
    fill: str, shapes: dict[str, tuple[int, ...]]
) -> None:
    generator = torch.Generator().manual_seed(0)
    values = draw_values(shapes, embed_dim=24, gain=1.0, generator=generator)

    roles = find_roles(
        values,
        lambda x, cotangents: answers(x, cotangents, shapes, fill),
        embed_dim=24,
        num_heads=4,
        generator=generator,
    )

    assert roles == () or fill == "zero"


@pytest.mark.parametrize("embed", [1, 2, 3])
def test_a_module_too_narrow_to_tell_rows_apart_binds_nothing(embed: int) -> None:
    assert bind(SINGLE_HEAD[0], embed, 1) == ()


def test_no_gradients_can_make_one_element_serve_twice() -> None:
    """The answer of a correct module, but with the gradients of k shown as those of q, and of v as those of k."""
    style = MULTI_HEAD[0]
    generator = torch.Generator().manual_seed(0)
    values = draw_values(style.shapes(24, 4), embed_dim=24, gain=1.0, generator=generator)
    module = Module(style, values, 4)

    def lie(x: Tensor, cotangents: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        output, true = module.probe(x, cotangents)
        return output, true | {"key.weight": true["query.weight"], "value.weight": true["key.weight"]}

    for roles in find_roles(values, lie, embed_dim=24, num_heads=4, generator=generator):
        assert len(places(roles)) == len(set(places(roles)))


def test_figures() -> None:
    """Shown with -s: how many styles are bound right, and what binding costs without the probe."""
    right, costs = 0, []
    cases = [(style, *sizes) for style in MULTI_HEAD for sizes in MULTI_HEAD_SIZES]
    cases += [(style, *sizes) for style in SINGLE_HEAD for sizes in SINGLE_HEAD_SIZES]
    for seed, (style, embed, heads) in enumerate(cases):
        generator = torch.Generator().manual_seed(seed)
        values = draw_values(style.shapes(embed, heads), embed_dim=embed, gain=1.0, generator=generator)
        module = Module(style, values, heads)
        answered: list[float] = []

        def probe(x: Tensor, cotangents: Tensor, module: Module = module, answered: list[float] = answered):
            start = time.process_time()
            answer = module.probe(x, cotangents)
            answered.append(time.process_time() - start)
            return answer

        start = time.process_time()
        roles = find_roles(values, probe, embed_dim=embed, num_heads=heads, generator=generator)
        costs.append(time.process_time() - start - sum(answered))
        right += len(roles) == 1 and error(roles[0], style, embed, heads) < TOLERANCE
    median, greatest = (1000 * cost for cost in (statistics.median(costs), max(costs)))
    print(
        f"\nbound right {right} of {len(cases)}; CPU without the probe: median {median:.1f} ms, most {greatest:.1f} ms"
    )

    assert right == len(cases)
