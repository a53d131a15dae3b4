"""One student's files, read: what can be graded, what is ignored and why, or why the whole submission is rejected."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.archives import STUDENT, UnsafeArchiveError
from grader.model import IgnoredFile, SourceFile, Submission
from grader.notebooks import MAX_BYTES, NotANotebookError, read
from grader.submissions.admission import (
    GRADED,
    NOTEBOOK,
    is_archive,
    suffix,
    why_no_file,
    why_no_folder,
    why_passed_over,
    why_taken,
)
from grader.submissions.nodes import Kind, Node, Packed, unpacked
from grader.text import clean

MAX_FILE = 2 << 20
MAX_TOTAL = 8 << 20
MAX_FILES = 200
MAX_ENTRIES = STUDENT.entries
MAX_DEPTH = 32

_NESTED = "an archive inside an archive, which is not looked into; unpack it and pack its files instead"


class _RejectedError(Exception):
    """Why a whole submission cannot be graded."""


def submission(student: str, origin: Path, nodes: Sequence[Node]) -> Submission:
    """Read what one student handed in: one folder, or files beside each other."""
    reading = _Reading()
    rejected: str | None = None
    try:
        reading.all(nodes)
    except _RejectedError as error:
        rejected = str(error)
        reading.files.clear()
    files, ignored = tuple(reading.files[path] for path in sorted(reading.files)), tuple(reading.ignored)
    return Submission(
        student=student, origin=origin, files=files, digest=_digest(files), ignored=ignored, rejected=rejected
    )


def rejected(student: str, origin: Path, reason: str) -> Submission:
    """Return the submission of somebody whose files cannot even be looked for."""
    return Submission(student=student, origin=origin, files=(), digest=_digest(()), rejected=reason)


def without_wrapper(archive: Packed) -> Node:
    """Return the one folder that everything in an archive stands in, or else the archive itself."""
    inside = [node for node in archive.held.values() if not why_passed_over(node.name)]
    if len(inside) == 1 and inside[0].kind is Kind.FOLDER and "__init__.py" not in inside[0].held:
        return inside[0]
    return archive


def shown(name: str) -> str:
    """Return a file's name as people see it."""
    return clean(name, keep_newlines=False)


