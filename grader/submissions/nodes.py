"""Files and folders on disk or in an archive, as one kind of tree: names, kinds, and bytes on demand.

Everything raises `OSError` as the disk does. What stands on disk is looked at without following links, and looked at
again when it is opened: it may have been replaced in between.
"""

from __future__ import annotations

import enum
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from grader.archives import STUDENT, Limits, read

NO_FILE = "not a regular file"


class Kind(enum.Enum):
    """What stands under a name."""

    FILE = enum.auto()
    FOLDER = enum.auto()
    LINK = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDisk:
    """What stands at a path."""

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    def entries(self, most: int) -> list[Node]:
        """Return what is in a folder, by name; one more than `most` stands for all the others."""
        with os.scandir(self.path) as entries:
            found = sorted(islice(entries, most + 1), key=lambda entry: os.fsencode(entry.name))
        return [OnDisk(path=self.path / entry.name, kind=_kind(entry)) for entry in found]

    def content(self, most: int) -> bytes:
        """Read a file, and at most one byte more than `most`."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(NO_FILE)
            return file.read(most + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What is in an archive; `path` is as if the archive were a folder."""

    path: Path
    kind: Kind
    held: dict[str, Packed] = field(default_factory=dict)
    packed: bytes = b""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    def entries(self, most: int) -> list[Node]:
        """Return what is in a folder, by name; one more than `most` stands for all the others."""
        found = sorted(self.held.values(), key=lambda node: node.name.encode("utf-8", "surrogatepass"))
        return list(found[: most + 1])

    def content(self, most: int) -> bytes:
        """Return a file's content, and at most one byte more than `most`."""
        return self.packed[: most + 1]


Node = OnDisk | Packed


def at(path: Path) -> OnDisk:
    """Return what stands at a path."""
    mode = path.lstat().st_mode
    kinds = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}
    return OnDisk(path=path, kind=kinds.get(stat.S_IFMT(mode), Kind.OTHER))


def unpacked(archive: Node, *, wanted: Callable[[str], bool], limits: Limits = STUDENT) -> Packed:
    """Return an archive as the folder it was made of, in memory.

    Raises:
        UnsafeArchiveError: it is not safe, damaged, or no archive.
    """
    held = read(archive.content(limits.size), limits=limits, wanted=lambda path: wanted(PurePosixPath(path).name))
    top = Packed(path=archive.path, kind=Kind.FOLDER)
    for path in held.folders:
        _folder(top, path.split("/"))
    for path, content in held.files.items():
        *folders, name = path.split("/")
        parent = _folder(top, folders)
        parent.held[name] = Packed(path=parent.path / name, kind=Kind.FILE, packed=content)
    return top


def _folder(top: Packed, parts: list[str]) -> Packed:
    folder = top
    for part in parts:
        if part not in folder.held:
            folder.held[part] = Packed(path=folder.path / part, kind=Kind.FOLDER)
        folder = folder.held[part]
    return folder


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return Kind.LINK
    if entry.is_dir(follow_symlinks=False):
        return Kind.FOLDER
    return Kind.FILE if entry.is_file(follow_symlinks=False) else Kind.OTHER
