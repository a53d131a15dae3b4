"""From the bytes of an archive, of whatever kind, to the files in it."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from grader.archives import tars, zips
from grader.archives.foreign import refuse_what_is_something_else
from grader.archives.limits import STUDENT, Limits, UnsafeArchiveError
from grader.archives.names import Names

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,  # what `gzip` and `bz2` raise; there is no file here
    ValueError,
    OverflowError,
    RecursionError,  # headers that announce headers that announce headers
    NotImplementedError,
    MemoryError,  # an xz archive that says it needs gigabytes
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What an archive holds.

    Attributes:
        files: the content of each regular file by its path, empty for those that were not wanted.
        folders: the paths of the folders that are entries themselves; others are known by what is in them alone.
    """

    files: dict[str, bytes]
    folders: tuple[str, ...]


def _every(_path: str) -> bool:
    return True


def read(content: bytes, *, limits: Limits = STUDENT, wanted: Callable[[str], bool] = _every) -> Archive:
    """Read a zip or tar archive, or a tar archive that is compressed. The package's docstring has the rules.

    Every file is inflated and counted; only the contents of those that are `wanted`, by their path, are kept.

    Raises:
        UnsafeArchiveError: it is not safe, damaged, or no archive.
    """
    if len(content) > limits.size:
        raise UnsafeArchiveError(
            f"it is larger than {limits.size >> 20} MiB; leave out data, and hand in the code alone"
        )
    try:
        return _gone_through(content, limits, wanted)
    except _DAMAGE as error:
        raise UnsafeArchiveError(
            "it is damaged, or was cut off when it was uploaded; pack the files again and hand that in"
        ) from error


def _gone_through(content: bytes, limits: Limits, wanted: Callable[[str], bool]) -> Archive:
    if zips.is_zip(content):
        entries = zips.entries(content, limits)
    elif tars.is_tar(content):
        entries = tars.entries(content, limits)
    else:
        refuse_what_is_something_else(content)
    names = Names()
    files: dict[str, bytes] = {}
    folders: list[str] = []
    for count, entry in enumerate(entries, 1):
        limits.check(count)
        path = names.add(entry.name, is_folder=entry.is_folder)
        if entry.is_folder:
            folders.append(path)
            continue
        keep = wanted(path)
        files[path] = b"".join(piece for piece in entry.pieces if keep)
    return Archive(files=files, folders=tuple(filter(None, folders)))