@dataclass(slots=True)
class _Reading:
    """The files of one student, while they are read."""

    files: dict[str, SourceFile] = field(default_factory=dict)
    ignored: list[IgnoredFile] = field(default_factory=list)
    shadowing: list[tuple[Node, str]] = field(default_factory=list)
    archives: list[tuple[Node, str]] = field(default_factory=list)
    entries: int = 0

    def all(self, nodes: Sequence[Node]) -> None:
        """Read everything, and look into an archive or at a file called like a library if there is nothing else."""
        for node in nodes:
            if node.kind is Kind.FOLDER:
                self.folder(node)
            else:
                self.file(node, shown(node.name))
        if not self.files and self.archives:
            self.archive()
        if not self.files and len(self.shadowing) == 1:
            node, path = self.shadowing[0]
            self.forget(path)
            self.file(node, path, in_package=True)  # a single file may be called like a library: nobody imports it
        if not self.files:
            raise _RejectedError(_nothing_to_grade(self.ignored))

    def ignore(self, path: str, reason: str) -> None:
        self.ignored.append(IgnoredFile(path=path, reason=reason))

    def forget(self, path: str) -> None:
        self.ignored = [file for file in self.ignored if file.path != path]

    def folder(self, folder: Node, prefix: str = "", *, depth: int = 0) -> None:
        """Read a folder and those below it; `prefix` is how its path is shown, with a `/` at its end."""
        try:
            entries = folder.entries(MAX_ENTRIES)
        except OSError as error:
            raise _RejectedError(f"the folder {prefix or '.'} cannot be read: {error.strerror}") from error
        names = {entry.name for entry in entries}
        self.entries += len(entries)
        if self.entries > MAX_ENTRIES:
            raise _RejectedError(f"more than {MAX_ENTRIES} files and folders were handed in")
        if depth > MAX_DEPTH:
            raise _RejectedError(f"folders are nested more than {MAX_DEPTH} deep")
        if prefix and (reason := why_no_folder(folder.name, names, depth)):
            self.ignore(prefix, reason)
            return
        for entry in entries:
            path = f"{prefix}{shown(entry.name)}"
            if entry.kind is Kind.FOLDER and not why_passed_over(entry.name):
                self.folder(entry, f"{path}/", depth=depth + 1)
            else:
                self.file(entry, path, in_package="__init__.py" in names)

    def file(self, node: Node, path: str, *, in_package: bool = False) -> None:
        """Read one file, or note why not."""
        reason, file = why_no_file(node), None
        if is_archive(node):
            self.archives.append((node, path))
        if not reason and not in_package and (reason := why_taken(node.name)):
            self.shadowing.append((node, path))
        if not reason and path in self.files:
            reason = "another file is shown under the same name"
        try:
            file = None if reason else _read(node, path)
        except NotANotebookError as error:
            reason = error.reason
        except OSError as error:
            raise _RejectedError(f"{path} cannot be read: {error.strerror or error}") from error
        if file is None:
            self.ignore(path, reason)
            return
        self.files[path] = file
        if len(self.files) > MAX_FILES:
            raise _RejectedError(f"more than {MAX_FILES} .py and .ipynb files were handed in")
        if sum(map(_size, self.files.values())) > MAX_TOTAL:
            raise _RejectedError(f"the code is larger than {MAX_TOTAL >> 20} MiB altogether")

    def archive(self) -> None:
        """Read the files in the one archive there is; archives in it are ignored."""
        if len(self.archives) > 1:
            names = ", ".join(path for _, path in self.archives[:3])
            more = ", …" if len(self.archives) > 3 else ""
            raise _RejectedError(f"several archives were handed in ({names}{more}); hand in the one that is meant")
        ((archive, path),) = self.archives
        self.forget(path)
        try:
            top = unpacked(archive, wanted=lambda name: suffix(name) in GRADED)
        except UnsafeArchiveError as error:
            raise _RejectedError(f"{path}: {error.reason}") from error
        except OSError as error:
            raise _RejectedError(f"{path} cannot be read: {error.strerror or error}") from error
        self.archives, ignored, self.ignored = [], self.ignored, []
        inner = without_wrapper(top)
        for node in top.held.values() if inner is not top else ():
            if node is not inner:
                self.file(node, shown(node.name))  # hidden, or the like
        self.folder(inner)
        nested = {path for _, path in self.archives}
        inside = (IgnoredFile(path=file.path, reason=_NESTED) if file.path in nested else file for file in self.ignored)
        self.ignored = [*ignored, *inside]
        if not self.files and not self.ignored:
            raise _RejectedError(f"{path} is empty")


def _nothing_to_grade(ignored: list[IgnoredFile]) -> str:
    if not ignored:
        return "the folder is empty"
    first = sorted(ignored, key=lambda file: not file.path.lower().endswith(NOTEBOOK))[:3]
    reasons = "; ".join(f"{file.path}: {file.reason}" for file in first)
    return f"no file that can be graded was handed in ({reasons}{'; …' if len(ignored) > 3 else ''})"


def _digest(files: tuple[SourceFile, ...]) -> str:
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.path}\n{len(file.content)}\n".encode() + file.content)
        for cell in file.cells:  # what is no Python is not in the content
            source = cell.source.encode()
            total.update(f"{len(source)}\n".encode() + source)
    return total.hexdigest()


def _size(file: SourceFile) -> int:
    return sum(len(cell.source) for cell in file.cells) or len(file.content)


def _read(node: Node, path: str) -> SourceFile:
    if suffix(node.name) == NOTEBOOK:
        notebook = read(node.content(MAX_BYTES))
        return SourceFile(path=path, content=notebook.content, cells=notebook.cells, repairs=notebook.repairs)
    content = node.content(MAX_FILE)
    if len(content) > MAX_FILE:
        raise _RejectedError(f"{path} is larger than {MAX_FILE >> 20} MiB")
    return SourceFile(path=path, content=content)
