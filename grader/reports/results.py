"""`results.json`: everything a run found, for programs. `docs/results.md` specifies it field by field."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sized
from typing import TypeAlias

import msgspec

from grader.model import (
    AttentionPicture,
    CellRun,
    Change,
    Changes,
    CheckGrade,
    CheckResult,
    Cohort,
    Finding,
    Flag,
    Grade,
    Isolation,
    Likeness,
    Place,
    SecondLook,
)
from grader.reports.names import report_paths
from grader.reports.templating import LADDER, Caps
from grader.reports.wording import clip
from grader.text import characters

FORMAT = "grader/results/1"
FILE = "results.json"
BUDGET = 500_000
"""Characters that one submission takes here, without the indentation."""

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | int | bool | None"

_LADDER = (Caps(items=200), *LADDER)
_INSIDE = 50
"""Entries of a list that itself is in an entry of a list: a traceback, the evidence of a finding."""
_TOKENS = 20
"""Tokens of a picture, in rows and in columns."""
_PATH = 1_000
_NUMBERS = re.compile(r"\[\n\s+((?:(?:-?[0-9.e+-]+|null),\n\s+)*(?:-?[0-9.e+-]+|null))\n\s+\]")
"""A list of numbers, each on a line of its own; strings hold no line feeds, so it is never inside one."""
_SUSPECT = re.compile(r"[^ -~]+|(?<=#)#(?=\w*\[)")
"""What may be hidden; and what a log of GitHub Actions or Azure Pipelines takes for a command, `##[error]`."""


def render(cohort: Cohort) -> dict[str, bytes]:
    """The one file of this format: UTF-8, keys in a fixed order, characters that cannot be seen as `\\u` escapes."""
    text = json.dumps(_cohort(cohort), ensure_ascii=False, allow_nan=False)
    text = msgspec.json.format(_SUSPECT.sub(_escape_hidden, text), indent=2)
    return {FILE: (_NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n").encode()}


def _cohort(cohort: Cohort) -> Json:
    reports = report_paths(cohort, "html")
    caps = _LADDER[0]
    return {
        "format": FORMAT,
        "grader": cohort.grader,
        "torch": cohort.torch,
        "finished": cohort.finished,
        "interrupted": cohort.interrupted,
        "ungraded": cohort.ungraded,
        "isolation": _isolation(cohort.isolation, caps),
        "assignments": [
            {
                "id": assignment.id,
                "title": clip(assignment.title, caps.message),
                "max_points": _points(assignment.max_points),
            }
            for assignment in cohort.assignments
        ],
        "likenesses": [_likeness(likeness, caps) for likeness in cohort.likenesses],
        "changes": _changes(cohort.changes, caps) if cohort.changes else None,
        "submissions": [_bounded(grade, reports[grade.student, grade.assignment]) for grade in cohort.grades],
    }


def _likeness(likeness: Likeness, caps: Caps) -> Json:
    members: dict[str, Json] = {
        "assignment": likeness.assignment,
        "students": _texts(likeness.students, caps, _PATH),
        "similarity": _points(likeness.similarity),
        "size": likeness.size,
    }
    return members | _left_out(caps.items, students=likeness.students)


def _changes(changes: Changes, caps: Caps) -> Json:
    return {
        "since": clip(changes.since, caps.source),
        "changes": [_change(change, caps) for change in changes.changes],
        "edited": changes.edited,
        "added": changes.added,
        "removed": changes.removed,
        "grader": clip(changes.grader, caps.source),
        "torch": clip(changes.torch, caps.source),
    }


def _change(change: Change, caps: Caps) -> Json:
    members: dict[str, Json] = {
        "student": clip(change.student, _PATH),
        "assignment": change.assignment,
        "before": _points(change.before),
        "after": _points(change.after),
        "edited": change.edited,
    }
    titles = {name: getattr(change, name) for name in ("gained", "lost", "found", "gone")}
    members |= {name: _texts(texts, caps, caps.source) for name, texts in titles.items()}
    return members | _left_out(caps.items, **titles)


def _bounded(grade: Grade, report: str) -> Json:
    """One submission, with the widest caps that keep it within `BUDGET`, or with the narrowest there are."""
    members: Json = None
    for caps in _LADDER:
        members = _submission(grade, report, caps)
        if len(json.dumps(members)) <= BUDGET:
            break
    return members


def _submission(grade: Grade, report: str, caps: Caps) -> Json:
    attempt = grade.attempt
    warnings, repairs, cells, findings, flags, pictures = (
        (attempt.warnings, attempt.repairs, attempt.cells, attempt.findings, attempt.flags, attempt.pictures)
        if attempt
        else ((), (), (), (), (), ())
    )
    members: dict[str, Json] = {
        "student": clip(grade.student, _PATH),
        "assignment": grade.assignment,
        "files": _texts(grade.files, caps, _PATH),
        "digest": grade.digest,
        "status": grade.status,
        "reason": clip(grade.reason, caps.message),
        "points": _points(grade.points),
        "max_points": _points(grade.max_points),
        "seconds": _points(attempt.seconds if attempt else 0.0),
        "reused": grade.reused,
        "isolation": _isolation(attempt.isolation, caps) if attempt else None,
        "report": report,
        "ignored": [
            {"path": clip(file.path, _PATH), "reason": clip(file.reason, caps.message)}
            for file in grade.ignored[: caps.items]
        ],
        "warnings": _texts(warnings, caps, caps.message),
        "loading": attempt.loading if attempt else None,
        "loading_note": clip(attempt.loading_note, caps.message) if attempt else "",
    }
    if attempt and attempt.loading_where:
        members["loading_where"] = _place(attempt.loading_where, caps)
    members["repairs"] = _texts(repairs, caps, caps.message)
    members["cells"] = [_cell(cell, caps) for cell in cells[: caps.items]]
    members["checks"] = [_check(check, caps) for check in grade.checks]
    members["findings"] = [_finding(finding, caps) for finding in findings[: caps.items]]
    members["unexplained"] = clip(attempt.unexplained, caps.message) if attempt else ""
    members["pictures"] = [_picture(picture, caps) for picture in pictures[: caps.items]]
    members["flags"] = [_flag(flag, caps) for flag in flags[: caps.items]]
    if attempt and attempt.second_look:
        members["second_look"] = _second_look(attempt.second_look, caps)
    return members | _left_out(
        caps.items,
        files=grade.files,
        ignored=grade.ignored,
        warnings=warnings,
        repairs=repairs,
        cells=cells,
        findings=findings,
        pictures=pictures,
        flags=flags,
    )


def _left_out(kept: int, **lists: Sized) -> dict[str, Json]:
    """A member that says how many entries each list lost, if any did."""
    lost: dict[str, Json] = {name: len(entries) - kept for name, entries in lists.items() if len(entries) > kept}
    return {"left_out": lost} if lost else {}


def _isolation(isolation: Isolation, caps: Caps) -> Json:
    members: dict[str, Json] = {"level": isolation.level, "missing": _texts(isolation.missing, caps, caps.message)}
    return members | _left_out(caps.items, missing=isolation.missing)


def _cell(run: CellRun, caps: Caps) -> Json:
    kept = min(caps.items, _INSIDE)
    members: dict[str, Json] = {
        "cell": run.cell,
        "outcome": run.outcome,
        "error": clip(run.error, caps.message),
        "trace": [_place(where, caps) for where in run.trace[-kept:]],
    }
    return members | _left_out(kept, trace=run.trace)


def _second_look(look: SecondLook, caps: Caps) -> Json:
    members: dict[str, Json] = {
        "supplied": _texts(look.supplied, caps, caps.source),
        "checks": [_result(result, caps) for result in look.results],
        "findings": [_finding(finding, caps) for finding in look.findings[: caps.items]],
    }
    return members | _left_out(caps.items, supplied=look.supplied, findings=look.findings)


def _result(result: CheckResult, caps: Caps) -> Json:
    members: dict[str, Json] = {
        "id": result.check,
        "outcome": result.outcome,
        "message": clip(result.message, caps.message),
    }
    if result.where:
        members["where"] = _place(result.where, caps)
    return members


def _check(check: CheckGrade, caps: Caps) -> Json:
    spec, result = check.spec, check.result
    members: dict[str, Json] = {
        "id": spec.id,
        "title": clip(spec.title, caps.message),
        "concept": clip(spec.concept, caps.source),
        "hidden": spec.hidden,
        "outcome": result.outcome,
        "points": _points(check.points),
        "max_points": _points(spec.points),
        "message": clip(result.message, caps.message),
        "seconds": _points(result.seconds),
    }
    if result.where:
        members["where"] = _place(result.where, caps)
    if result.blocked_by:
        members["blocked_by"] = result.blocked_by
    if result.detail:
        members["detail"] = clip(result.detail, caps.output)
    return members


def _finding(finding: Finding, caps: Caps) -> Json:
    members: dict[str, Json] = {
        "id": finding.id,
        "certainty": finding.certainty,
        "title": clip(finding.title, caps.message),
        "explanation": clip(finding.explanation, caps.message),
    }
    kept = min(caps.items, _INSIDE)
    if finding.check:
        members["check"] = finding.check
    if finding.where:
        members["where"] = _place(finding.where, caps)
    members["alternatives"] = _texts(finding.alternatives[:kept], caps, caps.source)
    members["informative"] = finding.informative
    members["evidence"] = {
        clip(name, caps.source): _evidence(value, caps) for name, value in sorted(finding.evidence.items())[:kept]
    }
    return members | _left_out(kept, alternatives=finding.alternatives, evidence=finding.evidence)


def _picture(picture: AttentionPicture, caps: Caps) -> Json:
    members: dict[str, Json] = {
        "tokens": [clip(token, caps.source) for token in picture.tokens[:_TOKENS]],
        "masked": picture.masked,
        "student": _weights(picture.student, caps),
        "expected": _weights(picture.expected, caps),
    }
    return members | _left_out(caps.heads, student=picture.student, expected=picture.expected)


def _weights(heads: tuple[tuple[tuple[float | None, ...], ...], ...], caps: Caps) -> Json:
    return [[[_weight(each) for each in row[:_TOKENS]] for row in head[:_TOKENS]] for head in heads[: caps.heads]]


def _weight(value: float | None) -> Json:
    return value if value is not None and math.isfinite(value) else None


def _flag(flag: Flag, caps: Caps) -> Json:
    members: dict[str, Json] = {"id": clip(flag.id, caps.source), "message": clip(flag.message, caps.message)}
    if flag.where:
        members["where"] = _place(flag.where, caps)
    return members


def _place(where: Place, caps: Caps) -> Json:
    members: dict[str, Json] = {"file": clip(where.file, _PATH)}
    if where.cell is not None:
        members["cell"] = where.cell
    members |= {"line": where.line, "source": clip(where.source, caps.source)}
    if where.function:
        members["function"] = clip(where.function, caps.source)
    return members


def _points(value: float) -> float:
    return round(float(value), 6) + 0.0  # + 0.0 makes a negative zero positive


def _evidence(value: float | int | str, caps: Caps) -> Json:
    """Numbers as they are, except those that JSON has no words for: `"nan"`, `"inf"`, `"-inf"`."""
    if isinstance(value, str):
        return clip(value, caps.message)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _texts(texts: tuple[str, ...], caps: Caps, limit: int) -> Json:
    return [clip(text, limit) for text in texts[: caps.items]]


def _escape_hidden(found: re.Match[str]) -> str:
    """The same in JSON, with every hidden character, which can only stand inside a string, as an escape of JSON.

    Half a surrogate pair, which stands for a byte of a file name that was no text, becomes a readable escape instead:
    strict readers refuse it even when it is escaped.
    """
    text = found[0]
    if text == "#":
        return "\\u0023"
    before = found.string[found.start() - 1]
    shown = characters(text, before="" if before == '"' else before)
    return "".join(
        char if char == as_shown else _in_json(char, as_shown) for char, as_shown in zip(text, shown, strict=True)
    )


def _in_json(char: str, as_shown: str) -> str:
    return "\\" + as_shown if "\ud800" <= char <= "\udfff" else json.dumps(char)[1:-1]
