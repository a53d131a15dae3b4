"""Submissions: what stands in a folder, found and read without trusting any of it.

Whose file is whose:

- A path to a file is one student, named by the file without its suffix.
- In a folder that was given, every `.py` or `.ipynb` file is one student, and so is every sub-folder with all such
  files below it; a module and a notebook of one name are one student's. An archive there stands for a student as well,
  so that nobody is lost who handed in the wrong thing; other files there belong to nobody. That every file is a student
  also holds when one student's own folder is given.
- A sub-folder that holds nothing but folders is a class of its own and is searched in the same way, at any depth.
- Students who would have the same name get as much of the path before it as tells them apart: `group-2/anna`.

Links are never followed, and what is not a regular file is never opened. Nothing that was handed in is changed, and no
file of it configures anything. What cannot be graded makes one rejected submission; the others are read all the same.
Of a notebook, only its code is kept (`grader.notebooks`); one that cannot be read is ignored where something else can.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from grader.errors import ConfigurationError
from grader.model import IgnoredFile, SourceFile, Submission
from grader.notebooks import MAX_BYTES, NotANotebookError, read
from grader.text import clean, nearest

MAX_FILE = 2 << 20
MAX_TOTAL = 8 << 20
MAX_FILES = 200
MAX_ENTRIES = 5000
MAX_DEPTH = 32

_NOTEBOOK = ".ipynb"
_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})
_HANDED_IN = _ARCHIVES | {".py", _NOTEBOOK}
_BACKUPS = (".bak", ".orig", ".rej", ".swp", ".swo", ".tmp", "~", "#")
_CONFIGURATION = frozenset(
    {"conftest.py", "sitecustomize.py", "usercustomize.py"}
    | {"pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "pyvenv.cfg"}
)
_FOREIGN_FOLDERS = frozenset({"__pycache__", "__MACOSX", "node_modules", "site-packages"})
_LIBRARIES = frozenset(
    {"torch", "torchvision", "torchaudio", "numpy", "scipy", "pandas", "matplotlib", "einops", "sklearn"}
    | {"pytest", "_pytest", "pluggy", "grader", "msgspec", "IPython", "ipykernel", "jupyter_client", "zmq"}
    | {"nbformat", "nbclient", "traitlets", "tornado", "pip", "setuptools", "pkg_resources"}
)
_TAKEN = sys.stdlib_module_names | _LIBRARIES

_LINK = "a link; links are not followed"
_NO_FILE = "not a regular file"


def find(paths: Sequence[Path]) -> tuple[Submission, ...]:
    """Return the submissions at `paths`, each a folder or a file, by student. The module's docstring has the rules.

    Raises:
        ConfigurationError: a path does not exist or cannot be listed, or there is no submission at any of them.
    """
    found: dict[Path, _Student] = {}
    for path in paths:
        for student in _given(Path(os.path.abspath(path))):
            found.setdefault(student.origin, student)
    if not found:
        where = ", ".join(clean(str(path)) for path in paths) or "no path at all"
        hint = "a submission is a .py or .ipynb file, or a folder with such files"
        raise ConfigurationError(f"no submissions were found in {where}", hint=hint)
    students = tuple(found.values())
    submissions = [_submission(student, name) for student, name in zip(students, _names(students), strict=True)]
    return tuple(sorted(submissions, key=lambda submission: submission.student))


# -- who handed something in -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Student:
    """Where one student's files are: `files` beside each other, or all below `origin` when it is a folder."""

    origin: Path
    name: str
    files: tuple[Path, ...] = ()


def _given(path: Path) -> Iterator[_Student]:
    try:
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            yield from _in_class(path, _entries(path), depth=0)
        else:
            yield _Student(origin=path, name=path.stem, files=(path,))
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


