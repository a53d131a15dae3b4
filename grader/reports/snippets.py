"""A place in a student's code with the lines around it, as far as they were kept."""

from __future__ import annotations

import os.path
import re
from collections.abc import Container, Iterable

from grader.model import Entity, Excerpt, Place
from grader.submissions.excerpts import open_string

_MARGIN = re.compile(r"[ \t]*(?=\S)")
"""What a line that is not blank is set in by."""


class Snippet(Entity, frozen=True, kw_only=True):
    """Some lines of a student's code, of which one is meant.

    Attributes:
        where: the line that is meant.
        first: the number of the first line that is shown.
        lines: without what all of them are indented by; only the line itself where no others were kept, and none where
            not even that is known.
        inside: the quotes of the string that the first line begins in.
    """

    where: Place
    first: int
    lines: tuple[str, ...] = ()
    inside: str = ""

    def around(self, most: int) -> Snippet:
        """The same with at most so many lines before and after the one that is meant."""
        before = self.where.line - self.first
        skipped = max(0, before - most)
        lines = _dedented(self.lines[skipped : before + most + 1])
        inside = open_string("\n".join(self.lines[:skipped]), self.inside)
        return Snippet(where=self.where, first=self.first + skipped, lines=lines, inside=inside)


def unless_shown(found: Snippet | None, shown: Container[Place]) -> Snippet | None:
    """The snippet, without its lines where another one shows the same place."""
    return Snippet(where=found.where, first=found.first) if found and found.where in shown else found


def snippet(where: Place | None, excerpts: Iterable[Excerpt], around: int) -> Snippet | None:
    """The place with at most so many lines before and after it; None where there is no place."""
    if where is None:
        return None
    for kept in excerpts:
        index = where.line - kept.first
        if (kept.file, kept.cell) == (where.file, where.cell) and 0 <= index < len(kept.lines):
            whole = Snippet(where=where, first=kept.first, lines=kept.lines, inside=kept.inside)
            return _without_margins(whole.around(around))
    return Snippet(where=where, first=where.line, lines=(where.source,) if where.source else ())


def _without_margins(found: Snippet) -> Snippet:
    """Without what two blank lines part from the line that is meant, and without common indentation."""
    meant = found.where.line - found.first
    blank = [not line.strip() for line in found.lines]
    gaps = [index for index in range(1, len(blank)) if blank[index - 1] and blank[index]]
    first = max((index + 1 for index in gaps if index < meant), default=0)
    last = max(meant, min((index - 2 for index in gaps if index > meant), default=len(blank) - 1))
    while first < meant and blank[first]:
        first += 1
    while last > meant and blank[last]:
        last -= 1
    lines = _dedented(found.lines[first : last + 1])
    inside = open_string("\n".join(found.lines[:first]), found.inside)
    return Snippet(where=found.where, first=found.first + first, lines=lines, inside=inside)


def _dedented(lines: tuple[str, ...]) -> tuple[str, ...]:
    margins = [found[0] for found in map(_MARGIN.match, lines) if found is not None]
    margin = len(os.path.commonprefix(margins))  # noqa: RUF071 - characters are meant
    return tuple(line[margin:] for line in lines)
