"""However the parameters are kept, they are read as the same projections: from gradients of right code, from those of
wrong code, and without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from grader.attention.experiment import perform
from grader.attention.layouts import layouts
from grader.attention.projections import Layout, elements
from grader.attention.subject import LocalSubject

EMBED, HEADS, WIDTH = 24, 4, 6
Values = Mapping[str, Tensor]


class Attention(nn.Module):
    """Attention whose parameters are kept as a subclass likes; `axis` is what its softmax runs over."""

    axis = -1

    def __init__(self) -> None:
        super().__init__()
        self.keep()
        self.out = nn.Linear(EMBED, EMBED)

    def keep(self) -> None:
        raise NotImplementedError

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.projected(x)  # (batch, heads, seq, d)
        weights = (query @ key.mT / WIDTH**0.5).softmax(self.axis)
        return self.last((weights @ value).transpose(1, 2).flatten(2))

    def last(self, merged: Tensor) -> Tensor:
        return self.out(merged)  # type: ignore[no-any-return]


def split(projected: Tensor) -> Tensor:
    return projected.unflatten(-1, (HEADS, WIDTH)).transpose(1, 2)


class Separate(Attention):
    def keep(self) -> None:
        self.query, self.key, self.value = (nn.Linear(EMBED, EMBED) for _ in range(3))

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return split(self.query(x)), split(self.key(x)), split(self.value(x))


class Fused(Attention):
    def keep(self) -> None:
        self.all = nn.Linear(EMBED, 3 * EMBED)


class Stacked(Fused):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = self.all(x).chunk(3, -1)
        return split(query), split(key), split(value)


class HeadByHead(Fused):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = self.all(x).unflatten(-1, (HEADS, 3 * WIDTH)).transpose(1, 2).chunk(3, -1)
        return query, key, value


class FeatureByFeature(Fused):
    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = self.all(x).unflatten(-1, (EMBED, 3)).unbind(-1)
        return split(query), split(key), split(value)


class KeysWithValues(Attention):
    def keep(self) -> None:
        self.query, self.both = nn.Linear(EMBED, EMBED), nn.Linear(EMBED, 2 * EMBED)

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        key, value = self.both(x).chunk(2, -1)
        return split(self.query(x)), split(key), split(value)


class Lists(Attention):
    def keep(self) -> None:
        self.query, self.key, self.value = (
            nn.ModuleList([nn.Linear(EMBED, WIDTH) for _ in range(HEADS)]) for _ in range(3)
        )

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = (
            torch.stack([layer(x) for layer in each], 1) for each in (self.query, self.key, self.value)
        )
        return query, key, value


class Heads(Attention):
    def keep(self) -> None:
        self.heads = nn.ModuleList(
            [nn.ModuleDict({name: nn.Linear(EMBED, WIDTH) for name in ("q", "k", "v")}) for _ in range(HEADS)]
        )

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = (torch.stack([head[name](x) for head in self.heads], 1) for name in ("q", "k", "v"))
        return query, key, value


class Matrices(Attention):
    """x @ W: the other way round than a layer's, which matters to nobody but the reader of the parameters."""

    def keep(self) -> None:
        self.wq, self.wk, self.wv = (nn.Parameter(torch.empty(EMBED, EMBED)) for _ in range(3))

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return split(x @ self.wq), split(x @ self.wk), split(x @ self.wv)

    def last(self, merged: Tensor) -> Tensor:
        return merged @ self.out.weight


class Cubes(Attention):
    def keep(self) -> None:
        self.w = nn.Parameter(torch.empty(3, HEADS, EMBED, WIDTH))

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = torch.einsum("bte,rhed->rbhtd", x, self.w).unbind(0)
        return query, key, value


def linear(values: Values, *names: str) -> list[tuple[Tensor, Tensor]]:
    return [(values[f"{name}.weight"], values[f"{name}.bias"]) for name in names]


def joined(values: Values, *names: str) -> list[tuple[Tensor, Tensor]]:
    """For q, k and v the layers of all heads, one after the other."""
    found = []
    for name in names:
        rows, biases = zip(*linear(values, *(name.format(head) for head in range(HEADS))), strict=True)
        found.append((torch.cat(rows), torch.cat(biases)))
    return found


def unbiased(*rows: Tensor) -> list[tuple[Tensor, Tensor]]:
    return [(each, torch.zeros(EMBED, dtype=torch.float64)) for each in rows]


def cut(values: Values, how: Callable[[Tensor], tuple[Tensor, ...]]) -> list[tuple[Tensor, Tensor]]:
    rows, biases = how(values["all.weight"]), how(values["all.bias"][:, None])
    return [(row, bias[:, 0]) for row, bias in zip(rows, biases, strict=True)]


