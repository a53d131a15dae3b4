"""A run compared with the one before it, of which `results.json` is what is left.

That file is read as leniently as it may be: it can be from another version of the grader, or damaged. Submissions are
told apart by the paths of their reports, which hold for as long as students and assignments have their names.
"""

from __future__ import annotations

import msgspec

from grader.catalogue import CATALOGUE
from grader.model import Change, Changes, Cohort, Grade
from grader.reports.names import report_paths

FORMAT = "grader/results/1"
HARMLESS = frozenset(entry.id for entry in CATALOGUE.values() if entry.informative)
"""Findings that are only worth knowing."""


class _Check(msgspec.Struct, frozen=True):
    id: str
    points: float = 0.0


class _Finding(msgspec.Struct, frozen=True):
    id: str
    title: str = ""


class _Submission(msgspec.Struct, frozen=True):
    report: str
    student: str
    assignment: str
    digest: str = ""
    points: float = 0.0
    checks: tuple[_Check, ...] = ()
    findings: tuple[_Finding, ...] = ()


class _Results(msgspec.Struct, frozen=True):
    format: str
    finished: str
    grader: str = ""
    torch: str = ""
    submissions: tuple[_Submission, ...] = ()
    changes: Changes | None = None


def compared(cohort: Cohort, earlier: bytes | None) -> Cohort:
    """The cohort with what is different from the results of an earlier run, given as the content of their file.

    Where points and files are all the same, what that run said of the one before it is passed on, so that looking at a
    class twice does not wipe out what changed. What is no results file says nothing.
    """
    before = _read(earlier) if earlier is not None else None
    if before is None:
        return cohort
    changes = _changes(cohort, before)
    if not (changes.changes or changes.edited) and before.changes is not None:
        changes = before.changes
    return msgspec.structs.replace(cohort, changes=changes)


def _read(content: bytes) -> _Results | None:
    try:
        results = msgspec.json.decode(content, type=_Results)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return results if results.format == FORMAT else None


def _changes(cohort: Cohort, before: _Results) -> Changes:
    paths = report_paths(cohort, "html")
    now = {paths[grade.student, grade.assignment]: grade for grade in cohort.grades}
    then = {submission.report: submission for submission in before.submissions}
    both = [(then[report], grade) for report, grade in now.items() if report in then]
    different = [_change(old, new) for old, new in both if _rounded(old.points) != _rounded(new.points)]
    same = [(old, new) for old, new in both if _rounded(old.points) == _rounded(new.points)]
    return Changes(
        since=before.finished,
        changes=tuple(sorted(different, key=lambda each: (-abs(each.difference), each.student, each.assignment))),
        edited=sum(old.digest != new.digest for old, new in same),
        added=len(now.keys() - then.keys()),
        removed=len(then.keys() - now.keys()),
        grader=before.grader if before.grader != cohort.grader else "",
        torch=before.torch if before.torch != cohort.torch else "",
    )


def _change(old: _Submission, new: Grade) -> Change:
    then = {check.id: check.points for check in old.checks}
    known = [check for check in new.checks if check.spec.id in then]
    mistakes = {each.id: each.title for each in old.findings if each.id not in HARMLESS}
    named = {each.id: each.title for each in (new.attempt.findings if new.attempt else ()) if not each.informative}
    return Change(
        student=new.student,
        assignment=new.assignment,
        before=old.points,
        after=_rounded(new.points),
        edited=old.digest != new.digest,
        gained=tuple(check.spec.title for check in known if _rounded(check.points) > then[check.spec.id]),
        lost=tuple(check.spec.title for check in known if _rounded(check.points) < then[check.spec.id]),
        found=tuple(title for id_, title in named.items() if id_ not in mistakes),
        gone=tuple(title for id_, title in mistakes.items() if id_ not in named),
    )


def _rounded(points: float) -> float:
    """As the results file has them."""
    return round(float(points), 6) + 0.0
