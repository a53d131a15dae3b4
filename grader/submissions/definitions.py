"""Lines that show a mistake which no call has: what is missing from a definition, or written in a constructor.

A trace of calls points at what is done wrong. What is not done at all, or was done when the module was built, has no
call to point at. For some of these mistakes the syntax tree of the graded class has the line to look at.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from grader.model import Attempt, Finding, Match, Place, SourceFile, Submission
from grader.notebooks import located
from grader.policy import Program, top_level

Node = ast.stmt | ast.expr
Find = Callable[[ast.ClassDef], Iterator[Node]]

_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_LISTS: Final = (ast.List, ast.ListComp, ast.Tuple, ast.Dict, ast.DictComp)


def with_lines(attempt: Attempt, submission: Submission, match: Match) -> Attempt:
    """The attempt with a line for every finding that has none, where the graded class shows one."""
    wanted = {finding.id for finding in attempt.findings if finding.where is None} & SHOWN_BY.keys()
    places = _places(wanted, submission, match) if wanted else {}
    if not places:
        return attempt
    return msgspec.structs.replace(attempt, findings=tuple(_placed(each, places) for each in attempt.findings))


def _placed(finding: Finding, places: Mapping[str, Place]) -> Finding:
    return msgspec.structs.replace(finding, where=finding.where or places.get(finding.id))


def _places(ids: set[str], submission: Submission, match: Match) -> dict[str, Place]:
    """A line for each id, in the last class of the graded name."""
    file = next((file for file in submission.files if file.path == match.file), None)
    tree = None if file is None else Program((file,)).trees.get(file.path)
    if file is None or tree is None:
        return {}
    classes = [node for node, _ in top_level(tree) if isinstance(node, ast.ClassDef) and node.name == match.target]
    lines = {id_: next((node.lineno for node in SHOWN_BY[id_](classes[-1])), None) for id_ in ids} if classes else {}
    return {id_: _place(file, line) for id_, line in lines.items() if line is not None}


def _place(file: SourceFile, line: int) -> Place:
    cell, within = located(file, line)
    return Place(file=file.path, line=within, cell=cell)


# -- where to look -----------------------------------------------------------------------------------------------------


def _itself(graded: ast.ClassDef) -> Iterator[Node]:
    yield graded


def _method(name: str) -> Find:
    def find(graded: ast.ClassDef) -> Iterator[Node]:
        yield from (each for each in graded.body if isinstance(each, _FUNCTIONS) and each.name == name)

    return find


def _kept_lists(graded: ast.ClassDef) -> Iterator[Node]:
    """Lists, tuples and dictionaries that are kept in the module: `self.heads = [...]`."""
    for node in ast.walk(graded):
        if isinstance(node, ast.Assign) and any(isinstance(each, ast.Attribute) for each in node.targets):
            whole = node.value
            parts = (whole.left, whole.right) if isinstance(whole, ast.BinOp) else (whole,)
            if any(isinstance(each, _LISTS) for each in parts):
                yield node


def _calls(*names: str) -> Find:
    """Calls of functions of which the name, or its last part, is one of these."""

    def find(graded: ast.ClassDef) -> Iterator[Node]:
        for node in ast.walk(graded):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in names:
                    yield node

    return find


SHOWN_BY: Final[Mapping[str, Find]] = MappingProxyType(
    {
        "class-renamed": _itself,
        "returns-none": _method("forward"),
        "mask-not-accepted": _method("forward"),
        "extra-required-argument": _method("__init__"),
        "indivisible-heads-accepted": _method("__init__"),
        "heads-python-list": _kept_lists,
        "attention-unused": _calls("softmax", "Softmax"),
        "rng-reseeded-in-init": _calls("manual_seed", "seed"),
    }
)
"""For a mistake, what shows it in the graded class; the first of several."""