@dataclass(frozen=True)
class Kept:
    """A way to keep parameters, and how whoever wrote it would read them: rows and biases of query, key, value."""

    made: type[Attention]
    read: Callable[[Values], list[tuple[Tensor, Tensor]]]


def head_by_head(table: Tensor) -> tuple[Tensor, ...]:
    return tuple(table.view(HEADS, 3, WIDTH, -1)[:, number].flatten(0, 1) for number in range(3))


KEPT = {
    "separate": Kept(Separate, lambda values: linear(values, "query", "key", "value")),
    "stacked": Kept(Stacked, lambda values: cut(values, lambda table: table.chunk(3))),
    "head by head": Kept(HeadByHead, lambda values: cut(values, head_by_head)),
    "feature by feature": Kept(
        FeatureByFeature, lambda values: cut(values, lambda table: tuple(table[number::3] for number in range(3)))
    ),
    "keys with values": Kept(
        KeysWithValues,
        lambda values: [
            *linear(values, "query"),
            *zip(values["both.weight"].chunk(2), values["both.bias"].chunk(2), strict=True),
        ],
    ),
    "lists": Kept(Lists, lambda values: joined(values, "query.{}", "key.{}", "value.{}")),
    "heads": Kept(Heads, lambda values: joined(values, "heads.{}.q", "heads.{}.k", "heads.{}.v")),
    "matrices": Kept(Matrices, lambda values: unbiased(*(values[name].T for name in ("wq", "wk", "wv")))),
    "cubes": Kept(Cubes, lambda values: unbiased(*values["w"].mT.flatten(1, 2))),
}


def read(made: type[Attention], *, gradients: bool = True) -> tuple[Values, tuple[Layout, ...]]:
    """A module's values, and the ways to read them."""
    generator = torch.Generator().manual_seed(1)
    subject = LocalSubject(made(), embed_dim=EMBED, num_heads=HEADS, generator=generator)
    experiment = None
    if gradients:
        experiment = perform(
            subject.values, subject.probe, embed_dim=EMBED, num_heads=HEADS, generator=torch.Generator().manual_seed(2)
        )
        assert experiment is not None
    return subject.values, layouts(subject.values, experiment, embed_dim=EMBED, num_heads=HEADS)


def is_read(layout: Layout, values: Values, expected: list[tuple[Tensor, Tensor]], columns: Tensor) -> bool:
    """Whether a layout has these projections in this order, and this output projection."""
    flat = elements(values)
    if len(layout.blocks) != len(expected) or layout.output is None:
        return False
    biases = values.get("out.bias")
    blocks = all(
        torch.equal(flat[block.rows], rows) and torch.equal(flat[block.biases].sum(-1), bias)
        for block, (rows, bias) in zip(layout.blocks, expected, strict=True)
    )
    added = torch.equal(flat[layout.output.biases].sum(-1), torch.zeros(EMBED) if biases is None else biases)
    return blocks and added and torch.equal(flat[layout.output.columns], columns)


def columns_of(made: type[Attention], values: Values) -> Tensor:
    return values["out.weight"] if made is Matrices else values["out.weight"].T


def without_a_bias(made: type[Attention]) -> type[Attention]:
    """`Matrices` has an output layer whose bias is not used."""
    if made is not Matrices:
        return made

    class Unbiased(made):  # type: ignore[misc, valid-type]
        def keep(self) -> None:
            super().keep()

        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(EMBED, EMBED, bias=False)

    return Unbiased


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT.keys())
def test_of_right_code_every_row_is_known_and_in_its_place(kept: Kept) -> None:
    values, found = read(without_a_bias(kept.made))

    assert found[0].sure
    assert is_read(found[0], values, kept.read(values), columns_of(kept.made, values))
    assert not found[0].finding


@pytest.mark.parametrize("axis", [0, 1, -2], ids=["over the batch", "over the heads", "over the queries"])
@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT.keys())
def test_of_wrong_code_one_of_the_ways_is_what_was_meant(kept: Kept, axis: int) -> None:
    values, found = read(type("Wrong", (without_a_bias(kept.made),), {"axis": axis}))

    expected, columns = kept.read(values), columns_of(kept.made, values)
    assert sum(is_read(layout, values, expected, columns) for layout in found) >= 1
    assert len({layout.name for layout in found}) == len(found) <= 16


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT.keys())
def test_without_gradients_one_of_the_ways_is_what_was_meant(kept: Kept) -> None:
    values, found = read(without_a_bias(kept.made), gradients=False)

    expected, columns = kept.read(values), columns_of(kept.made, values)
    assert sum(is_read(layout, values, expected, columns) for layout in found) >= 1
    assert not any(layout.sure for layout in found)


