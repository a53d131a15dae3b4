"""From an exception that ended a check to the result a student reads.

Only sentences that were written for students become messages: those of faults, of `Failed` and of `Inconclusive`.
Whatever else an exception says may hold hidden inputs or expected values; it goes into `detail`, which only instructors
see.
"""

from __future__ import annotations

import traceback

from grader.checks import Failed, Inconclusive
from grader.checks.faults import Fault
from grader.model import CheckResult, CheckSpec, Outcome
from grader.text import clean

DETAIL_CAP = 6000
MESSAGE_CAP = 1500


def result_of(spec: CheckSpec, error: BaseException | None, seconds: float, *, remark: str = "") -> CheckResult:
    """The result of a check that ended with this exception, or with none. A fault's message is followed by `remark`."""
    match error:
        case None:
            return CheckResult(check=spec.id, outcome=Outcome.PASSED, seconds=seconds)
        case Fault():
            return CheckResult(
                check=spec.id,
                outcome=error.outcome,
                message=_shown(_joined(error.message, remark)),
                where=error.where,
                seconds=seconds,
            )
        case Failed():
            return CheckResult(check=spec.id, outcome=Outcome.FAILED, message=_shown(str(error)), seconds=seconds)
        case Inconclusive():
            return CheckResult(check=spec.id, outcome=Outcome.BLOCKED, message=_shown(str(error)), seconds=seconds)
        case AssertionError():
            return CheckResult(
                check=spec.id,
                outcome=Outcome.FAILED,
                message="The result is not what this check asks for.",
                detail=_told(error),
                seconds=seconds,
            )
        case _:
            return CheckResult(
                check=spec.id,
                outcome=Outcome.INTERNAL,
                message="This check could not be run because of a fault of the grader; it costs no points.",
                detail=_told(error),
                seconds=seconds,
            )


def blocked(spec: CheckSpec, by: str) -> CheckResult:
    """The result of a check whose prerequisite did not pass."""
    return CheckResult(check=spec.id, outcome=Outcome.BLOCKED, blocked_by=by)


def worst(results: list[CheckResult]) -> CheckResult:
    """One result for a parametrised check: the first that is not passed, with the time of all."""
    chosen = next((result for result in results if result.outcome is not Outcome.PASSED), results[0])
    return CheckResult(
        check=chosen.check,
        outcome=chosen.outcome,
        message=chosen.message,
        where=chosen.where,
        detail=chosen.detail,
        seconds=sum(result.seconds for result in results),
    )


def _joined(message: str, remark: str) -> str:
    return f"{message.rstrip('.')}. {remark}" if remark else message


def _shown(message: str) -> str:
    """A message may quote names that a student chose."""
    return clean(message, limit=MESSAGE_CAP, keep_newlines=False)


def _told(error: BaseException) -> str:
    return clean("".join(traceback.format_exception(error))[-DETAIL_CAP:], limit=DETAIL_CAP)
