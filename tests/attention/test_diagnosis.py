"""The diagnosis as whoever has a module would use it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from textbook import Textbook
from torch import Tensor, nn

from grader.attention import Diagnosis, diagnose
from grader.catalogue import CATALOGUE


class Alone(Textbook):
    """One head, no output projection."""

    def __init__(self, embed_dim: int, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, 1, dropout)
        del self.out

    def out(self, mixed: Tensor) -> Tensor:
        return mixed


def claims(found: Diagnosis) -> set[str]:
    return {each.id for each in found.findings if not each.informative}


def proven(found: Diagnosis) -> set[str]:
    return {each.id for each in found.findings if each.certainty == "proven"}


def with_scale(make: Callable[[Tensor], Any]) -> type[Textbook]:
    return type("Scaled", (Textbook,), {"scale": lambda self, query: make(query)})


def with_weights(make: Callable[[Tensor], Tensor], *, base: type[Textbook] = Textbook) -> type[Textbook]:
    return type("Weighed", (base,), {"weighed": lambda self, scores: make(scores)})


def with_mask(make: Callable[[Tensor, Tensor], Tensor], *, base: type[Textbook] = Textbook) -> type[Textbook]:
    """`mask` comes as `(batch, 1, seq, seq)`."""

    def masked(self: Textbook, scores: Tensor, mask: Tensor | None) -> Tensor:
        return scores if mask is None else make(scores, mask[:, None] != 0)

    return type("Masked", (base,), {"masked": masked})


# -- right -------------------------------------------------------------------------------------------------------------


class InFloat32(Textbook):
    """The scale goes through a tensor of float32, which many write and which is not wrong."""

    def scale(self, query: Tensor) -> float:
        return 1 / torch.sqrt(torch.tensor(query.shape[-1]))  # type: ignore[return-value]


class Strided(Textbook):
    """Head h takes every fourth feature: a relabelling, as long as heads are put back the same way."""

    def split(self, projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (-1, self.heads)).movedim(-1, 1)

    def merged(self, heads: Tensor) -> Tensor:
        return heads.movedim(1, -1).flatten(2)


class Exchanged(Textbook):
    """What is called a query serves as a key, and the other way round."""

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super().projected(x)
        return key, query, value


class Fused(nn.Module):
    """All in one layer, with names that say nothing."""

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.a, self.b, self.n = nn.Linear(embed_dim, 3 * embed_dim), nn.Linear(embed_dim, embed_dim), num_heads
        self.c = nn.Dropout(dropout)

    def forward(self, x: Tensor, m: Tensor | None = None) -> Tensor:
        q, k, v = self.a(x).unflatten(-1, (3, self.n, -1)).permute(2, 0, 3, 1, 4)
        s = q @ k.mT * k.shape[-1] ** -0.5
        if m is not None:
            s = s.masked_fill(m[:, None] == 0, -1e9)
        return self.b((self.c(s.softmax(-1)) @ v).transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


@pytest.mark.parametrize("made", [Textbook, InFloat32, Strided, Exchanged, Fused])
def test_right_code_is_called_correct_and_nothing_is_claimed(made: type[nn.Module]) -> None:
    found = diagnose(made)

    assert claims(found) == set()
    assert found.correct
    assert (found.begins, found.fact) == ("", "")
    assert found.evaluations < 200


def test_one_head_is_right_without_an_output_projection() -> None:
    found = diagnose(Alone, heads=False)

    assert claims(found) == set()
    assert found.correct


# -- one mistake -------------------------------------------------------------------------------------------------------


class Viewed(Textbook):
    def split(self, projected: Tensor) -> Tensor:
        batch, seq, embed = projected.shape
        return projected.view(batch, self.heads, seq, embed // self.heads)


class Unmoved(Textbook):
    def merged(self, heads: Tensor) -> Tensor:
        return heads.reshape(heads.shape[0], heads.shape[2], -1)


class ValuesAreKeys(Textbook):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        key = self.split(self.key(x))
        return self.split(self.query(x)), key, key


class RawKeys(Textbook):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.split(self.query(x)), self.split(x), self.split(self.value(x))


class Residual(Textbook):
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return output + x


class OutputUnused(Textbook):
    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, num_heads, dropout)
        self.out, self.last = nn.Identity(), self.out  # type: ignore[assignment]


class NothingProjected(Textbook):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.split(x), self.split(x), self.split(x)


class OneBigHead(Textbook):
    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, 1, dropout)


class LooksOnlyBack(Textbook):
    """Always causal, and not even at itself: the first token has nothing to look at, and becomes nan."""

    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        before = torch.ones_like(scores).tril(-1) == 0
        return super().masked(scores, mask).masked_fill(before, -math.inf)


class Rounded(Textbook):
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return output.round(decimals=4)


ONE = {
    "scale-missing": with_scale(lambda query: 1.0),
    "scale-embed-dim": with_scale(lambda query: (4 * query.shape[-1] if query.shape[1] == 4 else 35) ** -0.5),
    "softmax-dim-query": with_weights(lambda scores: scores.softmax(-2)),
    "softmax-dim-head": with_weights(lambda scores: scores.softmax(1)),
    "softmax-twice": with_weights(lambda scores: scores.softmax(-1).softmax(-1)),
    "softmax-replaced": with_weights(torch.sigmoid),
    "mask-ignored": with_mask(lambda scores, mask: scores),
    "mask-inverted": with_mask(lambda scores, mask: scores.masked_fill(mask, -math.inf)),
    "mask-fill-zero": with_mask(lambda scores, mask: scores * mask),
    "mask-on-queries": with_mask(lambda scores, mask: scores.masked_fill(~mask.mT, -math.inf)),
    "heads-view-no-transpose": Viewed,
    "merge-view-no-transpose": Unmoved,
    "value-uses-key": ValuesAreKeys,
    "residual-inside": Residual,
    "output-projection-unused": OutputUnused,
}


@pytest.mark.parametrize("name", ONE)
def test_one_mistake_is_proven_and_nothing_else_is_claimed(name: str) -> None:
    found = diagnose(ONE[name])

    assert proven(found) == claims(found) == {name}
    assert not found.correct
    assert found.begins == ""


class NothingUsed(Alone):
    """Three layers, none of which is called: no gradient says which."""

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.split(x), self.split(x), self.split(x)


class Discarding(Textbook):
    """One small layer for all heads, whose outputs are put together and forgotten."""

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, num_heads, dropout)
        width = embed_dim // num_heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query(self.split(x)), self.key(self.split(x)), self.value(self.split(x))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        super().forward(x, mask)
        return self.out(x)  # type: ignore[no-any-return]


def test_layers_that_are_never_called_are_told_apart_from_one_that_is() -> None:
    assert proven(diagnose(NothingUsed, heads=False)) == {"no-projections"}
    found = diagnose(Discarding)
    assert claims(found) == {"attention-unused"}
    assert found.findings[0].alternatives == ("loop-discards-heads",)


class CutOff(ONE["scale-missing"]):  # type: ignore[misc, valid-type]
    """Queries that get no gradient, beside another mistake."""

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super().projected(x)
        return query.detach(), key, value


def test_a_layer_that_serves_without_a_gradient_is_told_beside_what_is_proven() -> None:
    found = diagnose(CutOff)

    assert {each.id: each.certainty for each in found.findings} == {
        "scale-missing": "proven",
        "gradients-detached": "observed",
    }
    assert found.evaluations < 600


def test_what_is_named_is_explained_in_the_catalogue() -> None:
    assert set(ONE) <= set(CATALOGUE)


def test_a_rounded_output_is_plain_to_see() -> None:
    found = diagnose(Rounded)

    assert [each.certainty for each in found.findings if each.id == "output-rounded"] == ["observed"]
    assert claims(found) <= {"output-rounded", "gradients-detached"}
    assert not found.correct


def test_the_evidence_says_how_exactly_it_agrees_and_what_was_done() -> None:
    (scale,) = diagnose(ONE["scale-missing"]).findings
    (mask,) = diagnose(ONE["mask-on-queries"]).findings

    assert scale.evidence["scores are multiplied by"] == "1"
    assert 0 <= float(scale.evidence["relative error"]) < 1e-12
    assert mask.evidence["the mask is"] == "on queries"


@pytest.mark.parametrize("factor", [0.5, 0.0625, 1.7])
def test_a_constant_without_a_name_is_told_as_a_number(factor: float) -> None:
    (found,) = diagnose(with_scale(lambda query: factor)).findings

    assert found.id == "scale-constant"
    assert found.evidence["scores are multiplied by"] == pytest.approx(factor, rel=1e-9)
    assert found.evidence["expected"] == "1/sqrt(d_k)"
    assert "at another size by" not in found.evidence


def test_a_constant_of_each_size_is_told_for_both() -> None:
    (found,) = diagnose(with_scale(lambda query: 0.3 + query.shape[-1] / 100)).findings

    assert found.id == "scale-constant"
    assert found.evidence["scores are multiplied by"] == pytest.approx(0.36, rel=1e-9)
    assert found.evidence["at another size by"] == pytest.approx(0.37, rel=1e-9)


def test_a_fill_without_a_name_is_told_as_a_number() -> None:
    (found,) = diagnose(with_mask(lambda scores, mask: scores.masked_fill(~mask, -7.25))).findings

    assert found.id == "mask-fill-too-small"
    assert found.evidence["hidden scores are set to"] == pytest.approx(-7.25, abs=1e-6)


# -- several -----------------------------------------------------------------------------------------------------------

SEVERAL: dict[frozenset[str], type[Textbook]] = {
    frozenset({"scale-missing", "residual-inside"}): type("A", (Residual, ONE["scale-missing"]), {}),
    frozenset({"softmax-dim-query", "mask-after-softmax"}): type(
        "B",
        (Textbook,),
        {
            "masked": lambda self, scores, mask: (
                scores.softmax(-2) if mask is None else scores.softmax(-2) * mask[:, None]
            ),
            "weighed": lambda self, scores: scores,
        },
    ),
    frozenset({"output-projection-unused", "scale-missing"}): type("C", (OutputUnused, ONE["scale-missing"]), {}),
    frozenset({"heads-view-no-transpose", "merge-view-no-transpose"}): type("D", (Viewed, Unmoved), {}),
    frozenset({"softmax-twice", "scale-missing", "residual-inside"}): type(
        "E", (Residual, ONE["softmax-twice"], ONE["scale-missing"]), {}
    ),
    frozenset({"merge-view-no-transpose", "scale-missing", "mask-fill-zero"}): type(
        "F", (Unmoved, ONE["scale-missing"], ONE["mask-fill-zero"]), {}
    ),
    frozenset({"no-projections", "heads-not-split"}): type("G", (NothingProjected, OneBigHead), {}),
    frozenset({"mask-off-by-one-no-self", "value-uses-key"}): type("H", (LooksOnlyBack, ValuesAreKeys), {}),
    frozenset({"mask-off-by-one-no-self", "no-projections"}): type("I", (LooksOnlyBack, NothingProjected), {}),
}


@pytest.mark.parametrize("names", SEVERAL, ids=lambda names: " + ".join(sorted(names)))
def test_several_mistakes_at_once_are_each_proven(names: frozenset[str]) -> None:
    found = diagnose(SEVERAL[names])

    assert proven(found) == claims(found) == names


# -- the same function -------------------------------------------------------------------------------------------------


def test_whether_keys_or_queries_are_missing_nobody_can_tell_so_both_are_named() -> None:
    found = diagnose(RawKeys)

    (missing,) = [each for each in found.findings if each.certainty == "proven"]
    assert {missing.id, *missing.alternatives} == {"key-not-projected", "query-not-projected"}


def test_ways_to_spoil_every_row_that_has_something_to_hide_are_named_together() -> None:
    found = diagnose(with_mask(lambda scores, mask: scores.masked_fill(~mask, math.inf)))

    (spoiled,) = [each for each in found.findings if each.certainty == "proven"]
    assert {spoiled.id, *spoiled.alternatives} == {"mask-fill-positive-inf", "mask-after-softmax"}


# -- not a mistake that is known ---------------------------------------------------------------------------------------


class Temperature(Textbook):
    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, num_heads, dropout)
        self.warmth = nn.Parameter(torch.ones(()))

    def scored(self, scores: Tensor) -> Tensor:
        return scores * self.warmth


class Rotary(Textbook):
    def split(self, projected: Tensor) -> Tensor:
        heads = super().split(projected)
        seq, width = heads.shape[-2:]
        even = width // 2 * 2  # of an odd width, the last feature is not turned
        angles = torch.arange(seq)[:, None] * 10.0 ** -torch.linspace(0, 2, even // 2)
        one, other, rest = heads[..., : even // 2], heads[..., even // 2 : even], heads[..., even:]
        cos, sin = angles.cos().to(heads), angles.sin().to(heads)
        return torch.cat((one * cos - other * sin, one * sin + other * cos, rest), -1)

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, _ = super().projected(x)
        return query, key, Textbook.split(self, self.value(x))


class Halved(Textbook):
    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return 0.5 * output


class Decayed(Textbook):
    """Without a mask it is right; under one, what is hidden still has a tenth of its weight."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        plain = super().forward(x)
        return plain if mask is None else 0.9 * super().forward(x, mask) + 0.1 * plain


