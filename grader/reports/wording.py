"""The words all reports share, and how text from outside is made safe to look at.

Names of students and files come from a file system, everything else from a student's process. Escaping for a format
(HTML, Markdown, CSV) is that format's business; what is done here makes characters that cannot be seen, or that change
how their neighbours are shown, visible: U+202E becomes the six characters `\\u202e`.
"""

from __future__ import annotations

import re
from collections import Counter

from grader.model import (
    Certainty,
    CheckGrade,
    Grade,
    IsolationLevel,
    Loading,
    MissingImport,
    Outcome,
    Place,
    Status,
)
from grader.reports.texts import TEXTS
from grader.text import characters

OUTCOME_NAMES = {outcome: TEXTS[f"outcome.{outcome}"] for outcome in Outcome}

OUTCOME_SENTENCES = {outcome: TEXTS[f"outcome-sentence.{outcome}"] for outcome in Outcome}
"""What is said to a student when there is no message, or none that may be shown."""

STATUS_NAMES = {status: TEXTS[f"status.{status}"] for status in Status}

ISOLATION_PROMISES = {level: TEXTS[f"isolation.{level}"] for level in IsolationLevel}
"""What each level means, for instructors."""

LITTLE_ISOLATION = frozenset({IsolationLevel.SEPARATE_USER, IsolationLevel.PROCESS_ONLY})
"""Levels that an instructor must not overlook."""

CERTAINTY_NAMES = {certainty: TEXTS[f"certainty.{certainty}"] for certainty in Certainty}

SECOND_LOOK_WEIGHT = {policy: TEXTS[f"second-look-weight.{policy}"] for policy in MissingImport}
"""What a second look, with forgotten imports supplied, means for the points."""

HEADLINE = 100
"""Characters of `what_went_wrong` at most."""

_LONGEST_NAME = 120
_LINES = "\n\t"
_EXCEPTION = re.compile(r"\braised ([A-Z]\w{0,60})|\b([A-Z]\w{0,60}(?:Error|Exception|Exit|Interrupt|Iteration))\b")


_ORDINARY = re.compile("[ -~¡-¬®-ÿ–—‘-”…→−≠]*")
_ORDINARY_LINES = re.compile("[\\n\\t -~¡-¬®-ÿ–—‘-”…→−≠]*")
"""Texts in which nothing can be hidden, of characters that are all letters, figures or signs; most are."""


def visible(text: str, *, multiline: bool = False) -> str:
    """The text with every control, direction-changing and invisible character shown as a Python escape, and no more
    marks on a letter than writing needs.

    With `multiline`, line feeds and tabs stay as they are.
    """
    if (_ORDINARY_LINES if multiline else _ORDINARY).fullmatch(text):
        return text
    return "".join(characters(text, kept=_LINES if multiline else ""))


def clip(text: str, limit: int) -> str:
    """The text, or its first `limit` characters and a note of how many were left out."""
    return text if len(text) <= limit else _cut(text[:limit], len(text) - limit)


def show(text: str, limit: int, *, multiline: bool = False, more: int = 0) -> str:
    """The text made visible and cut to `limit` characters as shown; what is cut off costs no time.

    `more` characters that the caller has left out already are counted as well.
    """
    if len(text) <= limit:
        whole = visible(text, multiline=multiline)
        if len(whole) <= limit:
            return _cut(whole, more) if more else whole
    shown: list[str] = []
    length = 0
    for character in characters(text[:limit], kept=_LINES if multiline else ""):
        length += len(character)
        if length > limit:
            break
        shown.append(character)
    return _cut("".join(shown), len(text) - len(shown) + more)


def _cut(text: str, left_out: int) -> str:
    return f"{text.rstrip()}… ({count(left_out, 'character')})"


def number(value: float) -> str:
    """Points or another amount as people write it: `14`, `13.5`, `0.33`."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def shown_value(value: float | int | str) -> str:
    """A number or a name behind a finding; fractions with four digits, tiny ones with their size only."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1g}" if 0 < abs(value) < 1e-6 else f"{value:.4g}"


def count(amount: float, noun: str) -> str:
    """`1 check`, `2 checks`, `0.75 points`; the noun is the name of a text: `count.check`."""
    return TEXTS.say(f"count.{noun}", n=number(amount))


def capital(text: str) -> str:
    """The text with a capital letter at its beginning; of the same kind, such as Markdown."""
    return type(text)(text[:1].upper() + text[1:])


def place(where: Place) -> str:
    """`attention.ipynb, cell 4, line 23, in forward`."""
    return f"{show(where.file, _LONGEST_NAME)}, {position(where)}"


def position(where: Place) -> str:
    """A place within its file: `cell 4, line 23, in forward`."""
    parts = [] if where.cell is None else [TEXTS.say("place.cell", cell=where.cell)]
    parts.append(TEXTS.say("place.line", line=where.line))
    if where.function not in ("", "<module>"):  # what Python calls the code outside of all functions
        parts.append(TEXTS.say("place.in", function=show(where.function, _LONGEST_NAME)))
    return ", ".join(parts)


def what_went_wrong(grade: Grade) -> str:
    """A grade in about three words: `masking: wrong`, `all correct`, `nothing handed in`. One line, bounded.

    It is about the check that most others wait for: what that check saw, or what the output proves, has a name;
    otherwise its concept is named. Failures of the grader come only when there is nothing else.
    """
    headline = visible(_headline(grade))
    return headline if len(headline) <= HEADLINE else headline[: HEADLINE - 1].rstrip() + "…"


def _headline(grade: Grade) -> str:
    if grade.status is Status.MISSING:
        return TEXTS["headline.missing"]
    if grade.status is Status.REJECTED:
        return TEXTS["headline.rejected"]
    if grade.attempt is None:
        return TEXTS["headline.not-graded"]
    if not grade.checks:
        return TEXTS["headline.no-checks"]
    open_checks = [check for check in grade.checks if check.result.outcome is not Outcome.PASSED]
    if not open_checks:
        return TEXTS["headline.all-correct"]
    held_up = Counter(check.result.blocked_by for check in open_checks)
    first = min(open_checks, key=lambda check: (_precedence(check), -held_up[check.spec.id]))
    mistakes = [finding for finding in grade.attempt.findings if not finding.informative]
    unexplained = bool(grade.attempt.unexplained)
    seen = [finding for finding in mistakes if finding.check == first.spec.id]
    found = [finding for finding in mistakes if finding.check is None]
    proven = [finding for finding in found if finding.certainty is Certainty.PROVEN or not unexplained]
    for named in (seen or proven)[:1]:
        more = len(mistakes) - 1
        title = " ".join(named.title[: 2 * HEADLINE].split()).rstrip(".")
        if not more:
            return title
        suffix = f" {TEXTS.say('headline.more', n=more)}"
        return (title if len(title + suffix) <= HEADLINE else title[: HEADLINE - len(suffix) - 1] + "…") + suffix
    if grade.attempt.loading is Loading.NOTHING:
        return TEXTS["headline.not-loaded"]
    return _check_headline(first)


def _precedence(check: CheckGrade) -> int:
    later = {Outcome.INTERNAL: 1, Outcome.BLOCKED: 2}
    return later.get(check.result.outcome, 0)


def _check_headline(check: CheckGrade) -> str:
    found = _EXCEPTION.search(check.result.message[:2_000])
    exception = next(filter(None, found.groups())) if found else TEXTS["headline.an-error"]
    return TEXTS.say(f"headline.{check.result.outcome}", concept=check.spec.concept, exception=exception)
