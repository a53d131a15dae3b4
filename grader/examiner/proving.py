"""Which mistakes a failing submission makes: `grader.attention.diagnosis`, asked about a module in another process.

Passing submissions are never asked. What is found is claimed as far as it is proven or plain to see; a line is pointed
at by what the submission's process says it called, which proves nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from grader.attention import TOLERANCE
from grader.attention.diagnosis import Diagnosis, diagnose_subjects, draw_questions
from grader.attention.exposure import (
    TOKENS,
    can_be_read,
    example_mask,
    expected_weights,
    exposed_weights,
    layout_weights,
)
from grader.attention.findings import Named
from grader.attention.probes import same_at_birth
from grader.attention.subject import NoAnswer, has_numbers
from grader.attention.variants import IDENTITY
from grader.checks.faults import Fault, Killed, TimedOut
from grader.examiner.adapting import contract_names
from grader.examiner.answers import Unfit, first_tensor
from grader.examiner.attention import Attention
from grader.examiner.explaining import finding
from grader.examiner.pointing import is_implicit_softmax, locate
from grader.examiner.session import Session
from grader.examiner.student import Student
from grader.examiner.tracing import SMALL, tracer
from grader.model import AttentionPicture, Certainty, CheckResult, Finding, Flag, Outcome
from grader.orders import Course

BEGINNINGS: Final = {
    "one token": "The output differs from the reference already for a single token, where attention has no choice: the"
    " way from the values to the output is another. It is not a mistake that is known.",
    "several tokens": "For a single token the output is right, for several it differs from the reference: scores,"
    " softmax or heads. It is not a mistake that is known.",
    "mask": "Without a mask the output is explained, under a mask it differs from the reference. It is not a mistake"
    " that is known.",
}
"""Where the output begins to differ when no name is proven, in words for the student."""

UNFINISHED: Final = frozenset({Outcome.FAILED, Outcome.ERRORED})
EXPLAIN_ALL: Final = frozenset(
    {"mask-stale-cache", "parameters-made-in-forward", "not-repeatable", "answers-depend-on-history", "hard-coded-size"}
)
"""Facts by which an output differs in ways that no formula explains."""
SOFTMAX_AXES: Final = frozenset({"softmax-dim-query", "softmax-dim-head", "softmax-dim-batch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a diagnosis says of one submission; `unexplained` is empty, or where an unknown difference begins."""

    findings: tuple[Finding, ...] = ()
    unexplained: str = ""
    pictures: tuple[AttentionPicture, ...] = ()
    flags: tuple[Flag, ...] = ()


