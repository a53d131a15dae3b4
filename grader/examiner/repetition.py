"""Asks a second worker some of what the first one has answered already, and tells whether it answers the same.

Theory of operation
-------------------
Code that knows it is being graded needs something to know it by: how often it was called, what it was asked first, how
long it has run, which process it runs in, how its inputs look. A second worker differs in all of these. It is another
process, with other random numbers, and it is asked recorded calls in another order, across modules, some of them twice.
A sample is enough where every check passed: what is right each time is right. Where one did not, every call is asked
again, since a few of the passed checks may have been won by answers that fit nowhere else. The order is drawn from the
submission's secret seed, as is the sample: a regrade repeats, and nobody can predict it. A few are also asked in single
precision, where the answer is the same but for rounding, because
what looks at the dtype of its input would otherwise be at home in the one that grading works in.

Correct code passes whatever it remembers, as long as that does not change its answers. So do most mistakes: they are
the same mistakes every time. Where answers differ, nothing is decided here. The examiner then runs all checks again, on
the worker that gave the other answers, insisting on each of them (`grader.examiner.insisting`), and the worse of both
results counts.

Answers are compared within the tolerance of the verdict: what is smaller decides no check. Calls with large inputs are
left out, since they magnify rounding, which may depend on where in memory a tensor begins.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import torch

from grader import tensors, wire
from grader.attention import TOLERANCE, relative_error
from grader.checks.faults import Fault, Killed, Raised
from grader.examiner.answers import decoded_array
from grader.examiner.record import Asked, Essence, Record, essence
from grader.examiner.session import Session
from grader.model import CheckSpec

CALLS: Final = 6
"""How many calls are repeated."""

TWICE: Final = 2
"""How many of them are asked a second time, of that many."""

BUILDS: Final = 2
"""How many modules are built for that; building one costs as much as several calls."""

NARROW: Final = 1
"""How many are also asked in single precision; each needs a module of its own."""

NARROW_TOLERANCE: Final = 1e-2
"""For single precision against double: far above what rounding does to calls with such inputs."""

TAME: Final = 16.0
"""The largest number in the input of a call that is repeated."""


@dataclass(frozen=True, slots=True)
class Repetition:
    """What came of asking again.

    Attributes:
        asked: how many questions were asked again.
        different: how many of them were answered differently.
        narrow_different: how many answers in single precision were something else than in double precision.
    """

    asked: int
    different: int
    narrow_different: int

    @property
    def agrees(self) -> bool:
        """Whether all answers were the same."""
        return not (self.different or self.narrow_different)


def repeat(record: Record, session: Session, dice: random.Random, *, in_doubt: bool = False) -> Repetition:
    """Ask the session's worker, a fresh one, a sample of the record; all of it when `in_doubt`.

    It may take as long as a submission may in all. Whoever is slower is asked as much as there is time for.
    """
    sample = choose(record.calls, dice, everything=in_doubt)
    order = [*sample, *dice.sample(sample, len(sample) * TWICE // CALLS)]
    dice.shuffle(order)
    until = time.monotonic() + session.seconds
    modules: dict[int, int] = {}
    asked = different = narrow_different = 0
    try:
        for each in order:
            number = modules.get(id(each.build))
            if number is None:
                number = modules[id(each.build)] = _built(session, each.build)
            asked += 1
            different += not agree(each.essence, _answer(session, number, each.call))
            if time.monotonic() > until:
                break
    except Fault:  # the first worker built it, and was not late, nor ended
        different += 1
    else:
        narrow_different = sum(_differs_when_narrow(session, each) for each in sample[:NARROW])
    return Repetition(asked, different, narrow_different)


def choose(calls: Sequence[Asked], dice: random.Random, *, everything: bool = False) -> list[Asked]:
    """A sample, of few different modules, or all that can be repeated; in an order of its own."""
    shuffled = [asked for asked in calls if _is_tame(asked.call)]
    dice.shuffle(shuffled)
    if everything:
        return shuffled
    builds = unique(asked.build for asked in shuffled)[:BUILDS]
    return [asked for asked in shuffled if any(asked.build is build for build in builds)][:CALLS]


def unique(builds: Iterator[wire.Build]) -> list[wire.Build]:
    """Each once, in the order of their first appearance. They are told apart by identity: comparing them is dear."""
    return list({id(build): build for build in builds}.values())


def agree(first: Essence, second: Essence) -> bool:
    """Whether two answers are the same: within the tolerance of their dtype, NaN equal to NaN, failures by kind."""
    if isinstance(first, str) or isinstance(second, str):
        return first == second
    return len(first) == len(second) and all(
        one.dtype == other.dtype and close(one, other, TOLERANCE.get(tensors.DTYPES[one.dtype], NARROW_TOLERANCE))
        for one, other in zip(first, second, strict=True)
    )


def close(first: wire.Array, second: wire.Array, tolerance: float) -> bool:
    """Whether two tensors hold the same numbers, up to a relative error."""
    if first.shape != second.shape:
        return False
    if first.data == second.data and first.dtype == second.dtype:
        return True
    try:
        one, other = decoded_array(first).double(), decoded_array(second).double()
    except Killed:
        return False
    finite = one.isfinite()
    if not torch.equal(finite, other.isfinite()):
        return False
    if not torch.equal(one[~finite].nan_to_num(), other[~finite].nan_to_num()):
        return False
    return relative_error(other[finite], one[finite]) <= tolerance


def reordered(specs: Sequence[CheckSpec], dice: random.Random) -> tuple[CheckSpec, ...]:
    """The checks in a random order in which each still comes after those it depends on."""
    waiting, done = list(specs), list[CheckSpec]()
    known = {spec.id for spec in specs}
    while waiting:
        placed = {spec.id for spec in done}
        ready = [spec for spec in waiting if placed >= known.intersection(spec.after)]
        chosen = dice.choice(ready or waiting)
        waiting.remove(chosen)
        done.append(chosen)
    return tuple(done)


def _is_tame(call: wire.Call) -> bool:
    arrays = (value for value in (*call.args, *call.kwargs.values()) if isinstance(value, wire.Array))
    tokens = (decoded_array(array) for array in arrays if array.data)
    return all(float(each.abs().max()) <= TAME for each in tokens if each.is_floating_point())


def _built(session: Session, build: wire.Build) -> int:
    session.begin_check()
    built: wire.Built = session.ask(lambda seconds: msgspec.structs.replace(build, seconds=seconds), wire.Built)
    return built.module


def _answer(session: Session, module: int, call: wire.Call) -> Essence:
    """What counts of the answer now. Raises `TimedOut` and `Killed`: then there is nobody left to ask."""
    session.begin_check()
    try:
        answer = session.ask(
            lambda seconds: msgspec.structs.replace(call, module=module, seconds=seconds), wire.Returned
        )
    except Raised as raised:
        return f"raised {raised.type}"
    return essence(call, answer)


def _differs_when_narrow(session: Session, asked: Asked) -> bool:
    """Whether the call has an answer in single precision too, but another one. That it has none has its own check."""
    if isinstance(asked.essence, str) or asked.build.dtype != "float64":
        return False
    values = {path: narrow_array(array) for path, array in asked.build.values.items()}
    build = msgspec.structs.replace(asked.build, dtype="float32", values=values)
    args, kwargs = map(_narrow, asked.call.args), {name: _narrow(each) for name, each in asked.call.kwargs.items()}
    call = msgspec.structs.replace(asked.call, args=tuple(args), kwargs=kwargs)
    try:
        answer = _answer(session, _built(session, build), call)
    except Raised:
        return False
    except Fault:
        return True
    if isinstance(answer, str) or len(answer) != len(asked.essence):
        return False
    return not all(close(wide, narrow, NARROW_TOLERANCE) for wide, narrow in zip(asked.essence, answer, strict=True))


def _narrow(value: wire.Value) -> wire.Value:
    return narrow_array(value) if isinstance(value, wire.Array) else value


def narrow_array(array: wire.Array) -> wire.Array:
    """The same numbers in single precision, if they are in double precision."""
    if array.dtype != "float64":
        return array
    narrowed = tensors.encode_tensor(decoded_array(array).float())
    assert isinstance(narrowed, wire.Array)
    return narrowed