@pytest.mark.parametrize("kept", KEPT.values(), ids=KEPT.keys())
def test_a_layout_keeps_its_name_at_another_size(kept: Kept) -> None:
    """A match at one size is looked up at the other by its name."""
    _, once = read(kept.made)
    _, again = read(kept.made)

    assert [layout.name for layout in once] == [layout.name for layout in again]


def test_a_query_that_gets_no_gradient_is_still_a_block() -> None:
    class Detached(Separate):
        def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            query, key, value = super().projected(x)
            return query.detach(), key, value

    values, found = read(Detached)

    (meant,) = [each for each in found if is_read(each, values, KEPT["separate"].read(values), values["out.weight"].T)]
    assert [block.idle for block in meant.blocks] == [True, False, False]
    assert meant.blocks[0].paths == ("query.weight",)


def test_an_output_layer_that_is_not_used_is_one_way_and_none_is_another() -> None:
    class Unused(Separate):
        def last(self, merged: Tensor) -> Tensor:
            return merged

    values, found = read(Unused)

    with_layer = [layout for layout in found if layout.output is not None]
    assert found[0].sure
    assert all(layout.output is not None and layout.output.idle for layout in with_layer)
    assert is_read(with_layer[0], values, KEPT["separate"].read(values), values["out.weight"].T)
    assert any(layout.output is None and len(layout.blocks) == 3 for layout in found)


def test_behind_a_learned_norm_rows_and_the_norm_are_read() -> None:
    class Normed(Separate):
        def keep(self) -> None:
            self.norm = nn.LayerNorm(EMBED)
            super().keep()

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(self.norm(x))

    values, found = read(Normed)

    meant = [each for each in found if is_read(each, values, KEPT["separate"].read(values), values["out.weight"].T)]
    assert meant
    assert meant[0].affine is not None
    flat = elements(values)
    assert torch.equal(flat[meant[0].affine[0]], values["norm.weight"])
    assert torch.equal(flat[meant[0].affine[1]], values["norm.bias"])


class Small(Attention):
    """Layers as wide as a head, which all heads share."""

    def keep(self) -> None:
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query(split(x)), self.key(split(x)), self.value(split(x))


def test_a_small_layer_that_all_heads_share_is_a_block_along_the_diagonal() -> None:
    values, found = read(Small)

    flat = elements(values)
    diagonal = [torch.block_diag(*[values[f"{name}.weight"]] * HEADS) for name in ("query", "key", "value")]
    biases = [values[f"{name}.bias"].repeat(HEADS) for name in ("query", "key", "value")]
    meant = [
        layout
        for layout in found
        if is_read(layout, values, list(zip(diagonal, biases, strict=True)), values["out.weight"].T)
    ]
    assert [layout.finding for layout in meant] == ["heads-share-weights"]
    assert bool((flat[meant[0].blocks[0].rows][:WIDTH, WIDTH:] == 0).all())


def test_one_head_of_full_width_for_all_is_read_as_the_same_rows_for_every_head() -> None:
    class Shared(Attention):
        def keep(self) -> None:
            self.query, self.key, self.value = (nn.Linear(EMBED, WIDTH) for _ in range(3))

        def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            query, key, value = (
                each(x)[:, None].expand(-1, HEADS, -1, -1) for each in (self.query, self.key, self.value)
            )
            return query, key, value

    values, found = read(Shared)

    (meant,) = [layout for layout in found if layout.name.startswith("one head for all")]
    flat = elements(values)
    assert torch.equal(flat[meant.blocks[0].rows], values["query.weight"].repeat(HEADS, 1))
    assert torch.equal(flat[meant.blocks[2].biases].sum(-1), values["value.bias"].repeat(HEADS))


def test_heads_as_wide_as_the_tokens_are_read_at_their_full_width() -> None:
    class Wide(Attention):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(HEADS * EMBED, EMBED)

        def keep(self) -> None:
            self.query, self.key, self.value = (nn.Linear(EMBED, HEADS * EMBED) for _ in range(3))

        def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            query, key, value = (
                each(x).unflatten(-1, (HEADS, EMBED)).transpose(1, 2) for each in (self.query, self.key, self.value)
            )
            return query, key, value

    values, found = read(Wide)

    assert found[0].sure
    assert is_read(found[0], values, linear(values, "query", "key", "value"), values["out.weight"].T)


def test_a_module_without_parameters_has_one_way_and_nothing_in_it() -> None:
    found = layouts({}, None, embed_dim=EMBED, num_heads=HEADS)

    assert [(layout.name, layout.blocks, layout.output) for layout in found] == [("nothing", (), None)]


def test_elements_end_with_nothing_and_one() -> None:
    flat = elements({"a": torch.ones(2, 3), "b": torch.full((2,), 5.0)})

    assert flat.tolist() == [1.0] * 6 + [5.0] * 2 + [0.0, 1.0]
    assert flat.dtype is torch.float64
