"""For a job of GitHub Actions: `summary.md` for its page, `annotations.txt` for the notes that its log puts on lines.

A line of a log that begins with `::` is a command, so an annotation is written with everything in it escaped, and
whoever prints it prints nothing else of a student's while commands are obeyed. GitHub shows ten annotations of a kind
for a step and drops the others; what matters most comes first, and the summary has all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from grader.model import Cohort, Entity, IgnoredFile, Outcome, Place, Status
from grader.reports import templating
from grader.reports.markdown import student_comment
from grader.reports.templating import markdown
from grader.reports.texts import TEXTS
from grader.reports.views import StudentView, student_views
from grader.reports.wording import count, number, position, show, visible

SUMMARY: Final = "summary.md"
ANNOTATIONS: Final = "annotations.txt"
BUDGET: Final = 1 << 20
"""Bytes of a step's summary; of a larger one GitHub shows nothing."""
MOST: Final = 10
"""Annotations of a kind that GitHub shows for a step."""

_HEAD: Final = 30_000
_TITLE: Final = 120
_MESSAGE: Final = 900


class Annotation(Entity, frozen=True, kw_only=True):
    """A note of one kind, `error`, `warning` or `notice`, on a line of a file, or on none."""

    kind: str
    title: str
    message: str
    file: str = ""
    line: int = 0


def render(cohort: Cohort, *, prefix: str = "", room: int = BUDGET) -> dict[str, bytes]:
    """Both files.

    Args:
        cohort: one student's grades.
        prefix: where the graded files stand in the repository, with a `/` at its end; empty for its root.
        room: bytes that are left in the step's summary.
    """
    views = [view for _, view in student_views(cohort)]
    lines = "".join(f"{command(each)}\n" for each in shown(notes(views, prefix)))
    return {SUMMARY: summary(cohort, views, room), ANNOTATIONS: lines.encode()}


# -- the summary -------------------------------------------------------------------------------------------------------


def summary(cohort: Cohort, views: list[StudentView], room: int = BUDGET) -> bytes:
    """What became of each assignment, what that is worth, and then each student's report as far as there is room."""
    own = {view.templates for view in views}
    environment = markdown(own.pop() if len(own) == 1 else None)
    hidden = any(check.spec.hidden for grade in cohort.grades for check in grade.checks)
    level = cohort.isolation.level.value if any(grade.attempt for grade in cohort.grades) else ""

    parts = [templating.render(environment, "ci.md", min(_HEAD, room), views=views, hidden=hidden, level=level)]
    if len(parts[0]) > room:
        return b""
    rest = f"{TEXTS['ci.left-out']}\n".encode()
    for view in views:
        comment = student_comment(view) + b"\n"
        if sum(map(len, parts)) + len(comment) + len(rest) > room:
            parts.append(rest)
            break
        parts.append(comment)
    return b"".join(parts)


# -- annotations -------------------------------------------------------------------------------------------------------


def notes(views: Iterable[StudentView], prefix: str = "") -> Iterator[Annotation]:
    """All there is to note, of each kind what matters most first."""
    for view in views:
        yield from _mistakes(view, prefix)
    for view in views:
        yield from _ours(view)
        yield from _ignored(view.ignored, prefix)
        yield _score(view)
        for card in view.worth_knowing:
            where = card.snippet.where if card.snippet else None
            yield _note("notice", card.title, f"{card.what} {card.why}", where, prefix)


def shown(found: Iterable[Annotation]) -> list[Annotation]:
    """The first ten of each kind, those on the same line with the same words once."""
    once = list(dict.fromkeys(found))
    return [
        each for kind in ("error", "warning", "notice") for each in islice((n for n in once if n.kind == kind), MOST)
    ]


def command(note: Annotation) -> str:
    """The annotation as a command of a workflow, on one line."""
    properties = {"file": note.file, "line": str(note.line) if note.line else "", "title": note.title}
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{note.kind} {given}::{_data(note.message)}"


def _mistakes(view: StudentView, prefix: str) -> Iterator[Annotation]:
    """Named mistakes, that on which most points hang first, then what else is wrong, by what waits for it."""
    if view.status in (Status.MISSING, Status.REJECTED):
        yield _note("error", view.title, view.reason or view.headline, None, prefix)
    for card in view.cards:
        where = card.snippet.where if card.snippet else None
        cost = f"({card.cost})" if card.cost else ""
        yield _note("error", card.title, " ".join(filter(None, (card.what, card.look, cost))), where, prefix)
    named = {card.snippet.where for card in view.cards if card.snippet}
    wrong = [check for group in view.wrong for check in group.checks]
    for check in sorted(wrong, key=lambda check: -len(check.waiting)):
        where = check.snippet.where if check.snippet else None
        told = where in named or (where is None and named)  # by a card, most likely, and in any case in the summary
        if not told and check.outcome not in (Outcome.INTERNAL, Outcome.BLOCKED):
            yield _note("error", check.title, check.message, where, prefix)


def _ours(view: StudentView) -> Iterator[Annotation]:
    if view.our_failure or view.status is Status.NEEDS_ATTENTION:
        yield Annotation(kind="warning", title=_title(view.title), message=TEXTS["student.our-failure-text"])


def _ignored(files: Iterable[IgnoredFile], prefix: str) -> Iterator[Annotation]:
    """Python files and notebooks that nobody looked at, so that nobody wonders; other files are meant to be there."""
    for file in files:
        if file.path.lower().endswith((".py", ".ipynb")) and not file.path.startswith("."):
            said = show(file.reason, _MESSAGE)
            yield Annotation(
                kind="warning", title=_title(file.path), message=said, file=visible(f"{prefix}{file.path}")
            )


def _score(view: StudentView) -> Annotation:
    points = TEXTS.say("student.score", points=number(view.points), max=number(view.max_points))
    said = f"{points}, {view.headline} ({view.correct} / {count(view.total, 'check')})"
    return Annotation(kind="notice", title=_title(view.title), message=show(said, _MESSAGE))


def _note(kind: str, title: str, message: str, where: Place | None, prefix: str) -> Annotation:
    """A note on a line; in a notebook's file a cell's line has another number, so its place is told instead."""
    said = show(" ".join(message.split()), _MESSAGE)
    if where is None:
        return Annotation(kind=kind, title=_title(title), message=said)
    if where.cell is not None:
        said = f"{position(where)}: {said}"
        return Annotation(kind=kind, title=_title(title), message=said, file=visible(f"{prefix}{where.file}"))
    return Annotation(
        kind=kind, title=_title(title), message=said, file=visible(f"{prefix}{where.file}"), line=where.line
    )


def _title(text: str) -> str:
    return show(" ".join(text.split()), _TITLE)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
