"""Self-attention with a method for every step, so that a mistake is one method that does something else."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from grader.attention.reference import Weights
from grader.attention.subject import Factory, LocalSubject, NoAnswer, Subject


class Textbook(nn.Module):
    """Right in every step, dropout on the attention weights included."""

    def __init__(self, embed_dim: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.heads, self.rate = num_heads, dropout
        self.query, self.key, self.value, self.out = (nn.Linear(embed_dim, embed_dim) for _ in range(4))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.tokens(x)
        query, key, value = self.projected(x)
        scores = self.scored(query @ key.mT * self.scale(query))
        weights = self.weighed(self.masked(scores, mask))
        mixed = self.merged(self.dropped(weights) @ value)
        return self.finished(self.out(self.received(mixed)), x)

    def tokens(self, x: Tensor) -> Tensor:
        return x

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))

    def split(self, projected: Tensor) -> Tensor:
        batch, seq, embed = projected.shape
        return projected.view(batch, seq, self.heads, embed // self.heads).transpose(1, 2)

    def scale(self, query: Tensor) -> float:
        return float(query.shape[-1] ** -0.5)

    def scored(self, scores: Tensor) -> Tensor:
        return scores

    def masked(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        return scores if mask is None else scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)

    def weighed(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)

    def dropped(self, weights: Tensor) -> Tensor:
        return self.dropout(weights)  # type: ignore[no-any-return]

    def merged(self, heads: Tensor) -> Tensor:
        return heads.transpose(1, 2).flatten(2)

    def received(self, mixed: Tensor) -> Tensor:
        return mixed

    def finished(self, output: Tensor, x: Tensor) -> Tensor:
        return output


def factory(made: Callable[..., nn.Module], *, heads: bool = True, seed: int = 0) -> Factory:
    """Builds subjects of a class of modules, or of a function that makes them."""
    generator = torch.Generator().manual_seed(seed)

    def build(embed_dim: int, num_heads: int, *, dropout: float = 0.0) -> LocalSubject:
        sizes = (embed_dim, num_heads) if heads else (embed_dim,)
        try:
            module = made(*sizes, dropout=dropout)
            return LocalSubject(module, embed_dim=embed_dim, num_heads=num_heads, generator=generator)
        except NoAnswer:
            raise
        except Exception as error:
            raise NoAnswer(str(error)) from None

    return build


def read(subject: Subject) -> Weights:
    """The values of a `Textbook` in their roles."""
    values, heads, embed = subject.values, subject.num_heads, subject.embed_dim

    def projection(name: str) -> Tensor:
        return values[f"{name}.weight"].view(heads, embed // heads, embed)

    def bias(name: str) -> Tensor:
        return values[f"{name}.bias"].view(heads, embed // heads)

    return Weights(
        query=projection("query"),
        key=projection("key"),
        value=projection("value"),
        output=values["out.weight"].view(embed, heads, embed // heads).transpose(0, 1),
        query_bias=bias("query"),
        key_bias=bias("key"),
        value_bias=bias("value"),
        output_bias=values["out.bias"],
    )


class Counted:
    """A factory that counts the calls of all its subjects."""

    def __init__(self, build: Factory) -> None:
        self._build = build
        self.calls = 0

    def __call__(self, embed_dim: int, num_heads: int, *, dropout: float = 0.0) -> Any:
        subject = self._build(embed_dim, num_heads, dropout=dropout)
        counting = self

        class Counting:
            def __getattr__(self, name: str) -> Any:
                return getattr(subject, name)

            def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
                counting.calls += 1
                return subject(x, mask)

        return Counting()
