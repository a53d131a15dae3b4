"""`results.json`: everything a run found, for programs. `docs/results.md` specifies it field by field."""

from __future__ import annotations

import json
import math
import re
from typing import TypeAlias

from grader.model import CellRun, CheckGrade, CheckResult, Cohort, Finding, Grade, Place, SecondLook
from grader.reports.names import report_paths
from grader.reports.templating import Caps
from grader.reports.wording import clip, visible

FORMAT = "grader/results/1"
FILE = "results.json"

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | int | bool | None"

_CAPS = Caps()
_SUSPECT = re.compile("[^\n -~]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def render(cohort: Cohort) -> dict[str, bytes]:
    """The one file of this format: UTF-8, keys in a fixed order, characters that cannot be seen as `\\u` escapes."""
    text = json.dumps(_cohort(cohort), indent=2, ensure_ascii=False, allow_nan=False)
    return {FILE: (_escape_hidden(text) + "\n").encode()}


def _cohort(cohort: Cohort) -> Json:
    reports = report_paths(cohort, "html")
    return {
        "format": FORMAT,
        "grader": cohort.grader,
        "torch": cohort.torch,
        "finished": cohort.finished,
        "interrupted": cohort.interrupted,
        "isolation": {"level": cohort.isolation.level, "missing": _texts(cohort.isolation.missing)},
        "assignments": [
            {"id": assignment.id, "title": assignment.title, "max_points": _points(assignment.max_points)}
            for assignment in cohort.assignments
        ],
        "submissions": [_submission(grade, reports[grade.student, grade.assignment]) for grade in cohort.grades],
    }


def _submission(grade: Grade, report: str) -> Json:
    attempt = grade.attempt
    members: dict[str, Json] = {
        "student": _text(grade.student),
        "assignment": grade.assignment,
        "files": _texts(grade.files),
        "digest": grade.digest,
        "status": grade.status,
        "reason": _text(grade.reason, _CAPS.message),
        "points": _points(grade.points),
        "max_points": _points(grade.max_points),
        "seconds": _points(attempt.seconds if attempt else 0.0),
        "reused": grade.reused,
        "isolation": attempt.isolation.level if attempt else None,
        "report": report,
        "ignored": [{"path": _text(file.path), "reason": _text(file.reason)} for file in grade.ignored],
        "warnings": [_text(warning, _CAPS.message) for warning in attempt.warnings] if attempt else [],
        "loading": attempt.loading if attempt else None,
        "loading_note": _text(attempt.loading_note, _CAPS.message) if attempt else "",
    }
    if attempt and attempt.loading_where:
        members["loading_where"] = _place(attempt.loading_where)
    members["repairs"] = [_text(repair, _CAPS.message) for repair in attempt.repairs] if attempt else []
    members["cells"] = [_cell(cell) for cell in attempt.cells] if attempt else []
    members["checks"] = [_check(check) for check in grade.checks]
    members["findings"] = [_finding(finding) for finding in attempt.findings] if attempt else []
    if attempt and attempt.second_look:
        members["second_look"] = _second_look(attempt.second_look)
    return members


def _cell(run: CellRun) -> Json:
    return {
        "cell": run.cell,
        "outcome": run.outcome,
        "error": _text(run.error, _CAPS.message),
        "trace": [_place(where) for where in run.trace],
    }


def _second_look(look: SecondLook) -> Json:
    return {
        "supplied": [_text(statement, _CAPS.source) for statement in look.supplied],
        "checks": [_result(result) for result in look.results],
        "findings": [_finding(finding) for finding in look.findings],
    }


def _result(result: CheckResult) -> Json:
    members: dict[str, Json] = {
        "id": result.check,
        "outcome": result.outcome,
        "message": _text(result.message, _CAPS.message),
    }
    if result.where:
        members["where"] = _place(result.where)
    return members


def _check(check: CheckGrade) -> Json:
    spec, result = check.spec, check.result
    members: dict[str, Json] = {
        "id": spec.id,
        "title": spec.title,
        "concept": spec.concept,
        "hidden": spec.hidden,
        "outcome": result.outcome,
        "points": _points(check.points),
        "max_points": _points(spec.points),
        "message": _text(result.message, _CAPS.message),
        "seconds": _points(result.seconds),
    }
    if result.where:
        members["where"] = _place(result.where)
    if result.blocked_by:
        members["blocked_by"] = result.blocked_by
    if result.detail:
        members["detail"] = _text(result.detail, _CAPS.output)
    return members


def _finding(finding: Finding) -> Json:
    members: dict[str, Json] = {
        "id": finding.id,
        "certainty": finding.certainty,
        "title": _text(finding.title, _CAPS.message),
        "explanation": _text(finding.explanation, _CAPS.message),
    }
    if finding.check:
        members["check"] = finding.check
    if finding.where:
        members["where"] = _place(finding.where)
    members["evidence"] = {_text(name): _evidence(value) for name, value in sorted(finding.evidence.items())}
    return members


def _place(where: Place) -> Json:
    members: dict[str, Json] = {"file": _text(where.file)}
    if where.cell is not None:
        members["cell"] = where.cell
    members |= {"line": where.line, "source": _text(where.source, _CAPS.source)}
    if where.function:
        members["function"] = _text(where.function, _CAPS.source)
    return members


def _points(value: float) -> float:
    return round(float(value), 6) + 0.0  # + 0.0 makes a negative zero positive


def _evidence(value: float | int | str) -> Json:
    """Numbers as they are, except those that JSON has no words for: `"nan"`, `"inf"`, `"-inf"`."""
    if isinstance(value, str):
        return _text(value, _CAPS.message)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _texts(texts: tuple[str, ...]) -> Json:
    return [_text(text) for text in texts]


def _text(text: str, limit: int | None = None) -> str:
    """The text, cut if there is a limit; bytes of a file name that were no text become readable escapes."""
    text = _SURROGATE.sub(lambda found: visible(found[0]), text)
    return text if limit is None else clip(text, limit)


def _escape_hidden(document: str) -> str:
    """The same JSON with every hidden character, which can only stand inside a string, as an escape of JSON."""
    return _SUSPECT.sub(
        lambda found: found[0] if visible(found[0]) == found[0] else json.dumps(found[0])[1:-1], document
    )
