"""Submissions whose code is nearly the same: a note for a person, and never a point.

Theory of operation. Of each submission, the graded class and what it reaches by name is written down as a row of words:
the kinds of the nodes of its syntax tree, with the names of library functions. What a copy is disguised with is left
out: the student's own names, constants, comments, annotations, layout and the order of definitions. Every few
words in a row make a piece; a submission is the set of its pieces, without those of the assignment's starter.

Two are nearly the same when they share most pieces (`ALIKE`) of the larger one. Those that could be are found without
comparing all pairs: two such sets share one of their rarest pieces (the prefix filter of Chaudhuri, Ganti and Kaushik,
"A primitive operator for similarity joins", 2006). Everything is bounded, however large or strange a file is.
"""

from __future__ import annotations

import ast
import math
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from grader import notebooks
from grader.model import Assignment, Job, Likeness, Match, SourceFile
from grader.policy.trees import bindings, parsed

ALIKE: Final = 0.85
"""What two submissions must share at least."""
FEWEST: Final = 60
"""Pieces that a submission must have to be compared; with fewer, chance makes twins."""
STARTERS: Final = ("starter.py", "starter.ipynb")
"""Files in an assignment's folder with what students were given to begin with."""

_SOLUTION: Final = re.compile(rb"^([ \t]*)### BEGIN SOLUTION$.*?^[ \t]*### END SOLUTION$", re.MULTILINE | re.DOTALL)
_PIECE: Final = 6
_MOST_WORDS: Final = 20_000
_LARGEST: Final = 300_000  # bytes of source
_LEFT_OUT: Final = frozenset({"annotation", "returns", "type_comment", "type_params", "decorator_list"})
_BLOCKS: Final = frozenset({"body", "orelse", "finalbody", "handlers", "cases"})
_END: Final = "end"


def likenesses(jobs: Iterable[Job]) -> tuple[Likeness, ...]:
    """Groups of submissions for the same assignment whose code is nearly the same, the most alike first."""
    by_assignment: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        by_assignment[job.assignment.id].append(job)
    found = [likeness for several in by_assignment.values() for likeness in _alike(several)]
    return tuple(sorted(found, key=lambda each: (-each.similarity, -each.size, each.assignment, each.students)))


def _alike(jobs: Sequence[Job]) -> Iterator[Likeness]:
    numbers: dict[object, int] = {}  # of each piece there is, so that it is kept once
    known = {numbers.setdefault(piece, len(numbers)) for piece in _starter(jobs[0].assignment)}
    submissions: dict[str, array[int]] = {}
    for job in jobs:
        found = pieces(job.submission.files, job.match)
        own = array("L", {numbers.setdefault(piece, len(numbers)) for piece in found} - known)
        if len(own) >= FEWEST:
            submissions[job.submission.student] = own
    same: dict[bytes, list[str]] = defaultdict(list)
    for student, ordered in _rarest_first(submissions).items():
        same[ordered.tobytes()].append(student)
    sets = [array("L", key) for key in same]
    owners = list(same.values())
    for members, similarity in _groups(sets, owners):
        students = tuple(sorted(student for index in members for student in owners[index]))
        size = min(len(sets[index]) for index in members)
        yield Likeness(assignment=jobs[0].assignment.id, students=students, similarity=similarity, size=size)


def _rarest_first(submissions: dict[str, array[int]]) -> dict[str, array[int]]:
    frequency = Counter(number for own in submissions.values() for number in own)
    return {
        student: array("L", sorted(own, key=lambda number: (frequency[number], number)))
        for student, own in submissions.items()
    }


def _groups(sets: Sequence[array[int]], owners: Sequence[Sequence[str]]) -> Iterator[tuple[list[int], float]]:
    """The indices of sets that hang together, and how alike the least alike of the pairs that join them are."""
    leader = list(range(len(sets)))
    least = [1.0] * len(sets)

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = index = leader[leader[index]]
        return index

    for one, other, similarity in _pairs(sets):
        first, second = find(one), find(other)
        leader[second] = first
        least[first] = min(least[first], least[second], similarity)
    groups: dict[int, list[int]] = defaultdict(list)
    for index in range(len(sets)):
        groups[find(index)].append(index)
    for first, members in groups.items():
        if sum(len(owners[index]) for index in members) > 1:
            yield members, least[first]


