"""What a student handed in."""

from __future__ import annotations

from pathlib import Path

from grader.model.assignment import Assignment
from grader.model.vocabulary import Entity


class Cell(Entity, frozen=True, kw_only=True):
    """One code cell of a notebook.

    Attributes:
        number: counts the code cells from 1.
        source: what stands in it.
        python: the same lines as plain Python: what only IPython understands is replaced. None when it is no Python.
        line: where `python` begins in the `content` of its file, counted from 1.
    """

    number: int
    source: str
    python: str | None
    line: int


class SourceFile(Entity, frozen=True, kw_only=True):
    """One file of a submission.

    Attributes:
        path: relative to the submission, with `/` between its parts.
        content: Python source. Of a notebook, that of all its code cells, one after the other.
        cells: a notebook's code cells; empty for a module.
        repairs: what had to be put right before a notebook could be read, as sentences.
    """

    path: str
    content: bytes
    cells: tuple[Cell, ...] = ()
    repairs: tuple[str, ...] = ()


class IgnoredFile(Entity, frozen=True, kw_only=True):
    """A file that was handed in but is not looked at, and why."""

    path: str
    reason: str


class Submission(Entity, frozen=True, kw_only=True):
    """One student's files for one run.

    Attributes:
        student: the name of the folder or file it came in.
        origin: that folder or file.
        digest: SHA-256 over the names and contents of `files`.
        rejected: why it cannot be graded at all, if it cannot.
    """

    student: str
    origin: Path
    files: tuple[SourceFile, ...]
    digest: str
    ignored: tuple[IgnoredFile, ...] = ()
    rejected: str | None = None


class Place(Entity, frozen=True, kw_only=True):
    """A line of a student's own code. `source` is that line, stripped; `cell` counts code cells from 1, and
    `line` then counts within it."""

    file: str
    line: int
    source: str = ""
    function: str = ""
    cell: int | None = None


class Excerpt(Entity, frozen=True, kw_only=True):
    """Lines of a student's own file or cell, one below the other, as they were handed in.

    Attributes:
        file, cell: where they stand, as in a place.
        first: the number of the first of them, counted as in a place.
        inside: the quotes of the string that the first line begins in; empty where it begins outside.
    """

    file: str
    first: int
    lines: tuple[str, ...]
    cell: int | None = None
    inside: str = ""


class PolicyHit(Entity, frozen=True, kw_only=True):
    """A forbidden function that the graded code calls, and where."""

    name: str
    where: Place


class Flag(Entity, frozen=True, kw_only=True):
    """Something that only an instructor is told, and that never changes points: what can only be suspected.

    Attributes:
        id: `hidden-call`, say.
        message: a sentence for the instructor.
    """

    id: str
    message: str
    where: Place | None = None


class Match(Entity, frozen=True, kw_only=True):
    """Which class of a submission is graded for an assignment, and what was noticed while choosing it."""

    file: str
    target: str
    warnings: tuple[str, ...] = ()


class Job(Entity, frozen=True, kw_only=True):
    """One submission to be graded for one assignment.

    Attributes:
        key: names its attempt in the store.
        seed: where all random inputs of its checks come from; secret, and the same at every regrade.
        policy_hits, flags: what its source shows of forbidden functions, and what it hides.
    """

    key: str
    seed: str
    submission: Submission
    assignment: Assignment
    match: Match
    policy_hits: tuple[PolicyHit, ...] = ()
    flags: tuple[Flag, ...] = ()
