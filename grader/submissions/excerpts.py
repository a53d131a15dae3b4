"""Lines of what was handed in, around those that an attempt says something about.

An attempt outlives the files it was made of: it is stored, and reports are made of it later. So it takes along the few
lines that a report shows, as they stand in the file that was read. A place is what a student's process says; where no
such line is in the file, there are no lines around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from grader.model import Attempt, Excerpt, Outcome, Place, Submission
from grader.text import clean

AROUND: Final = 3
"""Lines before and after."""

MOST_PLACES: Final = 40
LONGEST_LINE: Final = 200
"""Characters of a line that are kept."""

_COMPARED: Final = 100
_SEARCHED: Final = 200_000
"""Characters before a line in which an open string is looked for."""
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_QUOTED: Final = re.compile(
    r"""\#[^\n]* | (?P<long>\"{3}|'{3}) | "(?:\\.|[^"\\\n])*"? | '(?:\\.|[^'\\\n])*'?""", re.VERBOSE | re.DOTALL
)
"""A comment, the beginning of a string of several lines, or a string on one line; that need not end, so that nothing is
looked at twice."""
_CLOSING: Final = {quotes: re.compile(rf"(?:\\.|[^\\])*?{quotes}", re.DOTALL) for quotes in ('"""', "'''")}


def excerpts(submission: Submission, attempt: Attempt) -> tuple[Excerpt, ...]:
    """The lines around every place that a report on this attempt may show, by file and cell, none of them twice."""
    texts = _texts(submission)
    lines = {key: _LINE_END.split(text) for key, text in texts.items()}
    wanted: dict[tuple[str, int | None], set[int]] = {}
    for place in list(dict.fromkeys(_places(attempt)))[:MOST_PLACES]:
        key = place.file, place.cell
        if key in lines and _is_there(place, lines[key]):
            first, last = max(1, place.line - AROUND), min(len(lines[key]), place.line + AROUND)
            wanted.setdefault(key, set()).update(range(first, last + 1))
    return tuple(
        Excerpt(
            file=file,
            cell=cell,
            first=row[0],
            lines=tuple(_kept(lines[file, cell][number - 1]) for number in row),
            inside=open_string("\n".join(lines[file, cell][: row[0] - 1])),
        )
        for (file, cell), numbers in wanted.items()
        for row in _rows(numbers)
    )


def _texts(submission: Submission) -> dict[tuple[str, int | None], str]:
    """What stands in every module and every cell."""
    texts: dict[tuple[str, int | None], str] = {}
    for file in submission.files:
        if file.cells:
            texts |= {(file.path, cell.number): cell.source for cell in file.cells}
        else:
            texts[file.path, None] = file.content.decode("utf-8-sig", errors="replace")
    return texts


def _places(attempt: Attempt) -> Iterator[Place]:
    """All places, those of findings first."""
    look = attempt.second_look
    findings = (*attempt.findings, *(look.findings if look else ()))
    results = (*attempt.results, *(look.results if look else ()))
    yield from (finding.where for finding in findings if finding.where)
    yield from (result.where for result in results if result.where and result.outcome is not Outcome.PASSED)
    if attempt.loading_where:
        yield attempt.loading_where


def _is_there(place: Place, lines: list[str]) -> bool:
    """Whether the line stands where the place says."""
    if not 1 <= place.line <= len(lines):
        return False
    found = clean(lines[place.line - 1].strip(), limit=_COMPARED, keep_newlines=False)
    return not place.source or found[:_COMPARED] == place.source[:_COMPARED]


def _kept(line: str) -> str:
    return clean(line.rstrip(), limit=LONGEST_LINE, keep_newlines=False)


def _rows(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers in order, in rows without a gap."""
    rows: list[list[int]] = []
    for number in sorted(numbers):
        if rows and rows[-1][-1] == number - 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    return rows


def open_string(before: str, inside: str = "") -> str:
    """The quotes of the string that is still open after a text, which itself begins inside such a string, or outside;
    empty when none is open."""
    at = 0 if len(before) <= _SEARCHED else len(before)
    while True:
        found = (_CLOSING[inside].match if inside else _QUOTED.search)(before, at)
        if found is None:
            return inside
        at = found.end()
        inside = "" if inside else found["long"] or ""
