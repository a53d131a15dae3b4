"""The fixtures that checks ask for: `student`, `draw` and `policy`."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from grader.attention import TOLERANCE, causal_mask, draw_mask, draw_tokens, has_power, padding_mask, relative_error
from grader.checks.faults import Fault
from grader.errors import GraderError
from grader.examiner.attention import Attention
from grader.examiner.session import Session
from grader.examiner.student import Student
from grader.model import Contract, Loading, PolicyHit


@dataclass(frozen=True)
class Sitting:
    """What the checks are looking at just now: one submission, its contract, and the seed of all its inputs."""

    session: Session
    contract: Contract
    policy_hits: tuple[PolicyHit, ...]
    seed: str


@dataclass(frozen=True)
class Loaded:
    """How much of a submission's own code was run before it was graded, and why not all of it."""

    loading: Loading
    note: str


class Draw:
    """Random inputs, fresh for every submission and check, the same at every regrade.

    Attributes:
        generator: for whatever is not offered here.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def tokens(self, batch: int, seq: int, embed: int) -> Tensor:
        """Standard normal tokens: `(batch, seq, embed)`, float64."""
        return draw_tokens(batch, seq, embed, self.generator)

    def telling_tokens(self, attention: Attention, batch: int, seq: int, mask: Tensor | None = None) -> Tensor:
        """Tokens on which the usual mistakes would show clearly with the weights this module has loaded."""
        weights = attention.weights
        for _ in range(20):
            x = self.tokens(batch, seq, int(attention.config["embed_dim"]))
            if has_power(x, weights, mask, tolerance=1e-6):
                return x
        raise GraderError("no telling input was found in 20 draws")

    def tokens_of_equal_value(self, attention: Attention, batch: int, seq: int) -> Tensor:
        """Tokens of a sample that all carry the same value but meet each other with different scores.

        They differ only in directions that the value projections do not see. Where that cannot be arranged, because the
        parameters are in no known roles, a sample repeats one token.

        Returns:
            `(batch, seq, embed)`.
        """
        same = self.tokens(batch, 1, attention.embed_dim).expand(batch, seq, -1).clone()
        direction = attention.give_all_values_one_direction(self.generator)
        if direction is None:
            return same
        noise = self.tokens(batch, seq, attention.embed_dim)
        x = same + noise - (noise @ direction)[..., None] * direction
        alone = attention(x.reshape(batch * seq, 1, -1)).double().view(batch, seq, -1)
        equal = relative_error(alone, alone[:, :1].expand_as(alone)) <= TOLERANCE[attention.dtype]
        return x if equal else same

    def mask(self, batch: int, seq: int) -> Tensor:
        """Random visibility, another one for each sample: `(batch, seq, seq)`, bool; every token sees itself."""
        return draw_mask(batch, seq, self.generator)

    def causal_mask(self, batch: int, seq: int) -> Tensor:
        """Each token sees itself and those before it: `(batch, seq, seq)`, bool."""
        return causal_mask(seq).expand(batch, seq, seq).clone()

    def padding_mask(self, lengths: tuple[int, ...], seq: int) -> Tensor:
        """Sample i has `lengths[i]` real tokens, the rest is padding: `(batch, seq, seq)`, bool."""
        return padding_mask(torch.tensor(lengths), seq, expand=True)

    def indivisible(self) -> tuple[int, int]:
        """An embedding width and a number of heads that cannot share it evenly."""
        heads, features, rest = (int(torch.randint(1, 5, (), generator=self.generator)) for _ in range(3))
        return (heads + 2) * (features + 2) + min(rest, heads + 1), heads + 2

    def noise_like(self, x: Tensor) -> Tensor:
        """Standard normal numbers in the shape and dtype of `x`."""
        return torch.randn(x.shape, dtype=x.dtype, generator=self.generator)


class Fixtures:
    """A pytest plugin: gives each check its own generator and its stand-in for the student's class.

    Attributes:
        sitting: set before checks run.
    """

    sitting: Sitting
    _item: str

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Remember which check it is. (pytest's `request` fixture says so too, but costs a tenth of a submission.)"""
        self._item = item.name

    @pytest.fixture
    def student(self) -> Iterator[Student]:
        """Builds the student's module."""
        self.sitting.session.begin_check()
        student = Student(self.sitting.session, self.sitting.contract, self._generator("weights"))
        yield student
        student.give_back()

    @pytest.fixture
    def draw(self) -> Draw:
        """Draws inputs."""
        return Draw(self._generator("inputs"))

    def _generator(self, purpose: str) -> torch.Generator:
        """A generator seeded from the submission, the check and what it is for."""
        name = f"{self.sitting.seed}:{self._item}:{purpose}"
        digest = hashlib.sha256(name.encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))

    @pytest.fixture
    def loaded(self) -> Loaded:
        """How the submission was loaded."""
        session = self.sitting.session
        with contextlib.suppress(Fault):  # whoever asks for more than this meets it again
            session.open()
        return Loaded(session.loading, session.loading_note)

    @pytest.fixture
    def policy_hits(self) -> tuple[PolicyHit, ...]:
        """Forbidden functions that the graded code calls."""
        return self.sitting.policy_hits
