"""One student's work where it lies: a repository, or the folder that a platform puts it into."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.model import Submission
from grader.submissions.nodes import Kind, Node, OnDisk, at
from grader.submissions.reading import rejected, shown, submission


def single(paths: Sequence[Path], *, student: str, without: Sequence[Path] = ()) -> Submission:
    """Read everything at `paths` as one student's submission; `without` names folders that are not theirs.

    Where several paths are given, they stand beside each other. A path that is not there rejects the submission.
    """
    name = shown(student)
    left_out = frozenset(os.path.abspath(path) for path in without)
    nodes: list[Node] = []
    for path in map(Path, map(os.path.abspath, paths)):
        try:
            found = at(path)
        except OSError as error:
            return rejected(name, path, f"{shown(path.name)} cannot be read: {error.strerror}")
        nodes.append(_Part(path=path, kind=found.kind, left_out=left_out))
    return submission(name, nodes[0].path if nodes else Path(), nodes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part(OnDisk):
    """What stands at a path, without some of what is below it."""

    left_out: frozenset[str]

    def entries(self, most: int) -> list[Node]:
        """Return what is in a folder, by name, and is not left out."""
        inside = [node for node in OnDisk.entries(self, most) if os.fspath(node.path) not in self.left_out]
        return [
            _Part(path=node.path, kind=node.kind, left_out=self.left_out) if node.kind is Kind.FOLDER else node
            for node in inside
        ]
