"""Searches a submission for forbidden functions, and for what hides which functions it calls."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from grader.forbidden import forbidden_name
from grader.model import Flag, Match, Place, Policy, PolicyHit, Submission
from grader.notebooks import located
from grader.policy.meaning import Own
from grader.policy.program import Program
from grader.policy.suspicion import Suspicion, suspicions
from grader.text import clean

_MOST_FLAGS = 10


class Found(NamedTuple):
    """What was found: forbidden functions, which cost points, and what only the instructor is told."""

    hits: tuple[PolicyHit, ...]
    flags: tuple[Flag, ...]


def forbidden_uses(submission: Submission, match: Match, policy: Policy) -> tuple[PolicyHit, ...]:
    """Return every place where the graded class, or what it reaches, uses a forbidden function; by file and line."""
    return search(submission, match, policy).hits


def search(submission: Submission, match: Match, policy: Policy) -> Found:
    """Search the graded class and what it reaches; hits and flags by file and line.

    In what is no valid Python, a file or a notebook's cell, there are none; nor in a file that is far too large.
    Where nothing is forbidden, nothing is hidden either.
    """
    if not policy.forbid:
        return Found((), ())
    program = Program(submission.files)
    places = _Places(program)
    visits = list(program.visits(Own(match.file, match.target)))
    hits: dict[tuple[str, int, str], PolicyHit] = {}
    names = cache(lambda dotted: forbidden_name(dotted, policy.forbid))
    for visit in visits:
        file, line = visit.scope.file, visit.spot.node.lineno
        for name in filter(None, {names(one) for one in visit.meanings if isinstance(one, str)}):
            where = places.of(file, line, visit.spot.function)
            hits.setdefault((file, line, name), PolicyHit(name=name, where=where))
    shown = {(file, line) for file, line, _ in hits}
    flags: dict[tuple[str, int], Flag] = {}
    for suspicion in suspicions(program, visits, policy.forbid):
        place = (suspicion.file, suspicion.line)
        if place not in shown and len(flags) < _MOST_FLAGS:
            flags.setdefault(place, _flag(suspicion, places))
    return Found(tuple(hits[key] for key in sorted(hits)), tuple(flags[key] for key in sorted(flags)))


def _flag(suspicion: Suspicion, places: _Places) -> Flag:
    where = places.of(suspicion.file, suspicion.line, suspicion.function)
    at = f"cell {where.cell}, line {where.line}" if where.cell else f"line {where.line}"
    message = f"It {suspicion.does} ({at}), so its source does not show all that it calls."
    return Flag(id="hidden-call", message=message, where=where)


class _Places:
    """Lines of the student's files as they are shown."""

    def __init__(self, program: Program) -> None:
        self._files = program.files
        contents = program.contents.items()
        self._lines = {path: re.split(r"\r\n|\r|\n", text.decode(errors="replace")) for path, text in contents}

    def of(self, file: str, line: int, function: str) -> Place:
        """The place of a line, which counts through all cells where the file is a notebook."""
        source = clean("".join(self._lines[file][line - 1 : line]).strip(), limit=200, keep_newlines=False)
        cell, row = located(self._files[file], line)
        return Place(file=file, line=row, source=source, function=function, cell=cell)
