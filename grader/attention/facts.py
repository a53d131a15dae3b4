"""What is true of every self-attention, asked of a module: where no mistake has a name, it says how the output differs.

Nothing is compared with a reference, so it does not matter what the module's parameters are for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Final

import torch
from torch import Generator, Tensor

from grader.attention.bench import FIRST_SIZE
from grader.attention.comparison import relative_error
from grader.attention.drawing import causal_mask, draw_tokens
from grader.attention.subject import NoAnswer, Subject

SAME: Final = 1e-5
"""The relative difference of outputs that are the same, in float32 as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Whether what is true of self-attention is true of a module; None where it did not answer.

    Attributes:
        samples_apart: a sample gets in a batch what it gets alone.
        tokens_meet: a token's output depends on other tokens.
        sees_all: without a mask, it depends on later tokens.
        order_free: reordering the tokens reorders the outputs.
        weights_sum_to_one: copies of one token receive what it receives alone.
        mask_matters: an output under a mask is not the output without.
        hidden_silent: tokens that nobody may attend to can hold anything.
        future_silent: under a causal mask, what comes later can hold anything.
        first_alone: under a causal mask, the first token gets what it gets alone.
    """

    samples_apart: bool | None = None
    tokens_meet: bool | None = None
    sees_all: bool | None = None
    order_free: bool | None = None
    weights_sum_to_one: bool | None = None
    mask_matters: bool | None = None
    hidden_silent: bool | None = None
    future_silent: bool | None = None
    first_alone: bool | None = None

    @property
    def beginning(self) -> str:
        """The first thing that is not true of the module, as a sentence; empty where there is none."""
        wrong = [field.name for field in fields(self) if getattr(self, field.name) is False]
        return SENTENCES[wrong[0]] if wrong else ""


SENTENCES: Final = MappingProxyType(
    {
        "samples_apart": "Samples of a batch influence each other.",
        "tokens_meet": "No token's output depends on another token.",
        "sees_all": "Without any mask, no token's output depends on the tokens after it.",
        "order_free": "Reordering the tokens changes more than the order of the outputs.",
        "weights_sum_to_one": "Copies of one token do not receive what the token receives alone: the weights over the"
        " keys do not sum to one.",
        "mask_matters": "A mask changes nothing.",
        "hidden_silent": "Tokens that are masked out still have an influence.",
        "future_silent": "Under a causal mask, tokens have an influence on the outputs before them.",
        "first_alone": "Under a causal mask, the first token does not get what it gets alone.",
    }
)
"""What it means that a fact is not true, in the order in which attention is computed."""


def gather(subject: Subject, generator: Generator) -> Facts:
    """Ask a module about everything, in 13 calls; one that is not repeatable, or does not answer with numbers, says
    nothing."""
    asked = _Asked(subject, draw_tokens(FIRST_SIZE.batch, FIRST_SIZE.seq, subject.embed_dim, generator), generator)
    try:
        if not same(subject(asked.x), asked.plain) or not bool(asked.plain.isfinite().any()):
            return Facts()
    except NoAnswer:
        return Facts()
    return Facts(**{name: _answer(ask, asked) for name, ask in _QUESTIONS.items()})


def weights_sum_to_one(subject: Subject, tokens: Tensor) -> bool:
    """Whether copies of a token receive what it receives alone. Raises `NoAnswer`.

    Args:
        subject: the module.
        tokens: `(batch, 1, embed)`.
    """
    return same(subject(tokens.expand(-1, 5, -1).contiguous())[:, :1], subject(tokens))


class _Asked:
    """A module and an input, with the answers that several questions share."""

    def __init__(self, subject: Subject, x: Tensor, generator: Generator) -> None:
        self.ask = subject
        self.x = x
        self.generator = generator
        self.causal = causal_mask(x.shape[1]).expand(len(x), -1, -1).contiguous()
        self.later = torch.cat((x[:, :3], 2.0 * draw_tokens(len(x), x.shape[1] - 3, x.shape[2], generator)), dim=1)
        self._answers: dict[str, Tensor] = {}

    @property
    def plain(self) -> Tensor:
        """Without a mask."""
        return self._once("plain", lambda: self.ask(self.x))

    @property
    def masked(self) -> Tensor:
        """Under a causal mask."""
        return self._once("masked", lambda: self.ask(self.x, self.causal))

    def _once(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        if name not in self._answers:
            self._answers[name] = make()
        return self._answers[name]


def _answer(question: Callable[[_Asked], bool | None], asked: _Asked) -> bool | None:
    try:
        return question(asked)
    except (NoAnswer, IndexError):  # an answer of another shape is none
        return None


def _samples_apart(asked: _Asked) -> bool:
    return same(asked.ask(asked.x[1:2]), asked.plain[1:2])


def _tokens_meet(asked: _Asked) -> bool:
    """The first token is changed as well as the last ones, for modules that look one way only."""
    other = torch.cat((draw_tokens(len(asked.x), 1, asked.x.shape[2], asked.generator), asked.later[:, 1:]), dim=1)
    return not same(asked.ask(other)[:, 1:3], asked.plain[:, 1:3])


def _sees_all(asked: _Asked) -> bool:
    return not same(asked.ask(asked.later)[:, :3], asked.plain[:, :3])


def _order_free(asked: _Asked) -> bool:
    order = torch.tensor([2, 4, 0, 3, 1])
    return same(asked.ask(asked.x[:, order]), asked.plain[:, order])


def _sums_to_one(asked: _Asked) -> bool:
    return weights_sum_to_one(asked.ask, asked.x[:, :1])


def _mask_matters(asked: _Asked) -> bool:
    return not same(asked.masked, asked.plain)


def _hidden_silent(asked: _Asked) -> bool | None:
    """Each sample hides two tokens of its own; what they receive themselves is nobody's business."""
    batch, seq, embed = asked.x.shape
    hidden = torch.zeros(batch, seq, dtype=torch.bool)
    for sample in range(batch):
        hidden[sample, [(sample + 1) % seq, (sample + 3) % seq]] = True
    mask = (~hidden)[:, None].expand(batch, seq, seq).contiguous()
    other = torch.where(hidden[..., None], 3.0 * draw_tokens(batch, seq, embed, asked.generator), asked.x)
    before, after = asked.ask(asked.x, mask), asked.ask(other, mask)
    return same(after[~hidden], before[~hidden]) if before.shape == asked.x.shape == after.shape else None


def _future_silent(asked: _Asked) -> bool:
    return same(asked.ask(asked.later, asked.causal)[:, :3], asked.masked[:, :3])


def _first_alone(asked: _Asked) -> bool:
    return same(asked.masked[:, :1], asked.ask(asked.x[:, :1]))


_QUESTIONS: Final = MappingProxyType(
    {
        "samples_apart": _samples_apart,
        "tokens_meet": _tokens_meet,
        "sees_all": _sees_all,
        "order_free": _order_free,
        "weights_sum_to_one": _sums_to_one,
        "mask_matters": _mask_matters,
        "hidden_silent": _hidden_silent,
        "future_silent": _future_silent,
        "first_alone": _first_alone,
    }
)


def same(actual: Tensor, expected: Tensor) -> bool:
    """Whether two outputs are the same, nan in the same places included."""
    if actual.shape != expected.shape:
        return False
    if not torch.equal(actual.isfinite(), expected.isfinite()):
        return False
    finite = expected.isfinite()
    return relative_error(actual.where(finite, 0.0), expected.where(finite, 0.0)) <= SAME