def _in_class(folder: Path, entries: list[os.DirEntry[str]], *, depth: int) -> Iterator[_Student]:
    """Find the students in the folder of a class; `entries` is what it holds."""
    together: dict[str, list[Path]] = {}
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith(".") or entry.name in _FOREIGN_FOLDERS:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _in_folder(path, depth=depth + 1)
        elif entry.name.lower() not in _CONFIGURATION and (
            path.suffix.lower() in _HANDED_IN or (entry.is_symlink() and not path.suffix)
        ):
            together.setdefault(path.stem, []).append(path)
    for stem, files in together.items():
        files.sort(key=lambda path: path.suffix.lower() != ".py")
        yield _Student(origin=files[0], name=stem, files=tuple(files))


def _in_folder(folder: Path, *, depth: int) -> Iterator[_Student]:
    """Find the students in a sub-folder: one, or many when it holds nothing but folders."""
    try:
        entries = _entries(folder)
    except OSError:
        entries = []  # whoever reads the student's files meets the same error, and says so
    visible = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _FOREIGN_FOLDERS]
    if visible and all(entry.is_dir(follow_symlinks=False) for entry in visible) and depth < MAX_DEPTH:
        yield from _in_class(folder, visible, depth=depth)
    else:
        yield _Student(origin=folder, name=folder.name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(islice(entries, MAX_ENTRIES + 1), key=lambda entry: os.fsencode(entry.name))


def _names(students: Sequence[_Student]) -> list[str]:
    """Name each student by as few of the last parts of the path as tell all of them apart."""
    parts = [(*map(_shown, student.origin.parent.parts), _shown(student.name)) for student in students]
    same = Counter(parts)
    parts = [
        (*own[:-1], _shown(student.origin.name)) if same[own] > 1 else own  # `ada.py` beside the folder `ada`
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


def _shown(name: str) -> str:
    return clean(name, keep_newlines=False)


# -- what they handed in -----------------------------------------------------------------------------------------------


class _RejectedError(Exception):
    """Why a whole submission cannot be graded."""


@dataclass(slots=True)
class _Reading:
    """The files of one student, while they are read."""

    files: dict[str, SourceFile] = field(default_factory=dict)
    ignored: list[IgnoredFile] = field(default_factory=list)
    shadowing: list[tuple[Path, str]] = field(default_factory=list)
    entries: int = 0

    def ignore(self, shown: str, reason: str) -> None:
        self.ignored.append(IgnoredFile(path=shown, reason=reason))

    def folder(self, folder: Path, prefix: str = "", *, depth: int = 0) -> None:
        """Read a folder and those below it; `prefix` is how its path is shown, with a `/` at its end."""
        try:
            entries = _entries(folder)
        except OSError as error:
            raise _RejectedError(f"the folder {prefix or '.'} cannot be read: {error.strerror}") from error
        names = {entry.name for entry in entries}
        self.entries += len(entries)
        if self.entries > MAX_ENTRIES:
            raise _RejectedError(f"more than {MAX_ENTRIES} files and folders were handed in")
        if depth > MAX_DEPTH:
            raise _RejectedError(f"folders are nested more than {MAX_DEPTH} deep")
        if prefix and (reason := _why_no_folder(folder.name, names, depth)):
            self.ignore(prefix, reason)
            return
        for entry in entries:
            shown = f"{prefix}{_shown(entry.name)}"
            if entry.is_dir(follow_symlinks=False) and _is_own_folder(entry.name):
                self.folder(folder / entry.name, f"{shown}/", depth=depth + 1)
            else:
                self.file(folder / entry.name, shown, in_package="__init__.py" in names)

    def file(self, path: Path, shown: str, *, in_package: bool = False) -> None:
        """Read one file, or note why not."""
        try:
            reason = _why_no_file(path)
            if not reason and not in_package and (reason := _why_taken(path)):
                self.shadowing.append((path, shown))
            if not reason and shown in self.files:
                reason = "another file is shown under the same name"
            file = None if reason else _read(path, shown)
        except NotANotebookError as error:
            reason, file = error.reason, None
        except OSError as error:
            raise _RejectedError(f"{shown} cannot be read: {error.strerror or error}") from error
        if file is None:
            self.ignore(shown, reason)
            return
        self.files[shown] = file
        if len(self.files) > MAX_FILES:
            raise _RejectedError(f"more than {MAX_FILES} .py and .ipynb files were handed in")
        if sum(map(_size, self.files.values())) > MAX_TOTAL:
            raise _RejectedError(f"the code is larger than {MAX_TOTAL >> 20} MiB altogether")

    def reconsider(self) -> None:
        """A single file may be called like a library: nobody imports it."""
        if not self.files and len(self.shadowing) == 1:
            path, shown = self.shadowing[0]
            self.ignored = [file for file in self.ignored if file.path != shown]
            self.file(path, shown, in_package=True)


def _submission(student: _Student, name: str) -> Submission:
    reading = _Reading()
    rejected: str | None = None
    try:
        for path in student.files:
            reading.file(path, _shown(path.name))
        if not student.files:
            reading.folder(student.origin)
        reading.reconsider()
        if not reading.files:
            raise _RejectedError(_nothing_to_grade(reading.ignored))
    except _RejectedError as error:
        rejected = str(error)
        reading.files.clear()
    files, ignored = tuple(reading.files[path] for path in sorted(reading.files)), tuple(reading.ignored)
    digest = _digest(files)
    return Submission(
        student=name, origin=student.origin, files=files, digest=digest, ignored=ignored, rejected=rejected
    )


def _nothing_to_grade(ignored: list[IgnoredFile]) -> str:
    if not ignored:
        return "the folder is empty"
    shown = sorted(ignored, key=lambda file: not file.path.lower().endswith(_NOTEBOOK))[:3]
    reasons = "; ".join(f"{file.path}: {file.reason}" for file in shown)
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


def _read(path: Path, shown: str) -> SourceFile:
    if path.suffix.lower() == _NOTEBOOK:
        notebook = read(_content(path, MAX_BYTES))
        return SourceFile(path=shown, content=notebook.content, cells=notebook.cells, repairs=notebook.repairs)
    content = _content(path, MAX_FILE)
    if len(content) > MAX_FILE:
        raise _RejectedError(f"{shown} is larger than {MAX_FILE >> 20} MiB")
    return SourceFile(path=shown, content=content)


def _content(path: Path, most: int) -> bytes:
    """Read one byte more than is allowed at most; a link or pipe put there in the meantime is not obeyed either."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(_NO_FILE)
        return file.read(most + 1)


def _is_own_folder(name: str) -> bool:
    return not name.startswith(".") and name not in _FOREIGN_FOLDERS


def _why_no_folder(name: str, holds: set[str], depth: int) -> str:
    if "pyvenv.cfg" in holds:
        return "a virtual environment"
    return _why_taken(Path(name)) if depth == 1 and "__init__.py" in holds else ""


def _why_no_file(path: Path) -> str:
    """Why a file or an odd folder is not looked at; empty when it is to be read."""
    mode, name, suffix = path.lstat().st_mode, path.name, path.suffix.lower()
    if stat.S_ISLNK(mode):
        return _LINK
    if stat.S_ISDIR(mode):
        return "hidden by its name" if name.startswith(".") else "a folder of other people's code"
    if not stat.S_ISREG(mode):
        return _NO_FILE
    if name.startswith("."):
        return "hidden by its name"
    if name.lower().endswith(_BACKUPS):
        return "an editor's backup"
    if name.lower() in _CONFIGURATION or suffix == ".pth":
        return "configuration of a tool, which is never obeyed"
    if suffix in _ARCHIVES:
        return "an archive; only .py and .ipynb files are graded, so unpack it first"
    if suffix not in (".py", _NOTEBOOK):
        return "only .py and .ipynb files are graded"
    return ""


def _why_taken(path: Path) -> str:
    """Why a module may not be called so; a notebook may, since nobody imports it."""
    taken = path.stem in _TAKEN and path.suffix.lower() != _NOTEBOOK
    return f"{path.stem} is the name of a module of Python or of a library; give it another" if taken else ""
