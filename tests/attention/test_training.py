"""What dropout does is told by name, whether the mathematics is known or not; correct dropout is left alone."""

import math
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from textbook import Textbook, factory, read
from torch import Tensor, nn

from grader.attention import draw_tokens, self_attention
from grader.attention.dropout import explain, kept_weights, with_kept
from grader.attention.findings import Named
from grader.attention.training import RATE, observe_training


@pytest.fixture(autouse=True)
def _the_same_chance_for_all() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


def observed(
    made: type[nn.Module], *, known: bool, heads: bool = True, scale: float | None = None, seed: int = 5
) -> dict[str, Named]:
    """What is found, by id; `known`: whether the mathematics is."""
    generator = torch.Generator().manual_seed(seed)
    found = observe_training(
        factory(made, heads=heads), heads=heads, read=read if known else None, scale=scale, generator=generator
    )
    return {named.id: named for named in found}


class OnScores(Textbook):
    def scored(self, scores: Tensor) -> Tensor:
        return self.dropout(scores)

    def dropped(self, weights: Tensor) -> Tensor:
        return weights


class Elsewhere(Textbook):
    """Dropout is not on the attention weights."""

    def dropped(self, weights: Tensor) -> Tensor:
        return weights


class OnOutput(Elsewhere):
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return self.dropout(output)


class OnReceived(Elsewhere):
    def received(self, mixed: Tensor) -> Tensor:
        return self.dropout(mixed)


class OnValues(Elsewhere):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super().projected(x)
        return query, key, self.dropout(value)


class OnQueries(Elsewhere):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super().projected(x)
        return self.dropout(query), key, value


class OnInput(Elsewhere):
    def tokens(self, x: Tensor) -> Tensor:
        return self.dropout(x)


class OnOutputToo(Textbook):
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return self.dropout(output)


class WithoutAny(Elsewhere):
    pass


class Discarded(Textbook):
    def dropped(self, weights: Tensor) -> Tensor:
        self.dropout(weights)
        return weights


class OffForGood(Textbook):
    def dropped(self, weights: Tensor) -> Tensor:
        if not self.training:
            self.dropout.p = 0.0
        return self.dropout(weights)


class AlwaysOn(Textbook):
    def dropped(self, weights: Tensor) -> Tensor:
        return F.dropout(weights, self.rate)


class Exchanged(Textbook):
    def dropped(self, weights: Tensor) -> Tensor:
        return F.dropout(weights, 1 - self.rate if self.rate else 0.0, self.training)


class NotRescaled(Textbook):
    def dropped(self, weights: Tensor) -> Tensor:
        return weights * (torch.rand_like(weights) >= self.rate) if self.training else weights


class ExchangedAndNotRescaled(Textbook):
    def dropped(self, weights: Tensor) -> Tensor:
        return weights * (torch.rand_like(weights) < self.rate) if self.training else weights


class ScaledInEval(Textbook):
    def dropped(self, weights: Tensor) -> Tensor:
        if self.training:
            return weights * (torch.rand_like(weights) >= self.rate)
        return weights * (1 - self.rate)


class WrittenDown(Textbook):
    def dropped(self, weights: Tensor) -> Tensor:
        return F.dropout(weights, 0.1, self.training)


class Twice(Textbook):
    def dropped(self, weights: Tensor) -> Tensor:
        return self.dropout(self.dropout(weights))


