"""Gradescope: what it tells of a submission, and `results.json`, which it reads.

Every check of the assignment is a test there, whatever became of the submission, so that the points always sum up to
those of the assignment. Where Gradescope has another total, all points are stretched to it.

While any test is not visible to them, students do not see their total. So hidden checks are visible tests by default:
what is told about them was cut down to what the assignment says before (`hidden` under `[feedback]`). Where they are
withheld all the same, nothing that students can read counts them or tells of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

import msgspec

from grader.model import Assignment, CheckGrade, Cohort, Entity, Grade, Outcome
from grader.reports.markdown import student_comment
from grader.reports.texts import TEXTS
from grader.reports.views import student_view
from grader.reports.withholding import without_secrets
from grader.reports.wording import OUTCOME_NAMES, OUTCOME_SENTENCES, clip, place, visible
from grader.text import clean

FILE: Final = "results.json"

_LONGEST: Final = 4_000
_DECIMALS: Final = 4


class Visibility(StrEnum):
    """When students see a test."""

    VISIBLE = "visible"
    AFTER_DUE_DATE = "after_due_date"
    AFTER_PUBLISHED = "after_published"
    HIDDEN = "hidden"


class Delivery(Entity, frozen=True, kw_only=True):
    """What Gradescope says of a submission, as far as grading needs it.

    Attributes:
        students: their names; empty where none are known.
        total: the assignment's points there; None where they are not known.
    """

    students: tuple[str, ...] = ()
    total: float | None = None

    @property
    def name(self) -> str:
        """Whose submission it is, in a report."""
        return ", ".join(self.students) or "your submission"


def read_delivery(content: bytes) -> Delivery:
    """What `submission_metadata.json` says. What is empty, damaged or of another shape says nothing."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    metadata = found if isinstance(found, dict) else {}
    users = metadata.get("users")
    names = [user.get("name") for user in users if isinstance(user, dict)] if isinstance(users, list) else []
    assignment = metadata.get("assignment")
    total = assignment.get("total_points") if isinstance(assignment, dict) else None
    return Delivery(
        students=tuple(clean(name, limit=100, keep_newlines=False) for name in names if isinstance(name, str) and name),
        total=_positive(total),
    )


def render(
    cohort: Cohort, *, delivery: Delivery, hidden: Visibility = Visibility.VISIBLE, seconds: float = 0.0
) -> dict[str, bytes]:
    """The one file of this format, for the one grade of the cohort.

    Args:
        cohort: one student's grade on one assignment.
        delivery: what Gradescope said.
        hidden: when students see the tests of hidden checks.
        seconds: how long it took.
    """
    ((assignment,), (grade,)) = cohort.assignments, cohort.grades
    told = grade if hidden is Visibility.VISIBLE else without_hidden(grade, assignment)
    content = {
        "execution_time": round(seconds, 3),
        "output": student_comment(student_view(told, assignment)).decode(),
        "output_format": "md",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": Visibility.VISIBLE.value,
        "stdout_visibility": Visibility.HIDDEN.value,
        "tests": list(_tests(grade, assignment, delivery, hidden)),
        "extra_data": {
            "grader": cohort.grader,
            "torch": cohort.torch,
            "isolation": cohort.isolation.level.value,
            "status": grade.status.value,
            "digest": grade.digest,
        },
    }
    return {FILE: json.dumps(content, indent=2).encode() + b"\n"}


def without_hidden(grade: Grade, assignment: Assignment) -> Grade:
    """The grade as if there were no hidden checks: nothing in it counts them or follows from them."""
    public = {spec.id for spec in assignment.checks if not spec.hidden}
    checks = tuple(check for check in grade.checks if check.spec.id in public)
    attempt = grade.attempt
    if attempt is not None:
        attempt = msgspec.structs.replace(
            attempt,
            results=tuple(result for result in attempt.results if result.check in public),
            findings=tuple(finding for finding in attempt.findings if finding.check in public),
            second_look=None,
            unexplained="",
            pictures=(),
        )
    return msgspec.structs.replace(
        grade,
        checks=checks,
        attempt=attempt,
        points=sum(check.points for check in checks),
        max_points=sum(spec.points for spec in assignment.checks if spec.id in public),
    )


# -- tests -------------------------------------------------------------------------------------------------------------


def _tests(grade: Grade, assignment: Assignment, delivery: Delivery, hidden: Visibility) -> Iterator[dict[str, object]]:
    """A test for each check, numbered by its concept; of a submission that was not graded, none earns anything."""
    told = without_secrets(grade, assignment.hidden_feedback)
    graded = {check.spec.id: check for check in told.checks}
    titles = {spec.id: spec.title for spec in assignment.checks}
    numbers = _numbers(assignment)
    for spec, most in zip(assignment.checks, _weights(assignment, delivery.total), strict=True):
        check = graded.get(spec.id)
        test: dict[str, object] = {
            "name": visible(clip(spec.title, _LONGEST)),
            "number": numbers[spec.id],
            "score": most if check and check.points else 0,
            "max_score": most,
            "output": visible(clip(_output(check, grade, titles), _LONGEST), multiline=True),
            "tags": [spec.concept],
            "visibility": (hidden if spec.hidden else Visibility.VISIBLE).value,
        }
        if check is None or check.result.outcome is not Outcome.INTERNAL:
            test["status"] = "passed" if check and check.result.outcome is Outcome.PASSED else "failed"
        yield test


def _output(check: CheckGrade | None, grade: Grade, titles: dict[str, str]) -> str:
    if check is None:
        return grade.reason
    result = check.result
    if result.outcome is Outcome.PASSED:
        return ""
    if result.outcome is Outcome.BLOCKED:
        return TEXTS.say("check.not-yet", title=titles.get(result.blocked_by or "", TEXTS["check.another"]))
    said = result.message or OUTCOME_SENTENCES[result.outcome] or OUTCOME_NAMES[result.outcome]
    if result.where is None:
        return said
    return "\n".join(filter(None, (said, f"{place(result.where)}:", f"    {result.where.source}")))


def _numbers(assignment: Assignment) -> dict[str, str]:
    """`2.1` for the first check of the second concept."""
    concepts: dict[str, list[str]] = {}
    for spec in assignment.checks:
        concepts.setdefault(spec.concept, []).append(spec.id)
    return {
        id_: f"{group}.{number}" for group, ids in enumerate(concepts.values(), 1) for number, id_ in enumerate(ids, 1)
    }


def _weights(assignment: Assignment, total: float | None) -> list[float]:
    """What each check is worth on Gradescope. However they are rounded, they sum up to the total there."""
    stretch = total / assignment.max_points if total and assignment.max_points else 1.0
    reached, ends = 0.0, [0.0]
    for spec in assignment.checks:
        reached += spec.points
        ends.append(round(reached * stretch, _DECIMALS))
    return [round(end - start, _DECIMALS) for start, end in pairwise(ends)]


def _positive(value: Any) -> float | None:
    """A number of points, which Gradescope writes as a text."""
    try:
        points = float(value)
    except (TypeError, ValueError):
        return None
    return points if 0 < points < 1e9 else None
