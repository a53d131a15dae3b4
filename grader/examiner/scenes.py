"""What was known when student code raised, or returned the wrong shape; and the same once more at other sizes.

One message shows numbers, and most numbers can stand for several things. So the class is built and called once more,
where heads, features, samples and tokens are all different: what a number stands for must then fit both messages, and
a number that has not changed is written in the code. Where the second call goes well, the first is repeated on a newly
built module. If that goes well too, but no more once that module was called at other sizes, it keeps something from
earlier calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import Tensor

from grader.attention import draw_tokens
from grader.checks.faults import Raised, WrongResult
from grader.examiner.adapting import contract_names, plan_call
from grader.examiner.answers import Unfit, wrong_result
from grader.examiner.attention import Attention
from grader.examiner.session import Session
from grader.examiner.sizes import CallSizes, other_than
from grader.examiner.student import Student, shapes_key
from grader.model import Contract

Shape = tuple[int, ...]

PATIENCE: Final = 2.0
"""Seconds for doing the same once more. It has just been done, so it takes no longer unless something is odd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One call that went wrong.

    Attributes:
        fault: how.
        sizes: what it was built for, and called with.
        mask: the shape of the mask that was handed in, if one was.
        weights: the shapes of the module's matrices.
        inputs: what the student calls the tensors that forward gets.
    """

    fault: Raised | WrongResult
    sizes: CallSizes
    mask: Shape | None = None
    weights: tuple[Shape, ...] = ()
    inputs: frozenset[str] = frozenset()

    def count(self, one: int | None, other: int | None) -> int:
        """How many matrices it has between so many features and so many, whichever way round they are stored."""
        return sum(set(shape) == {one, other} for shape in self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What went wrong, and how the same went elsewhere.

    Attributes:
        here: the call that is to be explained.
        there: the same at other sizes; None where it was not tried, went well, or ended otherwise.
        is_kept: whether the very same call goes well, but not after another: something is kept from that.
    """

    here: Scene
    there: Scene | None = None
    is_kept: bool = False


def scene_of(fault: Raised | WrongResult, session: Session, contract: Contract, config: dict[str, float]) -> Scene:
    """What is known about a call of a module, built like this, that has ended with this fault."""
    shapes = fault.shapes if isinstance(fault, Raised) else (fault.wanted,)
    embed = _whole(config.get("embed_dim"))
    x = next((shape for shape in shapes if len(shape) in (2, 3) and shape[-1] == embed), ())
    mask = next((shape for shape in shapes if shape and shape != x), None)
    batch, seq = (x[0], x[1]) if len(x) == 3 else (None, x[0] if x else None)
    weights = session.memory.get(shapes_key(config)) or {}
    return Scene(
        fault=fault,
        sizes=CallSizes(embed=embed, heads=_whole(config.get("num_heads")), batch=batch, seq=seq),
        mask=mask,
        weights=tuple(shape for shape in weights.values() if len(shape) == 2),
        inputs=frozenset(_inputs(session, contract)),
    )


def investigate(scene: Scene, session: Session, contract: Contract) -> Case:
    """Have the same done at other sizes; if that goes well, find out whether an earlier call stands in the way.

    Raises:
        Fault: the code took too long, or ended its process.
    """
    config, stage = session.memory.get("config", {}), _Stage(scene, session, contract)
    other = other_than(scene.sizes)
    try:
        there = stage.again(other)
        is_kept = there is None and scene.sizes.seq is not None and stage.is_spoiled_by(other)
        return Case(here=scene, there=there, is_kept=is_kept)
    finally:
        session.memory["config"] = config


class _Stage:
    """Where a scene is played again, each time with a newly built module."""

    def __init__(self, scene: Scene, session: Session, contract: Contract) -> None:
        self._scene = scene
        self._session = session
        self._contract = contract
        self._wanted = contract_names(contract.construct)

    def again(self, sizes: CallSizes, *, before: CallSizes | None = None) -> Scene | None:
        """The scene that the same call makes at these sizes; None when it goes well.

        With `before`, the module is called at those sizes first; None also when that does not go well.
        """
        config = {"embed_dim": sizes.embed, "num_heads": sizes.heads}
        chosen = {name: value for name, value in config.items() if name in self._wanted and value is not None}
        self._session.begin_check(at_most=PATIENCE)
        try:
            student = Student(self._session, self._contract, torch.Generator())
            attention = student.for_trial(batched=sizes.batch is not None or sizes.seq is None, **chosen)
            if before is not None and not self._goes_well(attention, before):
                return None
            answer = self._call(attention, sizes)
        except (Raised, WrongResult) as fault:
            return scene_of(fault, self._session, self._contract, {**chosen})
        if answer is None or isinstance(answer, Tensor):
            return None
        return scene_of(wrong_result(answer), self._session, self._contract, {**chosen})

    def is_spoiled_by(self, other: CallSizes) -> bool:
        """Whether the very same call goes well with a new module, and wrong once it was called at other sizes."""
        sizes = self._scene.sizes
        if self.again(sizes) is not None:
            return False
        spoiled = self.again(sizes, before=replace(sizes, batch=other.batch, seq=other.seq))
        return spoiled is not None and spoiled.fault.where == self._scene.fault.where

    def _goes_well(self, attention: Attention, sizes: CallSizes) -> bool:
        try:
            return isinstance(self._call(attention, sizes), Tensor)
        except (Raised, WrongResult):
            return False

    def _call(self, attention: Attention, sizes: CallSizes) -> Tensor | Unfit | None:
        """What it returns at these sizes; None where the scene was no call."""
        if sizes.seq is None or sizes.embed is None:
            return None
        x = draw_tokens(sizes.batch or 1, sizes.seq, sizes.embed, torch.Generator().manual_seed(13))
        return attention.answer(x, _mask_like(self._scene, sizes))


def _mask_like(scene: Scene, sizes: CallSizes) -> Tensor | None:
    """A mask that hides nothing, of the shape that the scene's mask would have at these sizes."""
    if scene.mask is None or sizes.seq is None:
        return None
    known = {scene.sizes.batch: sizes.batch, scene.sizes.seq: sizes.seq}
    return torch.ones([known.get(size) or size for size in scene.mask], dtype=torch.bool)


def _inputs(session: Session, contract: Contract) -> Iterator[str]:
    if session.opened is None:
        return
    yield from (parameter.name for parameter in session.opened.call if parameter.name == "x")
    with suppress(WrongResult):
        plan = plan_call(session.opened.call, contract.call)
        yield from (name for wanted, name in plan.renamed if wanted == "x")


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
