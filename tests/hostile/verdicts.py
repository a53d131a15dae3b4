"""What a run was like, and what was wrong with it. Every function here answers with a list of sentences: empty is good.

Used by the suite, where each sentence fails a test, and by `python -m tests.hostile`, which prints them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .cases import VICTIM, Case, Prepared, again

OWN_CACHES = re.compile(
    r"(torchinductor_\w+|\.(cache|config)(/matplotlib(/fontlist-[\w.]+\.json(\.matplotlib-lock)?)?)?) is new: .*"
)
"""What libraries make for themselves when they are imported, whoever is graded."""
HALF = 16
"""Characters of a hidden word's random part that are enough to know it by: it may have been cut."""


@dataclass(frozen=True, kw_only=True)
class Grade:
    """What a student got for an assignment. `checks` maps a check's name to its outcome and message."""

    student: str
    assignment: str
    status: str
    points: float
    max_points: float
    reason: str
    level: str | None
    warnings: tuple[str, ...]
    loading_note: str
    seconds: float
    checks: dict[str, tuple[str, str]]

    @property
    def passed(self) -> set[str]:
        """The checks that passed."""
        return {name for name, (outcome, _) in self.checks.items() if outcome == "passed"}


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run in one mode, as seen from inside and from outside.

    Attributes:
        level: what the grader says its isolation was; `expected` is what this mode must reach.
        pages: what each student gets, by student.
        results: the submissions of `results.json`.
        survivors: processes that were still there when the run was over.
        changes: what is not as it was before, by folder.
    """

    mode: str
    expected: str
    prepared: Prepared
    level: str
    missing: tuple[str, ...]
    seconds: float
    grades: tuple[Grade, ...]
    pages: dict[str, list[str]]
    results: list[dict[str, Any]]
    terminal: str
    reports_meddled_with: tuple[str, ...]
    host_changes: tuple[str, ...]
    host_imported: tuple[str, ...]
    survivors: tuple[str, ...]
    changes: dict[str, list[str]]

    @classmethod
    def made(cls, mode: str, expected: str, prepared: Prepared, seen: dict[str, Any], told: dict[str, Any]) -> Run:
        """From what the room saw of it and what it told itself."""
        return cls(
            mode=mode,
            expected=expected,
            prepared=prepared,
            level=told["level"],
            missing=tuple(told["missing"]),
            seconds=told["seconds"],
            grades=tuple(map(_grade, told["grades"])),
            pages=told["pages"],
            results=told["results"],
            terminal=told["terminal"],
            reports_meddled_with=tuple(told["reports_meddled_with"]),
            host_changes=tuple(told["host_changes"]),
            host_imported=tuple(told["host_imported"]),
            survivors=tuple(seen["survivors"]),
            changes=seen["changes"],
        )

    def grade(self, student: str, assignment: str) -> Grade:
        """One student's grade for one assignment."""
        [grade] = [each for each in self.grades if (each.student, each.assignment) == (student, assignment)]
        return grade

    def of(self, case: Case) -> Grade:
        """The grade of a case."""
        return self.grade(self.prepared.students[case.name], case.assignment)

    def twins_of(self, case: Case) -> tuple[Grade, Grade]:
        """The grades of both copies of the honest submission with the same mathematics."""
        return self.grade(case.twin, case.assignment), self.grade(again(case.twin), case.assignment)

    @property
    def attacks(self) -> list[Case]:
        """The cases that attack something."""
        return [case for case in self.prepared.cases if case.hostile]


def _grade(told: dict[str, Any]) -> Grade:
    checks = {name: (outcome, message) for name, outcome, message in told.pop("checks")}
    return Grade(**told | {"warnings": tuple(told["warnings"]), "checks": checks})


# -- forging -----------------------------------------------------------------------------------------------------------


def forged(run: Run, case: Case) -> list[str]:
    """What an attack has and its twin has not."""
    if case.status == "rejected":
        return []
    own, twins = run.of(case), run.twins_of(case)
    passed = twins[0].passed | twins[1].passed
    most = max(twin.points for twin in twins)
    gained = [f"{name} passed, which did not pass for {case.twin}" for name in sorted(own.passed - passed)]
    if own.points > most:
        gained.append(f"{own.points:g} points, {most:g} for {case.twin}")
    return gained


# -- stealing ----------------------------------------------------------------------------------------------------------


def leaked(run: Run, student: str) -> list[str]:
    """The hidden words in what a student can get back."""
    pages = " ".join(run.pages.get(student, ()))
    results = " ".join(_texts([each for each in run.results if each["student"] == student]))
    found = [*hits(pages, run.prepared.canaries), *hits(results, run.prepared.canaries)]
    if student == VICTIM:
        found = [each for each in found if not each.startswith("submission ")]
    return sorted(set(found))


