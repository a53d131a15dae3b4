"""What a submission's own process says of the torch functions it calls, compared with what its source shows.

The trace is made where student code runs, so it proves nothing: it is told to the instructor, and changes no points.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import torch

from grader import wire
from grader.checks.faults import Fault, Raised, place
from grader.errors import WireError
from grader.examiner.adapting import contract_names
from grader.examiner.attention import Attention
from grader.examiner.session import Session
from grader.examiner.student import Student
from grader.forbidden import forbidden_name
from grader.model import Flag
from grader.orders import Course, Order

CONFIG: Final = {"embed_dim": 24, "num_heads": 4}
"""What most checks build with too, so that a module may be standing ready."""

SHAPE: Final = (2, 5)


def traced_flags(course: Course, order: Order, session: Session) -> tuple[Flag, ...]:
    """Have the module called once in each mode; a flag for each forbidden function that the source does not show.

    Where the source shows one, what it comes to inside says nothing more.
    """
    if not course.forbid or order.policy_hits:
        return ()
    found: dict[str, Flag] = {}
    for traced in traces(course, session):
        for step in traced.steps:
            name = forbidden_step(step, course.forbid)
            if name is not None:
                found.setdefault(name, _flag(name, step))
    return tuple(found.values())


def traces(course: Course, session: Session) -> Iterator[wire.Traced]:
    """What is called in eval mode, and in train mode; library code takes different ways then. Nothing on a fault."""
    wanted = contract_names(course.contract.construct)
    with suppress(Fault, WireError):
        session.begin_check()
        generator = torch.Generator().manual_seed(11)
        student = Student(session, course.contract, generator)
        attention = student(**{name: value for name, value in CONFIG.items() if name in wanted})
        for training in (False, True):
            if training:
                attention.train()
            with suppress(Raised):
                yield trace(attention)


def trace(attention: Attention) -> wire.Traced:
    """The torch calls of one small call. Raises `Fault`, or `WireError` for what is no sound trace."""
    traced = attention.trace(torch.ones(*SHAPE, attention.embed_dim))
    wire.check_trace(traced)
    return traced


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
