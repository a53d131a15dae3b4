"""Who handed something in: the students of a folder, a file or an archive, each under a name of their own."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.archives import CLASS, UnsafeArchiveError
from grader.errors import ConfigurationError
from grader.model import Submission
from grader.submissions.admission import (
    ARCHIVES,
    GRADED,
    is_archive,
    is_configuration,
    stem,
    suffix,
    why_passed_over,
)
from grader.submissions.nodes import Kind, Node, at, unpacked
from grader.submissions.reading import MAX_DEPTH, rejected, shown, submission, without_wrapper
from grader.text import clean, nearest

_HANDED_IN = GRADED | ARCHIVES


def find(paths: Sequence[Path]) -> tuple[Submission, ...]:
    """Return the submissions at `paths`, each a folder or a file, by student. The package's docstring has the rules.

    Raises:
        ConfigurationError: a path does not exist or cannot be listed, or there is no submission at any of them.
    """
    found: dict[Path, _Student] = {}
    for path in paths:
        for student in _given(Path(os.path.abspath(path))):
            found.setdefault(student.origin, student)
    if not found:
        where = ", ".join(clean(str(path)) for path in paths) or "no path at all"
        hint = "a submission is a .py or .ipynb file, an archive of such files, or a folder with them"
        raise ConfigurationError(f"no submissions were found in {where}", hint=hint)
    students = tuple(found.values())
    submissions = [
        rejected(name, student.origin, student.rejected)
        if student.rejected
        else submission(name, student.origin, student.nodes)
        for student, name in zip(students, _names(students), strict=True)
    ]
    return tuple(sorted(submissions, key=lambda submission: submission.student))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Student:
    """Where one student's files are: `nodes` is one folder, or files beside each other.

    Attributes:
        rejected: why nobody can tell what is in it.
    """

    origin: Path
    name: str
    nodes: tuple[Node, ...]
    rejected: str = ""


def _given(path: Path) -> Iterator[_Student]:
    try:
        node = at(path)
        if node.kind is Kind.FOLDER:
            yield from _in_class(node.entries(CLASS.entries), depth=0)
        elif is_archive(node):
            yield from _in_archive(node)
        else:
            yield _Student(origin=path, name=stem(path.name), nodes=(node,))
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        what = f"{clean(str(path))} cannot be read: {error.strerror}"
        raise ConfigurationError(what, path=path, hint="give a folder or file that you may read") from error


def _missing(path: Path) -> ConfigurationError:
    try:
        close = nearest(path.name, sorted(os.listdir(path.parent)))
        hint = f"did you mean {clean(str(path.parent / close))}?" if close else "check the name"
    except OSError:
        hint = f"there is no folder {clean(str(path.parent))} either"
    return ConfigurationError(f"there is no file or folder {clean(str(path))}", path=path, hint=hint)


def _in_archive(archive: Node) -> Iterator[_Student]:
    """Find the students in an archive that was given: many if it holds nothing but folders or archives, or else one."""
    one = _Student(origin=archive.path, name=stem(archive.name), nodes=(archive,))
    try:
        top = unpacked(archive, wanted=lambda name: suffix(name) in _HANDED_IN, limits=CLASS)
    except UnsafeArchiveError as error:
        reason = f"{shown(archive.name)}: {error.reason}; if it is a whole class, unpack it and grade the folder"
        yield _Student(origin=one.origin, name=one.name, nodes=(), rejected=reason)
        return
    inside = _visible(without_wrapper(top).entries(CLASS.entries))
    if len(inside) > 1 and all(node.kind is Kind.FOLDER or is_archive(node) for node in inside):
        yield from _in_class(inside, depth=0)
    else:
        yield one


def _in_class(entries: Sequence[Node], *, depth: int) -> Iterator[_Student]:
    """Find the students in a class, whose folder holds `entries`."""
    if len(entries) > CLASS.entries:
        raise ConfigurationError(f"a folder with more than {CLASS.entries} entries is no class", hint="grade its parts")
    together: dict[str, list[Node]] = {}
    for node in _visible(entries):
        if node.kind is Kind.FOLDER:
            yield from _in_folder(node, depth=depth + 1)
        elif not is_configuration(node.name) and (
            suffix(node.name) in _HANDED_IN or (node.kind is Kind.LINK and not suffix(node.name))
        ):
            together.setdefault(stem(node.name), []).append(node)
    for name, nodes in together.items():
        nodes.sort(key=lambda node: suffix(node.name) != ".py")
        yield _Student(origin=nodes[0].path, name=name, nodes=tuple(nodes))


def _in_folder(folder: Node, *, depth: int) -> Iterator[_Student]:
    """Find the students in a sub-folder: one, or many when it holds nothing but folders."""
    try:
        inside = _visible(folder.entries(CLASS.entries))
    except OSError:
        inside = []  # whoever reads the student's files meets the same error, and says so
    if inside and all(node.kind is Kind.FOLDER for node in inside) and depth < MAX_DEPTH:
        yield from _in_class(inside, depth=depth)
    else:
        yield _Student(origin=folder.path, name=folder.name, nodes=(folder,))


def _visible(entries: Sequence[Node]) -> list[Node]:
    return [node for node in entries if not why_passed_over(node.name)]


def _names(students: Sequence[_Student]) -> list[str]:
    """Name each student by as few of the last parts of the path as tell all of them apart."""
    parts = [(*map(shown, student.origin.parent.parts), shown(student.name)) for student in students]
    same = Counter(parts)
    parts = [
        (*own[:-1], shown(student.origin.name)) if same[own] > 1 else own  # `ada.py` beside the folder `ada`
        for student, own in zip(students, parts, strict=True)
    ]
    same = Counter(parts)
    lengths = [1] * len(parts)
    for _ in range(max(map(len, parts))):
        names = ["/".join(own[-length:]) for own, length in zip(parts, lengths, strict=True)]
        counts = Counter(names)
        for place, (name, own) in enumerate(zip(names, parts, strict=True)):
            lengths[place] += counts[name] > 1 and same[own] == 1
    taken: set[str] = set()
    for place, name in enumerate(names):
        while name in taken:  # names that differ only in bytes nobody can read
            name += "'"
        taken.add(name)
        names[place] = name
    return names
