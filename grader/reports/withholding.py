"""What a student may not read of a grade, taken out of it before anything is made of it.

What a public check saw is told at every level. What no single check saw is told where diagnoses are, or where no hidden
check had a part in it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from grader.catalogue import CATALOGUE
from grader.model import (
    Attempt,
    CheckGrade,
    CheckResult,
    CheckSpec,
    Finding,
    Grade,
    HiddenFeedback,
    Loading,
    Outcome,
    SecondLook,
)

Specs = tuple[CheckSpec, ...]
Results = tuple[CheckResult, ...]


def without_secrets(grade: Grade, feedback: HiddenFeedback) -> Grade:
    """The grade without what its student may not read, and without what is for the instructor only."""
    checks = tuple(_told(check, feedback) for check in grade.checks)
    attempt = grade.attempt
    if attempt is not None:
        specs = tuple(check.spec for check in grade.checks)
        whole = None in _tellable(attempt.results, specs, feedback)
        attempt = msgspec.structs.replace(
            attempt,
            findings=_findings(attempt.findings, attempt.results, specs, feedback),
            second_look=_told_again(attempt, specs, feedback),
            unexplained=attempt.unexplained if whole else "",
            pictures=attempt.pictures if whole else (),
            flags=(),
        )
    return msgspec.structs.replace(grade, checks=checks, attempt=attempt)


def hints(grade: Grade, feedback: HiddenFeedback) -> tuple[str, ...]:
    """Where to look for what hidden checks found, each once: all that is told of it where they give hints."""
    attempt = grade.attempt
    if feedback is not HiddenFeedback.HINT or attempt is None:
        return ()
    specs = tuple(check.spec for check in grade.checks)
    look = attempt.second_look
    findings = [*_hinted(attempt.findings, attempt.results, specs)]
    findings += _hinted(look.findings, look.results, specs) if look else []
    return tuple(dict.fromkeys(CATALOGUE[finding.id].look for finding in findings if finding.id in CATALOGUE))


def _hinted(findings: tuple[Finding, ...], results: Results, specs: Specs) -> Iterator[Finding]:
    """Mistakes that are not told where hidden checks give hints."""
    told = _tellable(results, specs, HiddenFeedback.HINT)
    yield from (finding for finding in findings if finding.check not in told and not finding.informative)


def _tellable(results: Results, specs: Specs, feedback: HiddenFeedback) -> set[str | None]:
    """The checks whose findings may be told; None among them if what no single check saw may be."""
    if feedback is HiddenFeedback.DIAGNOSIS:
        return {None, *(spec.id for spec in specs)}
    passed = {result.check for result in results if result.outcome is Outcome.PASSED}
    alone = all(spec.id in passed for spec in specs if spec.hidden)
    return {spec.id for spec in specs if not spec.hidden} | ({None} if alone else set())


def _findings(
    findings: tuple[Finding, ...], results: Results, specs: Specs, feedback: HiddenFeedback
) -> tuple[Finding, ...]:
    """Those findings of one look at a submission that its student may read."""
    if feedback is HiddenFeedback.DIAGNOSIS:
        return findings
    tellable = _tellable(results, specs, feedback)
    return tuple(finding for finding in findings if finding.check in tellable)


def _told_again(attempt: Attempt, specs: Specs, feedback: HiddenFeedback) -> SecondLook | None:
    """The second look without what its student may not read.

    That an import is missing explains why a check raised. So where hidden checks tell their outcome only, all of it is
    told if a public check raised as well, or nothing could be loaded, and none of it otherwise.
    """
    look = attempt.second_look
    if look is None:
        return None
    public = {spec.id for spec in specs if not spec.hidden}
    raised = {result.check for result in attempt.results if result.outcome is Outcome.ERRORED}
    if feedback is HiddenFeedback.OUTCOME and not raised & public and attempt.loading is not Loading.NOTHING:
        return None
    by_id = {spec.id: spec for spec in specs}
    checks = [
        _told(CheckGrade(spec=by_id[result.check], result=result, points=0.0), feedback)
        for result in look.results
        if result.check in by_id
    ]
    return msgspec.structs.replace(
        look,
        results=tuple(check.result for check in checks),
        findings=_findings(look.findings, look.results, specs, feedback),
    )


def _told(check: CheckGrade, feedback: HiddenFeedback) -> CheckGrade:
    result = msgspec.structs.replace(check.result, detail="")
    if check.spec.hidden and feedback is not HiddenFeedback.DIAGNOSIS:
        message = result.message if feedback is HiddenFeedback.HINT else ""
        result = msgspec.structs.replace(result, message=message, where=None)
    return msgspec.structs.replace(check, result=result)