UNKNOWN = [
    (Temperature, "several tokens", ""),
    (Rotary, "several tokens", "Reordering the tokens"),
    (Halved, "one token", ""),
    (Decayed, "mask", "masked out still have an influence"),
]


@pytest.mark.parametrize(("made", "begins", "fact"), UNKNOWN, ids=lambda each: getattr(each, "__name__", ""))
def test_of_what_is_not_known_nothing_is_claimed_but_where_it_begins(
    made: type[Textbook], begins: str, fact: str
) -> None:
    found = diagnose(made)

    assert claims(found) == set()
    assert not found.correct
    assert found.begins == begins
    assert fact in found.fact
    assert bool(found.fact) == bool(fact)


# -- what is beside the mathematics ------------------------------------------------------------------------------------


class InAList(nn.Module):
    """Heads in a plain list: right, or with another scale."""

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, *, divisor: float | None = None) -> None:
        super().__init__()
        width = embed_dim // num_heads
        self.heads = [nn.ModuleList([nn.Linear(embed_dim, width) for _ in range(3)]) for _ in range(num_heads)]
        self.divisor = math.sqrt(width) if divisor is None else divisor
        self.out, self.dropout = nn.Linear(embed_dim, embed_dim), nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        done = []
        for head in self.heads:
            query, key, value = (layer(x) for layer in head)
            scores = query @ key.mT / self.divisor
            if mask is not None:
                scores = scores.masked_fill(mask == 0, -math.inf)
            done.append(self.dropout(scores.softmax(-1)) @ value)
        return self.out(torch.cat(done, -1))  # type: ignore[no-any-return]