def _pairs(sets: Sequence[array[int]]) -> Iterator[tuple[int, int, float]]:
    """All pairs that share at least `ALIKE` of the larger one."""
    holders: dict[int, list[int]] = defaultdict(list)
    contents = [frozenset(each) for each in sets]
    for index, ordered in enumerate(sets):
        rarest = ordered[: len(ordered) - math.ceil(ALIKE * len(ordered)) + 1]
        for other in {other for number in rarest for other in holders[number]}:
            larger = max(len(ordered), len(sets[other]))
            if min(len(ordered), len(sets[other])) < ALIKE * larger:
                continue
            similarity = len(contents[index] & contents[other]) / larger
            if similarity >= ALIKE:
                yield other, index, similarity
        for number in rarest:
            holders[number].append(index)


def pieces(files: Iterable[SourceFile], match: Match | None) -> set[tuple[str | int, ...]]:
    """What the graded class and all it reaches consists of; without a match, what all definitions consist of.

    The same words in a row count as often as they occur.
    """
    counted: Counter[tuple[str, ...]] = Counter()
    left = _MOST_WORDS
    for definition, own in _reached(files, match):
        words = _words(definition, own, left)
        left -= len(words)
        counted.update(tuple(words[start : start + _PIECE]) for start in range(max(1, len(words) - _PIECE + 1)))
    return {(*piece, number) for piece, times in counted.items() for number in range(times)}


def _reached(files: Iterable[SourceFile], match: Match | None) -> Iterator[tuple[ast.stmt, frozenset[str]]]:
    """Each statement that binds a name the graded class refers to, in turn, with the names that its file binds.

    Which of several of one name is meant does not matter here; imports between a student's files are not followed, as
    names say enough.
    """
    defined: dict[str, list[tuple[ast.stmt, frozenset[str]]]] = defaultdict(list)
    for file in files:
        tree = parsed(file.content) if len(file.content) <= _LARGEST else None
        if tree is not None:
            own = _bound(tree)
            for name, found in bindings(tree).items():
                defined[name] += [(one, own) for one in found if isinstance(one, ast.stmt)]
    waiting, done = [match.target] if match else [*defined], set()
    while waiting:
        for definition, own in defined.pop(waiting.pop(), ()):
            if id(definition) not in done:
                done.add(id(definition))
                yield definition, own
                names = {node.id for node in ast.walk(definition) if isinstance(node, ast.Name)}
                waiting += sorted(names & defined.keys())


def _bound(tree: ast.Module) -> frozenset[str]:
    """The names a file gives to anything: variables, parameters, attributes, definitions, imported modules."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.Attribute(attr=name, ctx=ast.Store() | ast.Del()):
                found.add(name)
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name.partition(".")[0])
    return frozenset(found)


def _words(definition: ast.stmt, own: frozenset[str], most: int) -> list[str]:
    """The kinds of a tree's nodes, in the order in which they are written, and the names that are not the file's."""
    words: list[str] = []
    waiting: list[ast.AST | str] = [definition]
    while waiting and len(words) < most:
        node = waiting.pop()
        if isinstance(node, str):
            words.append(node)
            continue
        if _says_nothing(node):
            continue
        words.append(_word(node, own))
        children: list[ast.AST | str] = []
        for field, value in ast.iter_fields(node):
            if field in _LEFT_OUT:
                continue
            children += [
                child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)
            ]
            if field in _BLOCKS and value:
                children.append(_END)
        waiting += reversed(children)
    return words


def _says_nothing(node: ast.AST) -> bool:
    """Whether it is a docstring, an import, or only says that a name is read or written."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.expr_context | ast.Import | ast.ImportFrom | ast.Pass)


def _word(node: ast.AST, own: frozenset[str]) -> str:
    kind = type(node).__name__
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
            return kind if name in own else f"{kind} {name}"
    return kind


def _starter(assignment: Assignment) -> set[tuple[str | int, ...]]:
    """The pieces of what students were given: the reference without its solution, where that is marked, and a starter
    in the assignment's folder. None where there is nothing of that, or it cannot be read."""
    found: set[tuple[str | int, ...]] = set()
    with suppress(OSError):
        given, solutions = _SOLUTION.subn(rb"\1pass", assignment.reference.read_bytes())
        found |= pieces([SourceFile(path=assignment.reference.name, content=given)], None) if solutions else set()
    for name in STARTERS:
        with suppress(OSError, notebooks.NotANotebookError):
            found |= pieces([_read(assignment.folder / name)], None)
    return found


def _read(path: Path) -> SourceFile:
    content = path.read_bytes()
    return SourceFile(path=path.name, content=notebooks.read(content).content if path.suffix == ".ipynb" else content)
