"""What two tools for classrooms on GitHub read: `result.json` for Classroom 50, `classroom.txt` for the older reporter.

Both want whole numbers of points in places where checks are worth halves and quarters. There all points of the file are
multiplied by the smallest number that makes them whole, so that shares and the order of grades stay exact; the points
as they are stand beside them where the format leaves room.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final

from grader.model import CheckGrade, Cohort, Entity, Grade, HiddenFeedback, Outcome, Status
from grader.reports.terminal import plain
from grader.reports.texts import TEXTS
from grader.reports.withholding import without_secrets
from grader.reports.wording import OUTCOME_SENTENCES, show

RESULT: Final = "result.json"
ENCODED: Final = "classroom.txt"
SCHEMA: Final = "classroom50/result/v1"

_LONGEST_OUTPUT: Final = 500
_LONGEST_NAME: Final = 200
_FINEST: Final = 1_000
"""Points are told apart to this fraction of one."""


class Handover(Entity, frozen=True, kw_only=True):
    """What Classroom 50 says about a push in the environment of its job; empty where it says nothing.

    Attributes:
        submission: the tag that was pushed.
        commit, release, review: addresses.
        committed: when the commit was made, ISO 8601.
    """

    classroom: str = ""
    assignment: str = ""
    assignment_type: str = ""
    owner: str = ""
    submission: str = ""
    commit: str = ""
    release: str = ""
    review: str = ""
    committed: str = ""


def render(cohort: Cohort, handover: Handover | None = None) -> dict[str, bytes]:
    """Both files, for all grades of the cohort together."""
    feedback = {assignment.id: assignment.hidden_feedback for assignment in cohort.assignments}
    told = [without_secrets(each, feedback.get(each.assignment, HiddenFeedback.OUTCOME)) for each in cohort.grades]
    result = json.dumps(_result(cohort, told, handover or Handover()), indent=2)
    return {RESULT: f"{result}\n".encode(), ENCODED: encoded(told).encode() + b"\n"}


# -- Classroom 50 ------------------------------------------------------------------------------------------------------


def _result(cohort: Cohort, told: list[Grade], handover: Handover) -> dict[str, object]:
    factor = _factor([grade.max_points for grade in told] + [each.spec.points for g in told for each in g.checks])
    tests = [test for grade in told for test in _tests(grade, factor, several=len(told) > 1)]
    return {
        "schema": SCHEMA,
        "classroom": handover.classroom,
        "assignment": handover.assignment or " ".join(grade.assignment for grade in told),
        "assignment_type": handover.assignment_type,
        "owner": handover.owner,
        "submission": handover.submission,
        "commit": handover.commit,
        "release": handover.release,
        "review": handover.review,
        "datetime": _utc(handover.committed or cohort.finished),
        "graded_at": _utc(cohort.finished),
        "score": _whole(sum(grade.points for grade in told), factor),
        "max-score": _whole(sum(grade.max_points for grade in told), factor),
        "tests": tests,
    }


def _tests(grade: Grade, factor: int, *, several: bool) -> Iterable[dict[str, object]]:
    """A test for each check; for a submission that cannot be graded, one that earns nothing of all the points."""
    lead = f"{grade.assignment}: " if several else ""
    titles = {check.spec.id: check.spec.title for check in grade.checks}
    for check in grade.checks:
        yield {
            "test-name": plain(f"{lead}{check.spec.title}", _LONGEST_NAME),
            "passed": check.result.outcome is Outcome.PASSED,
            "score": _whole(check.points, factor),
            "max-score": _whole(check.spec.points, factor),
            "points": check.points,
            "max-points": check.spec.points,
            "output": _said(check, titles),
        }
    if not grade.checks:
        yield {
            "test-name": plain(f"{lead}{grade.status.value}", _LONGEST_NAME),
            "passed": False,
            "score": 0,
            "max-score": _whole(grade.max_points, factor),
            "points": 0,
            "max-points": grade.max_points,
            "output": plain(grade.reason, _LONGEST_OUTPUT),
        }


def _utc(moment: str) -> str:
    """A time in the form that the schema asks for; anything that is no time stays as it is."""
    try:
        return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return moment


# -- the older reporter ------------------------------------------------------------------------------------------------


def encoded(told: list[Grade]) -> str:
    """The output `result` of a grading step: JSON in base64, on one line."""
    most = sum(grade.max_points for grade in told)
    factor = _factor([most])
    tests = [test for grade in told for test in _reported(grade, factor, several=len(told) > 1)]
    ours = any(grade.status is Status.NEEDS_ATTENTION for grade in told)
    wrong = any(test["status"] != "pass" for test in tests)
    content = {
        "version": 3,
        "status": "error" if ours else "fail" if wrong else "pass",
        "max_score": _whole(most, factor),
        "tests": tests,
    }
    return base64.b64encode(json.dumps(content).encode()).decode()


def _reported(grade: Grade, factor: int, *, several: bool) -> Iterable[dict[str, object]]:
    lead = f"{grade.assignment}: " if several else ""
    titles = {check.spec.id: check.spec.title for check in grade.checks}
    for check in grade.checks:
        where = check.result.where
        yield _report(
            name=f"{lead}{check.spec.title}",
            status=_STATUS.get(check.result.outcome, "fail"),
            message=_said(check, titles),
            filename=where.file if where else "",
            line=where.line if where else 0,
            seconds=check.result.seconds,
            score=check.points * factor,
        )
    if not grade.checks:
        yield _report(name=f"{lead}{grade.status.value}", status="error", message=grade.reason)


_STATUS: Final = {Outcome.PASSED: "pass", Outcome.INTERNAL: "error"}


def _report(
    *, name: str, status: str, message: str, filename: str = "", line: int = 0, seconds: float = 0.0, score: float = 0.0
) -> dict[str, object]:
    return {
        "name": plain(name, _LONGEST_NAME),
        "status": status,
        "message": plain(message, _LONGEST_OUTPUT),
        "test_code": "",
        "task_id": 0,
        "filename": plain(filename, _LONGEST_NAME),
        "line_no": line,
        "duration": round(seconds, 3),
        "score": round(score, 6),
        "output": show(message, _LONGEST_OUTPUT - 50, multiline=True),
    }


# -- both --------------------------------------------------------------------------------------------------------------


def _said(check: CheckGrade, titles: dict[str, str]) -> str:
    """What is said about a check on one line that no log obeys; nothing when it passed."""
    if check.result.outcome is Outcome.PASSED:
        return ""
    if check.result.outcome is Outcome.BLOCKED:
        first = titles.get(check.result.blocked_by or "", TEXTS["check.another"])
        return plain(TEXTS.say("check.not-yet", title=first), _LONGEST_OUTPUT)
    return plain(check.result.message or OUTCOME_SENTENCES[check.result.outcome], _LONGEST_OUTPUT)


def _factor(points: Iterable[float]) -> int:
    """The smallest number that makes all of these points whole."""
    return math.lcm(*(Fraction(each).limit_denominator(_FINEST).denominator for each in points))


def _whole(points: float, factor: int) -> int:
    return round(points * factor)