class InAListUnscaled(InAList):
    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__(embed_dim, num_heads, dropout, divisor=1.0)


def test_heads_in_a_plain_list_are_diagnosed_all_the_same() -> None:
    right, wrong = diagnose(InAList), diagnose(InAListUnscaled)

    assert claims(right) == {"heads-python-list"}
    assert right.correct
    assert {each.id: each.certainty for each in wrong.findings} == {
        "scale-missing": "proven",
        "heads-python-list": "observed",
    }


class OneWidth(ONE["scale-missing"]):  # type: ignore[misc, valid-type]
    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        if embed_dim != 24:
            raise ValueError("only 24")
        super().__init__(embed_dim, num_heads, dropout)


def test_a_module_of_one_width_is_diagnosed_at_that() -> None:
    found = diagnose(OneWidth)

    assert claims(found) == {"scale-missing", "hard-coded-size"}
    assert proven(found) == {"scale-missing"}


class WithoutMask(nn.Module):
    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.inner = ONE["softmax-dim-head"](embed_dim, num_heads, dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)  # type: ignore[no-any-return]


def test_a_module_that_takes_no_mask_is_diagnosed_without() -> None:
    found = diagnose(WithoutMask)

    assert claims(found) == {"softmax-dim-head"}
    assert found.match is not None
    assert found.match.way is None
    assert found.bench is not None
    assert "positional argument" in found.bench.refusal


