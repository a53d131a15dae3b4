"""What a number in a message may stand for: the sizes of a call by the names that the assignment gives them.

A number alone proves little: with 2 samples of 5 tokens, 10 may be batch * seq, or a constant that somebody wrote.
Where the same was done once more at sizes that are all different, a name must fit both numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final

HEAD: Final = "embed_dim // num_heads"
PLAIN: Final = ("embed_dim", HEAD, "num_heads", "batch", "seq")
"""What stands for one size, and not for a product of several."""

OTHER_SIZES: Final = ((5, 7, 4, 6), (5, 9, 6, 8), (7, 5, 4, 9))
"""Heads, features of a head, samples and tokens for doing the same elsewhere; the products differ too."""


@dataclass(frozen=True, kw_only=True)
class CallSizes:
    """The sizes of one call; None for what it does not have.

    Attributes:
        embed: the embedding's width.
        heads: None where the contract knows no heads.
        batch: None where a single sample is handed in.
    """

    embed: int | None = None
    heads: int | None = None
    batch: int | None = None
    seq: int | None = None

    @property
    def head(self) -> int | None:
        """The features of one head, where there are several."""
        split = self.embed is not None and self.heads is not None and self.heads > 1
        return self.embed // self.heads if split and self.embed and self.heads else None

    @cached_property
    def named(self) -> dict[str, int]:
        """The numbers that these sizes make, by what they are called, the plain ones first."""
        heads = self.heads if self.head is not None else None
        plain = {"embed_dim": self.embed, HEAD: self.head, "num_heads": heads, "batch": self.batch, "seq": self.seq}
        made = {name: value for name, value in plain.items() if value is not None}
        for names in _PRODUCTS:
            factors = [_FIXED.get(name) or made.get(name) for name in names]
            if all(factors):
                made[" * ".join(f"({name})" if name == HEAD else name for name in names)] = prod(map(int, factors))  # type: ignore[arg-type]
        return made

    def names(self, number: int) -> frozenset[str]:
        """What the number may stand for."""
        return frozenset(name for name, value in self.named.items() if value == number)


_FIXED: Final = {"2": 2, "3": 3}
_PRODUCTS: Final = (
    ("num_heads", "embed_dim"),
    ("2", "embed_dim"),
    ("3", "embed_dim"),
    ("2", HEAD),
    ("3", HEAD),
    ("batch", "seq"),
    ("batch", "num_heads"),
    ("batch", "embed_dim"),
    ("batch", HEAD),
    ("seq", "num_heads"),
    ("seq", "embed_dim"),
    ("seq", HEAD),
    ("seq", "seq"),
    ("batch", "num_heads", "seq"),
    ("batch", "seq", HEAD),
    ("batch", "seq", "embed_dim"),
    ("batch", "seq", "num_heads", "embed_dim"),
    ("batch", "seq", "3", "embed_dim"),
    ("batch", "seq", "2", "embed_dim"),
    ("batch", "seq", "seq"),
    ("batch", "num_heads", "seq", "seq"),
)


@dataclass(frozen=True)
class Reader:
    """Reads numbers of one call, and of another at other sizes if there was one.

    Attributes:
        here: the sizes of the call that is explained.
        there: those of the other call; None where it was not made, or ended differently.
    """

    here: CallSizes
    there: CallSizes | None = None

    def names(self, number: int, other: int | None) -> frozenset[str]:
        """What a number here, which is `other` there, may stand for."""
        found = self.here.names(number)
        return found & self.there.names(other) if self.there is not None and other is not None else found

    def is_(self, name: str, number: int, other: int | None) -> bool:
        """Whether it can stand for nothing but this. Without another call, a plain name counts before a product."""
        found = self.names(number, other)
        if name not in found:
            return False
        return found == {name} or (other is None and not any(map(is_plain, found - {name})) and is_plain(name))

    def is_constant(self, number: int, other: int | None) -> bool:
        """Whether it is the same at other sizes, so that none of them can be in it."""
        return self.there is not None and number == other and not self.names(number, other)

    def say(self, number: int, other: int | None = None) -> str:
        """The number and what it may stand for: `24 (embed_dim)`."""
        found = [name for name in self.here.named if name in self.names(number, other)]
        plain = [name for name in found if is_plain(name)]
        shown = (plain or found)[:3] if other is None else found[:3]
        return f"{number} ({' or '.join(shown)})" if shown else str(number)


def is_plain(name: str) -> bool:
    """Whether a name stands for one size, and not for a product of several."""
    return name in PLAIN


def other_than(sizes: CallSizes) -> CallSizes:
    """CallSizes of which none, and no product of them, is one of these."""
    candidates = [_like(sizes, *numbers) for numbers in OTHER_SIZES]
    return min(candidates, key=lambda other: _coincidences(sizes, other))


def _like(sizes: CallSizes, heads: int, head: int, batch: int, seq: int) -> CallSizes:
    several = sizes.heads is not None and sizes.heads > 1
    return CallSizes(
        embed=None if sizes.embed is None else heads * head,
        heads=heads if several else sizes.heads,
        batch=None if sizes.batch is None else batch,
        seq=None if sizes.seq is None else seq,
    )


def _coincidences(one: CallSizes, other: CallSizes) -> int:
    same = sum(one.named[name] == other.named[name] for name in one.named.keys() & other.named.keys())
    return 100 * same + len(other.named) - len(set(other.named.values()))
