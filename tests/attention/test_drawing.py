import pytest
import torch

from grader.attention.drawing import causal_mask, draw_mask, draw_tokens, draw_values, padding_mask


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("shape", "deviation"),
    [((400, 100), 0.2), ((100, 400), 0.2), ((4, 100, 90), 0.2), ((300, 64), 0.25), ((4000,), 0.5)],
)
def test_weights_scale_with_their_fan_in_and_biases_do_not(shape: tuple[int, ...], deviation: float) -> None:
    values = draw_values({"leaf": shape}, embed_dim=100, gain=2.0, generator=generator())

    assert values["leaf"].shape == shape
    assert values["leaf"].dtype is torch.float64
    assert float(values["leaf"].std()) == pytest.approx(deviation, rel=0.05)


def test_the_same_seed_draws_the_same_and_leaves_the_global_state_alone() -> None:
    state = torch.get_rng_state()

    first = draw_values({"a": (3, 4), "b": (4,)}, embed_dim=4, gain=1.0, generator=generator(7))
    second = draw_values({"a": (3, 4), "b": (4,)}, embed_dim=4, gain=1.0, generator=generator(7))

    assert all(torch.equal(first[path], second[path]) for path in ("a", "b"))
    assert torch.equal(draw_tokens(2, 3, 4, generator(1)), draw_tokens(2, 3, 4, generator(1)))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_causal_mask_shows_the_past_and_the_present() -> None:
    assert causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_a_padding_mask_shows_the_first_tokens_and_expands_to_every_query() -> None:
    lengths = torch.tensor([1, 3])

    assert padding_mask(lengths, 3).tolist() == [[[True, False, False]], [[True, True, True]]]
    assert torch.equal(padding_mask(lengths, 3, expand=True), padding_mask(lengths, 3).expand(2, 3, 3))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("batch", "seq"), [(1, 3), (2, 3), (3, 5), (2, 9)])
def test_a_drawn_mask_has_its_diagonal_a_hole_and_a_neighbour_in_every_row(batch: int, seq: int, seed: int) -> None:
    mask = draw_mask(batch, seq, generator(seed))

    assert mask.dtype is torch.bool
    assert mask.shape == (batch, seq, seq)
    assert bool(mask.diagonal(dim1=1, dim2=2).all())
    assert bool((mask.sum(-1) >= 2).all())
    assert not bool(mask.all(-1).any())
    assert len({tuple(sample.flatten().tolist()) for sample in mask}) == batch


def test_a_drawn_mask_needs_three_tokens() -> None:
    with pytest.raises(ValueError, match="use seq of 4 or more"):
        draw_mask(1, 2, generator())
