"""An invented class, as large as one likes: the same for the same seed, and as mixed as real ones are.

Nobody's code is run for it. Each submission has a hidden ability; what it fails follows from that and from how hard a
check is, checks that wait for a failed one are blocked, and what failed has a finding of the catalogue, a line, the
lines around it and, where it is about attention, pictures of the weights.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec

from grader.catalogue import CATALOGUE
from grader.model import (
    Assignment,
    Attempt,
    AttentionPicture,
    Certainty,
    Change,
    Changes,
    CheckGrade,
    CheckResult,
    CheckSpec,
    Cohort,
    Contract,
    Excerpt,
    Finding,
    Flag,
    Grade,
    HiddenFeedback,
    IgnoredFile,
    Isolation,
    IsolationLevel,
    Likeness,
    Limits,
    Outcome,
    Place,
    Policy,
    Status,
)

CONCEPTS = ("construction", "shape", "attention", "softmax", "scaling", "masking", "heads", "dropout", "gradients")
FIRST = (
    "amara",
    "aroha",
    "bjorn",
    "chen",
    "dimitra",
    "dmitri",
    "esra",
    "fatima",
    "goran",
    "hana",
    "ines",
    "ingrid",
    "jamal",
    "keiko",
    "kwame",
    "leilani",
    "liam",
    "marisol",
    "mateo",
    "minjun",
    "nia",
    "olga",
    "priya",
    "quang",
    "ravi",
    "siobhan",
    "sofia",
    "tariq",
    "tomasz",
    "ulrike",
    "wanjiru",
    "yusuf",
    "zainab",
)
LAST = (
    "abe",
    "berg",
    "costa",
    "diaz",
    "eze",
    "fuchs",
    "gruber",
    "huang",
    "ito",
    "jansen",
    "khan",
    "lund",
    "mbeki",
    "novak",
    "okafor",
    "petrov",
)
CODE = (
    "    def forward(self, x, mask=None):",
    "        batch, seq, embed = x.shape",
    "        q, k, v = self.query(x), self.key(x), self.value(x)",
    "        scores = q @ k.transpose(-2, -1) / math.sqrt(self.embed_dim)",
    "        if mask is not None:",
    '            scores = scores.masked_fill(mask == 0, float("-inf"))',
    "        return torch.softmax(scores, dim=-1) @ v",
)
SEALED = Isolation(level=IsolationLevel.SEALED)
TOKENS = ("The", "cat", "sat", "on", "the", "mat")
MISTAKES = [entry for entry in CATALOGUE.values() if not entry.informative][:30]
HARMLESS = [entry for entry in CATALOGUE.values() if entry.informative][:4]


def classroom(students: int, checks: int, seed: int = 1) -> Cohort:
    """A cohort of so many students, all of whom handed in for one assignment of so many checks."""
    dice = random.Random(seed)
    assignment = _assignment(checks)
    grades = tuple(_grade(dice, student, assignment) for student in _names(dice, students))
    return Cohort(
        grader="0.1.0",
        torch="2.13.0",
        isolation=SEALED,
        assignments=(assignment,),
        grades=grades,
        finished="2026-03-14T15:09:26+01:00",
        likenesses=tuple(_likenesses(dice, assignment, grades)),
        changes=_changes(dice, grades),
    )


def _names(dice: random.Random, students: int) -> list[str]:
    names: set[str] = set()
    while len(names) < students:
        name = f"{dice.choice(FIRST)}-{dice.choice(LAST)}"
        names.add(name if name not in names else f"{name}-{dice.randrange(100)}")
    return sorted(names)


def _assignment(checks: int) -> Assignment:
    specs: list[CheckSpec] = []
    for number in range(checks):
        concept = CONCEPTS[number * len(CONCEPTS) // checks]
        specs.append(
            CheckSpec(
                id=f"test_{concept}.py::test_{number}",
                title=f"What number {number + 1} of these says about {concept} holds for every input that is drawn.",
                concept=concept,
                points=(0.25, 0.5, 1.0)[number % 3],
                hidden=number % 3 > 0,
                after=(specs[number - 1 - number % 4].id,) if number > 4 else (),
            )
        )
    return Assignment(
        id="multi-head-attention",
        title="Multi-head self-attention",
        folder=Path("assignments/multi-head-attention"),
        reference=Path("solutions/multi-head-attention/reference.py"),
        entry="MultiHeadSelfAttention",
        aliases=(),
        contract=Contract(construct="embed_dim, num_heads, dropout=0.0", call="x, mask=None"),
        limits=Limits(),
        policy=Policy(),
        hidden_feedback=HiddenFeedback.DIAGNOSIS,
        checks=tuple(specs),
        digest="a" * 64,
    )


def _grade(dice: random.Random, student: str, assignment: Assignment) -> Grade:
    if dice.random() < 0.02:
        return _absent(dice, student, assignment)
    ability = dice.gauss(1.2, 1.2)
    outcomes: dict[str, CheckResult] = {}
    for number, spec in enumerate(assignment.checks):
        outcomes[spec.id] = _result(dice, ability, number, len(assignment.checks), spec, outcomes)
    results = tuple(outcomes.values())
    checks = tuple(
        CheckGrade(spec=spec, result=outcomes[spec.id], points=spec.points * _earns(outcomes[spec.id]))
        for spec in assignment.checks
    )
    findings = tuple(_findings(dice, [result for result in results if result.outcome in SAID]))
    failed_us = any(result.outcome is Outcome.INTERNAL for result in results)
    return Grade(
        student=student,
        assignment=assignment.id,
        status=Status.NEEDS_ATTENTION if failed_us else Status.GRADED,
        points=sum(check.points for check in checks),
        max_points=assignment.max_points,
        checks=checks,
        attempt=Attempt(
            key="k" * 64,
            student=student,
            assignment=assignment.id,
            results=results,
            findings=findings,
            flags=FLAGS if dice.random() < 0.02 else (),
            pictures=tuple(_pictures(dice)) if any(not finding.informative for finding in findings) else (),
            excerpts=(Excerpt(file="attention.py", first=20, lines=CODE),),
            isolation=SEALED,
            output="in  torch.Size([2, 5, 24])\nout torch.Size([2, 5, 24])\n",
            seconds=0.21,
        ),
        files=("attention.py",),
        ignored=(IgnoredFile(path="notes.txt", reason="not Python or a notebook"),) if dice.random() < 0.05 else (),
        digest=f"{dice.getrandbits(256):064x}",
    )


def _absent(dice: random.Random, student: str, assignment: Assignment) -> Grade:
    status = dice.choice((Status.MISSING, Status.REJECTED))
    reason = "No file defines MultiHeadSelfAttention." if status is Status.MISSING else "The archive is damaged."
    return Grade(
        student=student,
        assignment=assignment.id,
        status=status,
        points=0.0,
        max_points=assignment.max_points,
        reason=reason,
    )


SAID = frozenset({Outcome.FAILED, Outcome.ERRORED, Outcome.TIMED_OUT, Outcome.KILLED, Outcome.INTERNAL})
WHERE = Place(file="attention.py", line=23, source=CODE[3].strip(), function="forward")
FLAGS = (
    Flag(
        id="forbidden-api", message="`torch.nn.MultiheadAttention` is named in a string that is executed.", where=WHERE
    ),
)


def _result(
    dice: random.Random, ability: float, number: int, checks: int, spec: CheckSpec, before: dict[str, CheckResult]
) -> CheckResult:
    waits = next((id_ for id_ in spec.after if before[id_].outcome is not Outcome.PASSED), None)
    if waits is not None:
        return CheckResult(check=spec.id, outcome=Outcome.BLOCKED, blocked_by=before[waits].blocked_by or waits)
    hard = 2.5 * math.sin(number * 1.7) - 2.5 if number else -9.0
    if number == checks - 1 or dice.random() < 1 / (1 + math.exp(hard - ability)):
        return CheckResult(check=spec.id, outcome=Outcome.PASSED, seconds=0.004)
    outcome = dice.choices(
        (Outcome.FAILED, Outcome.ERRORED, Outcome.TIMED_OUT, Outcome.KILLED, Outcome.INTERNAL), (80, 14, 4, 1, 1)
    )[0]
    message = f"The output differs from the reference by up to {dice.random():.2g} (allowed: 1e-06)."
    return CheckResult(check=spec.id, outcome=outcome, message=message, where=WHERE, seconds=0.004)


def _earns(result: CheckResult) -> bool:
    return result.outcome in (Outcome.PASSED, Outcome.INTERNAL)


def _findings(dice: random.Random, failed: list[CheckResult]) -> Iterator[Finding]:
    chosen = [MISTAKES[min(int(dice.expovariate(0.2)), len(MISTAKES) - 1)] for _ in failed[:3]]
    noted = [dice.choice(HARMLESS)] if dice.random() < 0.2 else []
    for number, entry in enumerate([*dict.fromkeys(chosen), *noted]):
        yield Finding(
            id=entry.id,
            certainty=Certainty.PROVEN if dice.random() < 0.6 else Certainty.OBSERVED,
            title=entry.title,
            explanation=entry.explanation,
            check=failed[number].check if number < len(failed) else None,
            where=WHERE,
            evidence={"relative error": 1.2e-12, "scores are multiplied by": "1/sqrt(embed_dim)"},
            informative=entry.informative,
        )


def _pictures(dice: random.Random) -> Iterator[AttentionPicture]:
    for masked in (False, True):
        yield AttentionPicture(
            tokens=TOKENS,
            masked=masked,
            student=tuple(_weights(dice, masked) for _ in range(2)),
            expected=tuple(_weights(dice, masked) for _ in range(2)),
        )


def _weights(dice: random.Random, masked: bool) -> tuple[tuple[float | None, ...], ...]:
    rows = []
    for query in range(len(TOKENS)):
        raw = [0.0 if masked and key > query else dice.random() for key in range(len(TOKENS))]
        rows.append(tuple(round(value / sum(raw), 4) for value in raw))
    return tuple(rows)


def _likenesses(dice: random.Random, assignment: Assignment, grades: tuple[Grade, ...]) -> Iterator[Likeness]:
    for _ in range(len(grades) // 40):
        pair = tuple(sorted(grade.student for grade in dice.sample(grades, 2)))
        yield Likeness(
            assignment=assignment.id, students=pair, similarity=dice.choice((1.0, 0.97, 0.91, 0.88)), size=190
        )


def _changes(dice: random.Random, grades: tuple[Grade, ...]) -> Changes:
    changes = [
        Change(
            student=grade.student,
            assignment=grade.assignment,
            before=max(grade.points - dice.choice((-1.5, 0.5, 2.0, 4.0)), 0.0),
            after=grade.points,
            edited=dice.random() < 0.9,
            gained=tuple(check.spec.title for check in grade.checks[: dice.randrange(4)]),
            gone=(dice.choice(MISTAKES).title,),
        )
        for grade in grades
        if grade.attempt and dice.random() < 0.08
    ]
    different = [change for change in changes if change.before != change.after]
    ordered = tuple(sorted(different, key=lambda change: -abs(change.difference)))
    return Changes(since="2026-03-13T18:00:00+01:00", changes=ordered, edited=12, added=3, removed=1)


def shrunk(cohort: Cohort, students: int) -> Cohort:
    """The same class with only its first students."""
    return msgspec.structs.replace(cohort, grades=cohort.grades[:students])