def leaked_at_large(run: Run) -> list[str]:
    """The hidden words in what is about everybody."""
    return sorted(set(hits(run.terminal, run.prepared.canaries)))


def hits(text: str, canaries: dict[str, str]) -> Iterator[str]:
    """Which hidden words stand in a text, in which disguise."""
    if not text:
        return
    views = {bare(text), bare(re.sub(r"<[^>]*>", "", text))}
    for name, canary in canaries.items():
        for form, needle in disguises(canary):
            if any(needle in view for view in views):
                yield f"{name} ({form})"


def bare(text: str) -> str:
    """Without whatever separates letters and digits, and in one case."""
    return re.sub(r"[^0-9a-z]+", "", text.casefold())


def disguises(canary: str) -> Iterator[tuple[str, str]]:
    """The forms in which both halves of a word's random part are looked for."""
    token = canary.rpartition("-")[2]
    for part in (token[:HALF], token[-HALF:]):
        yield "plain", part
        yield "reversed", part[::-1]
        yield "hex", part.encode().hex()
        for shift in range(3):
            encoded = base64.b64encode(b"x" * shift + part.encode()).decode().rstrip("=")
            yield "base64", bare(encoded[(0, 2, 3)[shift] : len(encoded) - 1])  # the ends depend on what stands around


def _texts(value: object) -> Iterator[str]:
    """Every text in a value of JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


# -- what else a case says, and what every run must be like ------------------------------------------------------------


def unkept(run: Run, case: Case) -> list[str]:
    """The facts a case names that do not hold."""
    grade, wrong = run.of(case), []
    if grade.status != case.status:
        wrong.append(f"status {grade.status} instead of {case.status}: {grade.reason or _internal(grade)}")
    for name, outcome in case.outcomes:
        got, message = grade.checks.get(name, ("not there", ""))
        if got != outcome:
            wrong.append(f"{name} {got} instead of {outcome}: {message}")
    reached = "all" if grade.points == grade.max_points else "some" if grade.points else "none"
    if case.points and reached != case.points:
        wrong.append(f"{grade.points:g} of {grade.max_points:g} points instead of {case.points}")
    said = (
        grade.checks.get(case.outcomes[0][0], ("", ""))[1] if case.outcomes else f"{grade.reason} {grade.loading_note}"
    )
    if case.says.casefold() not in said.casefold():
        wrong.append(f"says {said!r} instead of {case.says!r}")
    return wrong


def _internal(grade: Grade) -> str:
    return "; ".join(f"{name}: {message}" for name, (outcome, message) in grade.checks.items() if outcome == "internal")


def imperfect(run: Run, student: str) -> list[str]:
    """What a correct submission lost."""
    [grade] = [each for each in run.grades if each.student == student and each.status != "missing"]
    lost = [f"{name} {outcome}: {message}" for name, (outcome, message) in grade.checks.items() if outcome != "passed"]
    if not 0 < grade.points == grade.max_points:
        lost.append(f"{grade.points:g} of {grade.max_points:g} points")
    return lost


def weaker(run: Run) -> list[str]:
    """Where the isolation is not what this mode must reach."""
    levels = {grade.student: grade.level for grade in run.grades if grade.level is not None}
    wrong = [f"{student}: {level}" for student, level in levels.items() if level != run.expected]
    if run.level != run.expected:
        wrong.insert(0, f"the run: {run.level} instead of {run.expected} ({'; '.join(run.missing)})")
    return wrong


def changed(run: Run) -> list[str]:
    """What is not as it was, inside the process and in every folder that was watched."""
    kept = {place: [text for text in texts if not OWN_CACHES.fullmatch(text)] for place, texts in run.changes.items()}
    files = [f"{place}: {what}" for place, changes in kept.items() for what in changes]
    imports = [f"the grading process imported {name}" for name in run.host_imported]
    return [*files, *run.host_changes, *imports, *(f"reports: {name}" for name in run.reports_meddled_with)]


def summary(run: Run) -> str:
    """The line a run comes down to."""
    students = {grade.student for grade in run.grades}
    perfect = sum(not imperfect(run, student) for student in run.prepared.correct)
    return (
        f"attacks {len(run.attacks)}, forged {sum(bool(forged(run, case)) for case in run.attacks)}, "
        f"leaked {sum(bool(leaked(run, student)) for student in students) + bool(leaked_at_large(run))}, "
        f"survived processes {len(run.survivors)}, "
        f"correct submissions passed {perfect} of {len(run.prepared.correct)} (mode {run.mode})"
    )