class Reseeded(Textbook):
    def tokens(self, x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return x


class ByHand(Textbook):
    """Correct, without torch's own dropout."""

    def dropped(self, weights: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return weights
        return weights * (torch.rand_like(weights) >= self.rate) / (1 - self.rate)


class InSinglePrecision(Textbook):
    """Correct, to seven digits."""

    def weighed(self, scores: Tensor) -> Tensor:
        return scores.float().softmax(-1).to(scores.dtype)

    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return output.float().to(x.dtype)


class ByLibrary(nn.Module):
    """Correct: torch's own attention."""

    def __init__(self, embed_dim: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(embed_dim, num_heads, dropout=dropout, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.inner(x, x, x, need_weights=False)[0]
        return output


PLACES = {
    OnScores: ("dropout-before-softmax", "the scores"),
    OnOutput: ("dropout-on-wrong-place", "the output"),
    OnReceived: ("dropout-on-wrong-place", "what the queries receive"),
    OnValues: ("dropout-on-wrong-place", "the values"),
}
"""What can be proven where the mathematics is known."""

RATES = {
    Exchanged: {"dropout-keep-for-drop"},
    NotRescaled: {"dropout-not-rescaled"},
    ExchangedAndNotRescaled: {"dropout-not-rescaled", "dropout-keep-for-drop"},
    WrittenDown: {"dropout-wrong-rate"},
    Twice: {"dropout-wrong-rate"},
}


# -- correct code ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("made", [Textbook, ByHand, InSinglePrecision])
def test_correct_dropout_is_left_alone(made: type[nn.Module], known: bool) -> None:
    assert observed(made, known=known) == {}


@pytest.mark.parametrize("heads", [True, False])
def test_the_library_is_correct(heads: bool) -> None:
    assert observed(ByLibrary, known=False, heads=heads) == {}


@pytest.mark.parametrize("known", [True, False])
def test_a_single_head_is_left_alone(known: bool) -> None:
    assert observed(Textbook, known=known, heads=False) == {}


def test_correct_dropout_is_left_alone_whatever_chance_does() -> None:
    for seed in range(20):
        torch.manual_seed(seed)

        assert observed(Textbook, known=seed % 2 == 0) == {}


def test_a_module_that_takes_no_dropout_says_nothing() -> None:
    class Plain(Textbook):
        def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
            if dropout:
                raise TypeError("unexpected keyword argument 'dropout'")
            super().__init__(embed_dim, num_heads)

    assert observed(Plain, known=True) == {}


# -- whether and when --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [WithoutAny, Discarded])
def test_dropout_that_never_acts_is_seen(made: type[nn.Module]) -> None:
    found = observed(made, known=True)

    assert set(found) == {"dropout-never-on"}
    assert found["dropout-never-on"].evidence == {}


def test_dropout_that_a_call_in_eval_mode_switches_off_is_seen() -> None:
    found = observed(OffForGood, known=True)

    assert set(found) == {"dropout-never-on"}
    assert found["dropout-never-on"].evidence == {"acts until": "the first call in eval mode"}


@pytest.mark.parametrize("known", [True, False])
def test_dropout_in_eval_mode_is_seen(known: bool) -> None:
    assert set(observed(AlwaysOn, known=known)) == {"dropout-in-eval"}


def test_a_seed_in_forward_is_seen() -> None:
    assert set(observed(Reseeded, known=True)) == {"rng-reseeded-in-forward"}


def test_what_is_random_without_dropout_is_no_dropout() -> None:
    class Noisy(Textbook):
        def finished(self, output: Tensor, x: Tensor) -> Tensor:
            return output + 0.01 * torch.randn_like(output)

    assert observed(Noisy, known=True) == {}


# -- on what -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("made", "expected"), PLACES.items(), ids=lambda each: getattr(each, "__name__", None))
def test_the_place_is_proven_where_the_mathematics_is_known(made: type[nn.Module], expected: tuple[str, str]) -> None:
    found = observed(made, known=True)

    assert {(id_, named.evidence["dropout acts on"]) for id_, named in found.items()} == {expected}
    assert all(named.certainty == "proven" for named in found.values())


@pytest.mark.parametrize("heads", [True, False])
@pytest.mark.parametrize(
    ("made", "expected"),
    [
        *(each for each in PLACES.items() if each[0] is not OnReceived),
        (OnReceived, ("dropout-on-wrong-place", "single features, somewhere after the values were averaged")),
        (OnInput, ("dropout-on-wrong-place", "the input")),
        (OnQueries, ("dropout-on-wrong-place", "the queries or the keys")),
        (OnOutputToo, ("dropout-on-wrong-place", "single features, somewhere after the values were averaged")),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_the_place_is_observed_where_it_is_not(made: type[nn.Module], expected: tuple[str, str], heads: bool) -> None:
    found = observed(made, known=False, heads=heads)

    assert {(id_, named.evidence["dropout acts on"]) for id_, named in found.items()} == {expected}
    assert all(named.certainty == "observed" for named in found.values())


def test_what_cannot_be_solved_is_counted() -> None:
    for made in (OnInput, OnQueries, OnOutputToo):
        assert set(observed(made, known=True)) == {"dropout-on-wrong-place"}


# -- how much ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("made", "expected"), RATES.items(), ids=lambda each: getattr(each, "__name__", None))
def test_how_much_is_dropped_and_made_up_for_is_told(made: type[nn.Module], expected: set[str], known: bool) -> None:
    assert set(observed(made, known=known)) == expected


def test_the_probability_is_told() -> None:
    rates = [observed(made, known=True)["dropout-wrong-rate"].evidence for made in (WrittenDown, Twice)]

    assert [rate["drops with probability"] for rate in rates] == [0.1, round(1 - (1 - RATE) ** 2, 6)]


def test_scaling_in_eval_mode_instead_is_seen() -> None:
    assert set(observed(ScaledInEval, known=True)) == {"dropout-not-rescaled"}


# -- two mistakes ------------------------------------------------------------------------------------------------------


class Unscaled:
    def scale(self, query: Tensor) -> float:
        return 1.0


class OverQueries:
    def weighed(self, scores: Tensor) -> Tensor:
        return scores.softmax(-2)


class Residual:
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return super().finished(output, x) + x  # type: ignore[misc, no-any-return]


class Activated:
    def received(self, mixed: Tensor) -> Tensor:
        return torch.relu(super().received(mixed))  # type: ignore[misc]


@pytest.mark.parametrize("other", [Unscaled, OverQueries, Residual, Activated])
@pytest.mark.parametrize("made", [OnScores, OnOutput, OnReceived, OnValues, OnInput, AlwaysOn, Reseeded, WithoutAny])
def test_another_mistake_beside_it_hides_nothing(made: type[Textbook], other: type) -> None:
    both = type("Both", (other, made), {})

    assert set(observed(both, known=False)) == set(observed(made, known=False))


class Normalised:
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return F.layer_norm(super().finished(output, x), x.shape[-1:])  # type: ignore[misc]


class Unbiased:
    """What is normalised does not show by what it was multiplied, where nothing was added before."""

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, num_heads, dropout)  # type: ignore[call-arg]
        self.out = nn.Linear(embed_dim, embed_dim, bias=False)


@pytest.mark.parametrize("made", [Textbook, ByHand, NotRescaled])
def test_nothing_is_said_of_a_factor_behind_a_norm(made: type[Textbook]) -> None:
    assert observed(type("Both", (Unbiased, Normalised, made), {}), known=False) == {}


def test_behind_a_norm_the_share_is_still_counted() -> None:
    found = observed(type("Both", (Unbiased, Normalised, Exchanged), {}), known=False)

    assert set(found) == {"dropout-keep-for-drop"}


def test_where_the_weight_of_a_token_alone_is_zero_nothing_is_said_of_its_score() -> None:
    class Logarithm(Textbook):
        def weighed(self, scores: Tensor) -> Tensor:
            return scores.log_softmax(-1)

    class Both(Residual, Logarithm):
        pass

    assert observed(Logarithm, known=False) == observed(Both, known=False) == {}


def test_a_token_whose_weight_is_zero_is_not_counted_as_dropped() -> None:
    class Rectified(Textbook):
        def weighed(self, scores: Tensor) -> Tensor:
            return scores.relu()

    for seed in range(12):
        assert observed(Rectified, known=False, seed=seed) == {}


@pytest.mark.parametrize("other", [Unscaled, OverQueries, Residual])
@pytest.mark.parametrize("made", [Textbook, *RATES])
def test_another_mistake_hides_no_rate(made: type[Textbook], other: type) -> None:
    both = type("Both", (other, made), {})

    assert set(observed(both, known=False)) == set(observed(made, known=False))


def test_a_known_scale_belongs_to_the_mathematics() -> None:
    both = type("Both", (Unscaled, OnValues), {})
    found = observed(both, known=True, scale=1.0)

    assert [(named.id, named.certainty) for named in found.values()] == [("dropout-on-wrong-place", "proven")]


def test_dropout_on_the_weights_of_another_softmax_is_right() -> None:
    class Sigmoid(Textbook):
        def weighed(self, scores: Tensor) -> Tensor:
            return torch.sigmoid(scores)

    assert observed(Sigmoid, known=False) == {}


def test_samples_that_influence_each_other_are_no_repetitions() -> None:
    class OverBatch(Textbook):
        def weighed(self, scores: Tensor) -> Tensor:
            return scores.softmax(0)

    class SequenceFirst(Textbook):
        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            return super().forward(x.transpose(0, 1), mask).transpose(0, 1)

    assert observed(OverBatch, known=False) == observed(SequenceFirst, known=False) == {}


# -- solving -----------------------------------------------------------------------------------------------------------


def test_kept_weights_are_read_off_the_output() -> None:
    generator = torch.Generator().manual_seed(1)
    weights = read(factory(Textbook)(24, 4))
    x = draw_tokens(3, 5, 24, generator)
    kept = torch.rand(3, 5, 4, 5, generator=generator) > RATE
    output = with_kept(kept, x, weights, rate=RATE)

    assert torch.equal(kept_weights(output, x, weights), kept)


def test_an_output_of_which_nothing_was_dropped_is_not_explained() -> None:
    weights = read(factory(Textbook)(24, 4))
    x = draw_tokens(3, 5, 24, torch.Generator().manual_seed(1))

    assert explain(self_attention(x, weights), x, weights, rate=RATE) is None


def test_an_output_that_no_dropout_makes_is_not_explained() -> None:
    generator = torch.Generator().manual_seed(1)
    weights = read(factory(Textbook)(24, 4))
    x = draw_tokens(3, 5, 24, generator)
    noise = draw_tokens(3, 5, 24, generator)

    assert explain(self_attention(x, weights) + 0.01 * noise, x, weights, rate=RATE) is None
    assert explain(noise, x, weights, rate=RATE) is None
    assert math.isclose(float(noise.var()), 1.0, rel_tol=0.3)
