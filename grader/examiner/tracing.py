"""What a submission's own process says of the torch functions it calls, compared with what its source shows.

A trace is made where student code runs, so it proves nothing: it is told to the instructor, points a proven finding at
a line, counts what may be worth knowing, and changes no points.
"""

from __future__ import annotations

from typing import Final

import torch

from grader import wire
from grader.attention import padding_mask
from grader.checks.faults import Fault, Raised, place
from grader.errors import WireError
from grader.examiner.adapting import contract_names
from grader.examiner.attention import Attention
from grader.examiner.flow import Sizes
from grader.examiner.session import Session
from grader.examiner.student import Student
from grader.forbidden import forbidden_name
from grader.model import Flag
from grader.orders import Course, Order

CONFIG: Final = {"embed_dim": 24, "num_heads": 4}
"""What most checks build with too, so that a module may be standing ready."""

SMALL: Final = (2, 5)
LARGE: Final = (5, 13)
"""Samples and tokens of the usual calls. Within each, no two sizes are equal, nor equal to heads or features."""


class Tracer:
    """Has a submission's module called and traced, each way once, when somebody asks.

    Attributes:
        traced: what came of it so far, by samples, tokens, whether it was in training mode, and whether with a mask.
    """

    def __init__(self, course: Course, session: Session) -> None:
        self._wanted = contract_names(course.contract.construct)
        self._contract = course.contract
        self._session = session
        self._attention: Attention | None = None
        self._is_training = False
        self._has_failed = False
        self.traced: dict[tuple[int, int, bool, bool], wire.Traced | None] = {}

    def trace(self, batch: int, seq: int, *, training: bool = False, masked: bool = False) -> wire.Traced | None:
        """A sound trace of a call with so many samples and tokens, or None where none can be had."""
        way = (batch, seq, training, masked)
        if way not in self.traced:
            self.traced[way] = None if self._has_failed else self._trace(*way)
        return self.traced[way]

    def sizes(self, batch: int, seq: int) -> Sizes:
        """The sizes of such a call. One that does not take a batch gets one sample."""
        heads = CONFIG["num_heads"] if "num_heads" in self._wanted else 1
        is_batched = self._attention is None or self._attention.batched
        return Sizes(batch=batch if is_batched else 1, seq=seq, embed=CONFIG["embed_dim"], heads=heads)

    def _trace(self, batch: int, seq: int, training: bool, masked: bool) -> wire.Traced | None:
        x = torch.ones(batch, seq, CONFIG["embed_dim"])
        mask = padding_mask(torch.arange(batch) % seq + 1, seq, expand=True) if masked else None
        try:
            traced = self._in_mode(training).trace(x, mask)
            wire.check_trace(traced)
        except Raised:
            return None
        except (Fault, WireError):
            self._has_failed = True  # it would be so again, and may have taken long
            return None
        return traced

    def _in_mode(self, training: bool) -> Attention:
        if self._attention is None or self._attention.generation != self._session.generation:
            student = Student(self._session, self._contract, torch.Generator().manual_seed(11))
            self._attention = student(**{name: value for name, value in CONFIG.items() if name in self._wanted})
            self._is_training = False
        if training != self._is_training:
            (self._attention.train if training else self._attention.eval)()
            self._is_training = training
        return self._attention


def tracer(course: Course, session: Session) -> Tracer:
    """The one of this session."""
    found: Tracer = session.memory.setdefault("tracer", Tracer(course, session))
    return found


def traced_flags(course: Course, order: Order, session: Session) -> tuple[Flag, ...]:
    """Have the module called once in each mode; a flag for each forbidden function that the source does not show.

    Library code takes different ways in the two. Where the source shows one, what it comes to inside says nothing more.
    """
    if not course.forbid or order.policy_hits:
        return ()
    session.begin_check()
    found: dict[str, Flag] = {}
    for shape, training in ((SMALL, False), (LARGE, True)):
        traced = tracer(course, session).trace(*shape, training=training)
        for step in traced.steps if traced else ():
            name = forbidden_step(step, course.forbid)
            if name is not None:
                found.setdefault(name, _flag(name, step))
    return tuple(found.values())


def forbidden_step(step: wire.Step, forbid: tuple[str, ...]) -> str | None:
    """The forbidden function that a step is. An operator counts unless a public function stands for it: that one may be
    allowed, and come to the same."""
    name = forbidden_name(step.function, forbid)
    is_public = step.function.startswith("torch.") and "._" not in step.function
    if name is not None or (is_public and not step.function.startswith("torch.ops.")):
        return name
    operators = (f"torch.ops.{operator.replace('::', '.')}" for operator in (step.function, *step.operators))
    return next(filter(None, (forbidden_name(operator, forbid) for operator in operators)), None)


def _flag(name: str, step: wire.Step) -> Flag:
    where = place(() if step.frame is None else (step.frame,))
    at = ""
    if where is not None:
        at = f" (cell {where.cell}, line {where.line})" if where.cell else f" (line {where.line})"
    message = f"When called, it says it used {name}{at}, which the source does not show."
    return Flag(id="forbidden-call-traced", message=message, where=where)