class Raises(Textbook):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")


class Tupled(Textbook):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Any:
        return super().forward(x, mask), torch.zeros(3)


def no_module(embed_dim: int, num_heads: int) -> nn.Module:
    raise TypeError("no")


@pytest.mark.parametrize("made", [Raises, no_module])
def test_what_does_not_answer_has_no_diagnosis(made: Callable[..., nn.Module]) -> None:
    found = diagnose(made)

    assert (found.findings, found.begins, found.correct, found.match, found.bench) == ((), "", False, None, None)


def test_the_output_is_found_in_a_tuple() -> None:
    assert diagnose(Tupled).correct


@cache
def first_diagnosis(made: type[Textbook]) -> Diagnosis:
    return diagnose(made)


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("made", [Textbook, ONE["softmax-replaced"], Halved, type("D", (Viewed, Unmoved), {})])
def test_the_diagnosis_is_the_same_for_any_seed(made: type[Textbook], seed: int) -> None:
    once, again = first_diagnosis(made), diagnose(made, seed=seed)

    assert [(each.id, each.certainty, each.alternatives) for each in again.findings] == [
        (each.id, each.certainty, each.alternatives) for each in once.findings
    ]
    assert (again.begins, again.fact, again.correct) == (once.begins, once.fact, once.correct)


def test_the_values_of_the_module_are_those_it_was_asked_with() -> None:
    found = diagnose(ONE["scale-missing"])

    assert found.bench is not None
    again = found.bench.subject(found.bench.plain.x)
    assert torch.equal(again, found.bench.plain.output)
