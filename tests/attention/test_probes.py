"""What is plain to see is seen, and nothing is seen in correct modules."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from textbook import Counted, Textbook, factory, read
from torch import Tensor, nn

from grader.attention import draw_tokens
from grader.attention.facts import SENTENCES, Facts, gather
from grader.attention.findings import Named
from grader.attention.gradients import idle
from grader.attention.probes import observe, same_at_birth
from grader.catalogue import CATALOGUE

NAN_ROWS = {"fully-masked-row-nan"}
"""Worth knowing of code that hides with -inf, and nothing else."""


@pytest.fixture(autouse=True)
def _the_same_chance_for_all() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        yield


def seen(made: Callable[..., nn.Module], *, known: bool = False, heads: bool = True) -> dict[str, Named]:
    """What is found, by id."""
    found = observe(
        factory(made, heads=heads),
        heads=heads,
        read=read if known else None,
        softmax=known,
        generator=torch.Generator().manual_seed(5),
    )
    return {named.id: named for named in found}


def drawn(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# -- correct code ------------------------------------------------------------------------------------------------------


class Filled(Textbook):
    """Correct, and no row is ever nan."""

    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        return scores if mask is None else scores.masked_fill(mask.unsqueeze(-3) == 0, -1e9)


class InSinglePrecision(Filled):
    """Correct, to seven digits."""

    def weighed(self, scores: Tensor) -> Tensor:
        return scores.float().softmax(-1).to(scores.dtype)

    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return output.float().to(x.dtype)


class Lazy(nn.Module):
    """Correct: every layer takes its width from the first call, and there is no method of the textbook."""

    def __init__(self, embed_dim: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.qkv = num_heads, nn.LazyLinear(3 * embed_dim)
        self.out, self.rate = nn.LazyLinear(embed_dim), dropout

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        query, key, value = (
            each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in self.qkv(x).chunk(3, dim=-1)
        )
        visible = None if mask is None else (mask != 0).unsqueeze(-3)
        rate = self.rate if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, visible, dropout_p=rate)
        output: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return output


@pytest.mark.parametrize("heads", [True, False])
@pytest.mark.parametrize("made", [Filled, InSinglePrecision, Lazy])
def test_nothing_is_seen_in_correct_modules(made: type[nn.Module], heads: bool) -> None:
    assert seen(made, heads=heads) == {}
    assert made is Lazy or seen(made, heads=heads, known=True) == {}


def test_hiding_with_minus_infinity_is_only_worth_knowing() -> None:
    found = seen(Textbook, known=True)

    assert set(found) == NAN_ROWS
    assert found["fully-masked-row-nan"].informative
    assert CATALOGUE["fully-masked-row-nan"].informative


def test_all_probes_make_less_than_sixty_calls() -> None:
    for made in (Textbook, Unscaled, Sized, Broken):
        for known in (True, False):
            counted = Counted(factory(made))
            observe(counted, heads=True, read=read if known else None, generator=drawn())

            assert 0 < counted.calls < 60


def test_what_cannot_be_built_says_nothing() -> None:
    class Unbuilt(nn.Module):
        def __init__(self, *_sizes: int, dropout: float = 0.0) -> None:
            raise RuntimeError("no")

    assert seen(Unbuilt) == {}


# -- randomness --------------------------------------------------------------------------------------------------------


class Noisy(Textbook):
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return output + 0.01 * torch.randn_like(output)


class NoisyAlike(Textbook):
    """The same noise for every token of every sample."""

    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return output + torch.randn(output.shape[-1])


class ScaledAtRandom(Textbook):
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return output * torch.rand(1)


class MadeInForward(Textbook):
    def received(self, mixed: Tensor) -> Tensor:
        layer = nn.Linear(mixed.shape[-1], mixed.shape[-1], dtype=mixed.dtype)
        made: Tensor = layer(mixed)
        return made


class AllMadeInForward(nn.Module):
    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.arguments = embed_dim, num_heads, dropout

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        made: Tensor = Textbook(*self.arguments).to(x.dtype)(x, mask)
        return made


class Remembering(Textbook):
    """Each output is mixed with the one before."""

    last: Tensor | float = 0.0

    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        before, self.last = self.last, output.detach().mean()
        return output + before


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (Noisy, "not-repeatable"),
        (NoisyAlike, "not-repeatable"),
        (ScaledAtRandom, "not-repeatable"),
        (MadeInForward, "parameters-made-in-forward"),
        (AllMadeInForward, "parameters-made-in-forward"),
        (Remembering, "answers-depend-on-history"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_what_differs_between_two_calls_is_told_apart(made: type[nn.Module], expected: str) -> None:
    assert set(seen(made)) == {expected}


def test_a_seed_in_the_constructor_makes_no_chance_a_memory() -> None:
    class Seeded(Noisy):
        def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
            torch.manual_seed(0)
            super().__init__(embed_dim, num_heads, dropout)

    assert set(seen(Seeded)) == {"not-repeatable"}


def at_birth(make: Callable[[], nn.Module]) -> Named | None:
    with torch.no_grad():
        return same_at_birth(make().double().eval(), make().double().eval(), draw_tokens(2, 5, 24, drawn()))


def test_a_seed_in_the_constructor_is_seen_at_birth() -> None:
    def seeded() -> nn.Module:
        torch.manual_seed(0)
        return Textbook(24, 4)

    named = at_birth(seeded)

    assert named is not None
    assert named.id == "rng-reseeded-in-init"
    assert at_birth(lambda: Textbook(24, 4)) is None


@pytest.mark.parametrize("fill", [nn.init.zeros_, lambda tensor: nn.init.constant_(tensor, 0.1)])
def test_constant_weights_at_birth_are_no_seed(fill: Callable[[Tensor], Any]) -> None:
    def constant() -> nn.Module:
        module = Textbook(24, 4)
        for parameter in module.parameters():
            fill(parameter)
        return module

    assert at_birth(constant) is None


def test_the_identity_at_birth_is_no_seed() -> None:
    def identity() -> nn.Module:
        module = Textbook(24, 1)
        for layer in (module.query, module.key, module.value, module.out):
            nn.init.eye_(layer.weight)
            nn.init.zeros_(layer.bias)
        return module

    assert at_birth(identity) is None


# -- sizes -------------------------------------------------------------------------------------------------------------


class Sized(Filled):
    """Writes sizes down; those of the class, where they are set."""

    batch: int | None = None
    seq: int | None = None
    width: int | None = None

    def __init__(self, embed_dim: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__(self.width or embed_dim, num_heads, dropout)

    def split(self, projected: Tensor) -> Tensor:
        batch, seq, embed = projected.shape
        sizes = (self.batch or batch, self.seq or seq, self.heads, embed // self.heads)
        return projected.reshape(sizes).transpose(1, 2)


def sized(**sizes: int) -> type[Sized]:
    return type("Written", (Sized,), sizes)


@pytest.mark.parametrize(
    ("sizes", "size", "works"),
    [
        ({"batch": 3}, "batch size", "3"),
        ({"batch": 32}, "batch size", "32"),
        ({"seq": 5}, "sequence length", "5"),
        ({"seq": 10}, "sequence length", "10"),
        ({"width": 24}, "embed_dim", "24"),
        ({"width": 512}, "embed_dim", "512"),
    ],
)
def test_a_size_that_is_written_down_is_found(sizes: dict[str, int], size: str, works: str) -> None:
    found = seen(sized(**sizes))

    assert set(found) == {"hard-coded-size"}
    assert found["hard-coded-size"].evidence["size"] == size
    assert found["hard-coded-size"].evidence["works for"] == works


def test_a_greatest_length_is_found() -> None:
    class Limited(Filled):
        def scored(self, scores: Tensor) -> Tensor:
            return scores + torch.zeros(8, 8)[: scores.shape[-2], : scores.shape[-1]]

    assert seen(Limited)["hard-coded-size"].evidence["fails for"] == "9"


def test_an_axis_of_one_that_is_lost_is_no_written_size() -> None:
    class Squeezed(Filled):
        def tokens(self, x: Tensor) -> Tensor:
            return x.squeeze()

    assert "hard-coded-size" not in seen(Squeezed)


class Broken(Textbook):
    """Multiplies shapes that only fit for as many tokens as a head has features."""

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super().projected(x)
        return query, key.mT, value


def test_shapes_that_fit_by_coincidence_are_no_written_size() -> None:
    assert seen(Broken) == {}


# -- what earlier calls leave behind -----------------------------------------------------------------------------------


class FirstMask(Filled):
    kept: Tensor | None = None

    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None and (self.kept is None or self.kept.shape != mask.shape):
            self.kept = mask
        return super().masked(scores, None if mask is None else self.kept)


class LastMask(Filled):
    kept: Tensor | None = None

    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None:
            self.kept = mask
        fits = self.kept is not None and self.kept.shape[-1] == scores.shape[-1]
        return super().masked(scores, self.kept if fits else None)


class FirstMaskForGood(Filled):
    kept: Tensor | None = None

    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None and self.kept is None:
            self.kept = mask
        return super().masked(scores, None if mask is None else self.kept)


class GrowingMask(Filled):
    """Keeps the number of tokens of the first mask, and nothing of what it hides."""

    length = 0

    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return scores
        self.length = self.length or mask.shape[-1]
        return super().masked(scores, mask + torch.zeros(self.length))


@pytest.mark.parametrize("made", [FirstMask, LastMask, FirstMaskForGood, GrowingMask])
def test_a_mask_that_is_kept_is_seen(made: type[nn.Module]) -> None:
    assert set(seen(made)) == {"mask-stale-cache"}


def test_a_length_that_is_kept_is_seen() -> None:
    class FirstLength(Filled):
        causal: Tensor | None = None

        def scored(self, scores: Tensor) -> Tensor:
            if self.causal is None:
                self.causal = torch.ones_like(scores[0, 0]).tril()
            return scores.masked_fill(self.causal == 0, -math.inf)

    found = seen(FirstLength)

    assert set(found) == {"answers-depend-on-history"}
    assert "mask-stale-cache" in found["answers-depend-on-history"].alternatives


def test_what_other_sizes_leave_behind_is_seen() -> None:
    class Longest(Filled):
        longest = 0

        def scored(self, scores: Tensor) -> Tensor:
            self.longest = max(self.longest, scores.shape[-1])
            return scores * 5 / self.longest

    assert set(seen(Longest)) == {"answers-depend-on-history"}


# -- large numbers -----------------------------------------------------------------------------------------------------


class Unstable(Filled):
    def weighed(self, scores: Tensor) -> Tensor:
        return scores.exp() / scores.exp().sum(-1, keepdim=True)


def test_an_unstable_softmax_is_seen() -> None:
    assert set(seen(Unstable, known=True)) == {"softmax-unstable", *NAN_ROWS}


def test_what_is_not_known_to_have_a_softmax_has_no_unstable_one() -> None:
    assert set(seen(Unstable)) == NAN_ROWS


def test_what_overflows_without_a_softmax_is_something_else() -> None:
    class Exponential(Filled):
        def weighed(self, scores: Tensor) -> Tensor:
            return scores.exp()

    assert seen(Exponential) == {}


# -- two mistakes ------------------------------------------------------------------------------------------------------


class Unscaled(Filled):
    def scale(self, query: Tensor) -> float:
        return 1.0


class Causal(Filled):
    def scored(self, scores: Tensor) -> Tensor:
        return scores.masked_fill(torch.ones_like(scores[0, 0]).tril() == 0, -math.inf)


class Residual(Filled):
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return super().finished(output, x) + x


@pytest.mark.parametrize("other", [Unscaled, Causal, Residual])
@pytest.mark.parametrize("made", [Unstable, FirstMask, Remembering, MadeInForward, Noisy])
def test_another_mistake_beside_it_hides_nothing(made: type[Textbook], other: type[Textbook]) -> None:
    both = type("Both", (other, made), {})

    assert set(seen(both, known=True)) - NAN_ROWS == set(seen(made, known=True)) - NAN_ROWS


def test_two_things_that_are_plain_to_see_are_both_seen() -> None:
    class Both(Unstable, FirstMask):
        def dropped(self, weights: Tensor) -> Tensor:
            return weights

    assert set(seen(Both, known=True)) - NAN_ROWS == {"softmax-unstable", "mask-stale-cache", "dropout-never-on"}


# -- facts -------------------------------------------------------------------------------------------------------------


def facts_of(made: Callable[..., nn.Module]) -> Facts:
    return gather(factory(made)(24, 4), drawn())


def test_all_facts_are_true_of_correct_modules() -> None:
    for made in (Textbook, Filled, InSinglePrecision, Lazy):
        facts = facts_of(made)

        assert all(getattr(facts, name) is True for name in SENTENCES)
        assert facts.beginning == ""


def test_wrong_modules_are_told_where_they_begin_to_differ() -> None:
    class OverBatch(Filled):
        def weighed(self, scores: Tensor) -> Tensor:
            return scores.softmax(0)

    class Alone(Filled):
        def dropped(self, weights: Tensor) -> Tensor:
            return torch.eye(weights.shape[-1], dtype=weights.dtype).expand_as(weights)

    class Placed(Filled):
        def tokens(self, x: Tensor) -> Tensor:
            return x + torch.arange(x.shape[1])[:, None]

    class Unweighed(Filled):
        def weighed(self, scores: Tensor) -> Tensor:
            return scores.sigmoid()

    class Unmasked(Filled):
        def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
            return scores

    class Leaking(Filled):
        def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
            return scores if mask is None else scores.masked_fill(mask.unsqueeze(-3) == 0, -1.0)

    class AfterSoftmax(Filled):
        def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
            self.mask = mask
            return super().forward(x)

        def dropped(self, weights: Tensor) -> Tensor:
            return weights if self.mask is None else weights * self.mask.unsqueeze(-3)

    expected = {
        OverBatch: "samples_apart",
        Alone: "tokens_meet",
        Causal: "sees_all",
        Placed: "order_free",
        Unweighed: "weights_sum_to_one",
        Unmasked: "mask_matters",
        Leaking: "hidden_silent",
    }

    assert {made: facts_of(made).beginning for made in expected} == {
        made: SENTENCES[name] for made, name in expected.items()
    }
    assert facts_of(Leaking).future_silent is facts_of(Leaking).first_alone is False
    assert facts_of(AfterSoftmax).first_alone is False


def test_nothing_is_a_fact_of_what_is_random_or_takes_no_mask() -> None:
    class Maskless(nn.Module):
        def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
            super().__init__()
            self.inner = Filled(embed_dim, num_heads)

        def forward(self, x: Tensor) -> Tensor:
            output: Tensor = self.inner(x)
            return output

    assert facts_of(Noisy) == Facts()
    assert facts_of(Maskless).mask_matters is None
    assert facts_of(Maskless).beginning == ""


# -- gradients ---------------------------------------------------------------------------------------------------------


class Spare(Textbook):
    def __init__(self, embed_dim: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, num_heads, dropout)
        self.spare = nn.Linear(embed_dim, embed_dim)


class DetachedQuery(Textbook):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super().projected(x)
        return query.detach(), key, value


class DetachedPart(nn.Module):
    """A fused layer of which the first third gets no gradient."""

    def __init__(self, embed_dim: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.qkv = num_heads, nn.Linear(embed_dim, 3 * embed_dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        query, key, value = (each.unflatten(-1, (self.heads, -1)).transpose(1, 2) for each in self.qkv(x).chunk(3, -1))
        weights = (query.detach() @ key.mT).softmax(-1)
        return (weights @ value).transpose(1, 2).flatten(2)


class WithoutGradients(Textbook):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            return super().forward(x, mask)


class Rectified(Textbook):
    """Where a ReLU is off, no gradient arrives: nothing is detached."""

    def received(self, mixed: Tensor) -> Tensor:
        return torch.relu(mixed - 3.0)


@pytest.mark.parametrize(
    ("made", "unused", "detached"),
    [
        (Textbook, (), ()),
        (Lazy, (), ()),
        (InSinglePrecision, (), ()),
        (Rectified, (), ()),
        (Spare, ("spare.weight",), ()),
        (DetachedQuery, (), ("query.weight", "query.bias")),
        (DetachedPart, (), ("qkv.weight", "qkv.bias")),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_idle_tensors_are_told_apart(made: type[nn.Module], unused: tuple[str, ...], detached: tuple[str, ...]) -> None:
    found = idle(factory(made)(24, 4), drawn())

    assert (found.unused, found.detached) == (unused, detached)


def test_without_any_gradient_everything_that_matters_is_detached() -> None:
    found = idle(factory(WithoutGradients)(24, 4), drawn())

    assert found.unused == ()
    assert set(found.detached) == {f"{name}.weight" for name in ("query", "key", "value", "out")} | {
        "query.bias",
        "value.bias",
        "out.bias",
    }


def test_values_are_as_before_when_idle_tensors_were_looked_for() -> None:
    subject = factory(Spare)(24, 4)
    before = dict(subject.values)
    idle(subject, drawn())

    assert all(torch.equal(subject.values[path], value) for path, value in before.items())


# -- words -------------------------------------------------------------------------------------------------------------


def test_every_claim_is_in_the_catalogue() -> None:
    for made in (Textbook, Noisy, MadeInForward, Remembering, sized(batch=3), FirstMask, Unstable):
        for id_, named in seen(made).items():
            assert {id_, *named.alternatives} <= set(CATALOGUE)
            assert named.certainty == "observed"
