"""How a class did, in numbers: pure functions from grades to the values of `grader.model.overview`.

What is counted is work that was examined. Who handed nothing in, or nothing that can be read, says nothing about an
assignment. Where the grader itself failed in a check, nothing is known about it, and it is left out there.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from grader.model import Assignment, CheckStatistics, Finding, Grade, Mistake, Outcome, Spread

BINS: Final = 11
"""Ten tenths of the points, and full marks."""

ENOUGH: Final = 15
"""Submissions from which on a correlation is told; with fewer, its sign is a matter of chance."""

_FULL: Final = 1 - 1e-9


def spread(assignment: Assignment, grades: Iterable[Grade]) -> Spread:
    """How the points of one assignment are spread, of all its grades in a cohort."""
    own = [grade for grade in grades if grade.assignment == assignment.id]
    points = sorted(grade.points for grade in own if grade.attempt is not None)
    shares = [each / assignment.max_points if assignment.max_points else 0.0 for each in points]
    bins = Counter(BINS - 1 if share >= _FULL else min(max(int(share * (BINS - 1)), 0), BINS - 2) for share in shares)
    lower, median, upper = quartiles(points)
    return Spread(
        assignment=assignment.id,
        title=assignment.title,
        max_points=assignment.max_points,
        graded=len(points),
        absent=len(own) - len(points),
        full=bins[BINS - 1],
        mean=statistics.fmean(points) if points else 0.0,
        median=median,
        lower=lower,
        upper=upper,
        bins=tuple(bins[index] for index in range(BINS)),
    )


def quartiles(ordered: Sequence[float]) -> tuple[float, float, float]:
    """The values below which a quarter, half and three quarters of the values lie; 0 where there are none."""
    if not ordered:
        return 0.0, 0.0, 0.0
    if len(ordered) == 1:
        return ordered[0], ordered[0], ordered[0]
    lower, median, upper = statistics.quantiles(ordered, n=4, method="inclusive")
    return lower, median, upper


def check_statistics(assignment: Assignment, grades: Iterable[Grade]) -> tuple[CheckStatistics, ...]:
    """How each check of an assignment did, in the assignment's order."""
    examined = [grade for grade in grades if grade.assignment == assignment.id and grade.attempt is not None]
    seen: dict[str, list[tuple[Outcome, float]]] = {spec.id: [] for spec in assignment.checks}
    for grade in examined:
        for check in grade.checks:
            if check.spec.id in seen:
                seen[check.spec.id].append((check.result.outcome, grade.points - check.points))
    return tuple(
        CheckStatistics(
            number=number,
            spec=spec,
            counts=dict(Counter(outcome for outcome, _ in seen[spec.id])),
            discrimination=_discrimination(seen[spec.id]),
        )
        for number, spec in enumerate(assignment.checks, 1)
    )


def _discrimination(seen: Iterable[tuple[Outcome, float]]) -> float | None:
    known = [(outcome is Outcome.PASSED, rest) for outcome, rest in seen if outcome is not Outcome.INTERNAL]
    if len(known) < ENOUGH:
        return None
    return point_biserial([passed for passed, _ in known], [rest for _, rest in known])


def point_biserial(passed: Sequence[bool], rest: Sequence[float]) -> float | None:
    """Pearson's correlation of yes and no with a number, (m1 - m0) / s * sqrt(p * (1 - p)); None without variation."""
    share = sum(passed) / len(passed) if passed else 0.0
    deviation = statistics.pstdev(rest) if rest else 0.0
    if not 0 < share < 1 or deviation < 1e-9:
        return None
    with_it = statistics.fmean(value for value, yes in zip(rest, passed, strict=True) if yes)
    without = statistics.fmean(value for value, yes in zip(rest, passed, strict=True) if not yes)
    return (with_it - without) / deviation * math.sqrt(share * (1 - share))


def mistakes(assignment: Assignment, grades: Iterable[Grade]) -> tuple[Mistake, ...]:
    """The findings of an assignment with who has them, those of most students first; the informative ones last."""
    owners: dict[str, list[str]] = {}
    first: dict[str, Finding] = {}
    for grade in grades:
        if grade.assignment == assignment.id and grade.attempt is not None:
            for finding in grade.attempt.findings:
                first.setdefault(finding.id, finding)
                students = owners.setdefault(finding.id, [])
                if grade.student not in students[-1:]:
                    students.append(grade.student)
    found = [
        Mistake(id=id_, title=first[id_].title, informative=first[id_].informative, students=tuple(students))
        for id_, students in owners.items()
    ]
    return tuple(sorted(found, key=lambda each: (each.informative, -len(each.students), each.id)))