class RemoteSubject:
    """A prepared module of the student's, as the diagnosis wants to see it."""

    def __init__(self, attention: Attention, num_heads: int) -> None:
        self.attention = attention
        self.embed_dim = attention.embed_dim
        self.num_heads = num_heads
        self.wrote_to_input = False  # checks look at these
        self.is_narrow = False
        self.unregistered: tuple[str, ...] = ()

    @property
    def values(self) -> Mapping[str, Tensor]:
        """What was loaded last, by path."""
        return self.attention.values

    def load(self, values: Mapping[str, Tensor]) -> None:
        """Set its learnable tensors."""
        with _Answering():
            self.attention.load(values)

    def train(self) -> None:
        """Switch to training mode."""
        with _Answering():
            self.attention.train()

    def eval(self) -> None:
        """Switch to evaluation mode."""
        with _Answering():
            self.attention.eval()

    def __call__(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The tensor of the shape of `x` in what it returns; else the first tensor there is."""
        with _Answering():
            answer = self.attention.answer(x, mask)
        found = first_tensor(answer.value) if isinstance(answer, Unfit) else answer
        if not isinstance(found, Tensor) or not has_numbers(found):
            raise NoAnswer("it returned no tensor")
        return found.double()

    def probe(self, x: Tensor, cotangents: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The output and all gradients, zeros where there are none."""
        with _Answering():
            return self.attention.probe(x, cotangents)


class _Answering:
    """Turns a fault into `NoAnswer`; not those by which the process is lost."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Fault) and not isinstance(error, TimedOut | Killed):
            raise NoAnswer(error.message) from None


def prepare(course: Course) -> None:
    """Draw what all submissions to a course are asked, before there are any."""
    draw_questions(heads=_has_heads(course), generator=_generator())


def prove(course: Course, session: Session, results: tuple[CheckResult, ...]) -> Proof:
    """Diagnose a submission of which a check has failed."""
    if not any(result.outcome in UNFINISHED for result in results):
        return Proof()
    heads = _has_heads(course)
    student = Student(session, course.contract, torch.Generator().manual_seed(7))

    def build(embed_dim: int, num_heads: int, *, dropout: float = 0.0) -> RemoteSubject:
        session.begin_check()
        sizes = {"embed_dim": embed_dim, **({"num_heads": num_heads} if heads else {})}
        with _Answering():
            return RemoteSubject(student(**sizes, **({"dropout": dropout} if dropout else {})), num_heads)

    try:
        session.begin_check()
        with _Answering():
            tolerance = TOLERANCE[student(**{"embed_dim": 24, **({"num_heads": 4} if heads else {})}).dtype]
        found = diagnose_subjects(build, heads=heads, generator=_generator(), tolerance=tolerance)
        session.begin_check()
        named = (*found.findings, *_at_birth(student, heads=heads))
        return Proof(
            findings=tuple(_finding(each, course, session) for each in named),
            unexplained=""
            if {each.id for each in found.findings} & EXPLAIN_ALL
            else f"{BEGINNINGS.get(found.begins, '')} {found.fact}".strip(),
            pictures=tuple(_pictures(found)),
        )
    except (Fault, NoAnswer):
        return Proof()


def _at_birth(student: Student, *, heads: bool) -> tuple[Named, ...]:
    """Whether two modules come from the constructor with the same random weights."""
    sizes = {"embed_dim": 24, **({"num_heads": 4} if heads else {})}
    try:
        with _Answering():
            first, second = student.as_built(**sizes), student.as_built(**sizes)
            for module in (first, second):
                module.eval()
            x = torch.randn(2, 5, 24, generator=_generator())
            found = same_at_birth(lambda each: first(each).float(), lambda each: second(each).float(), x)
    except NoAnswer:
        return ()
    return () if found is None else (found,)


def _has_heads(course: Course) -> bool:
    return "num_heads" in contract_names(course.contract.construct)


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(8)


def _finding(named: Named, course: Course, session: Session) -> Finding:
    """A mistake as a finding, with the line that a trace of the calls points at."""
    alternatives = named.alternatives
    traces = tracer(course, session)
    traced = traces.trace(*SMALL)
    if named.id in SOFTMAX_AXES and traced is not None and is_implicit_softmax(traced):
        alternatives = ("softmax-dim-implicit", *alternatives)
    return finding(
        named.id,
        Certainty(named.certainty),
        where=locate(named.id, traces),
        evidence=named.evidence,
        alternatives=alternatives,
    )


# -- pictures ----------------------------------------------------------------------------------------------------------


def _pictures(found: Diagnosis) -> Iterator[AttentionPicture]:
    """The attention weights on the public example, without a mask and with one, where they are not as expected."""
    match, bench = found.match, found.bench
    if match is None or bench is None or found.correct or IDENTITY in match.variant.roles:
        return
    query, key, value = match.variant.roles
    if value in (query, key) or not can_be_read(match.variant):
        return
    roles = (query, key, value)
    for mask in (None, example_mask()):
        try:
            seen = exposed_weights(bench.subject, match.layout, value, mask)
        except NoAnswer:
            return
        if seen is None:
            return
        weights = layout_weights(match.layout, roles, bench.subject.values, bench.num_heads)
        expected = expected_weights(weights, bench.embed_dim, mask)
        if bool(((seen - expected).abs() < PICTURED).all()):
            continue
        yield AttentionPicture(
            tokens=TOKENS, masked=mask is not None, student=_numbers(seen), expected=_numbers(expected)
        )


PICTURED: Final = 1e-3
"""Differences below this cannot be seen in a picture."""


def _numbers(weights: Tensor) -> tuple[tuple[tuple[float | None, ...], ...], ...]:
    def number(each: float) -> float | None:
        return round(each, 4) + 0.0 if abs(each) < 1e6 else None  # nan is not less

    return tuple(tuple(tuple(map(number, row)) for row in head) for head in weights.tolist())
