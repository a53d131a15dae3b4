"""Tar archives, compressed or not: read once from front to end by `tarfile`, from a stream that counts."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator
from typing import IO

from grader.archives.entries import PIECE, Entry
from grader.archives.limits import Budget, Limits, UnsafeArchiveError
from grader.archives.names import shown

_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
_BLOCK = 512
_MOST_HEADERS = 1 << 18
"""Bytes of headers for one entry; `tarfile` reads them all before it says a word."""
_PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)


def is_tar(content: bytes) -> bool:
    """Whether the first bytes are those of a tar archive, or of something compressed that may be one."""
    return content.startswith((_GZIP, _BZIP2, _XZ)) or _begins(content[:_BLOCK])


def entries(content: bytes, limits: Limits) -> Iterator[Entry]:
    """Go through the entries in their order.

    Raises:
        UnsafeArchiveError: an entry is not a plain file or folder, or too much comes out.
        tarfile.TarError: the archive is damaged; `OSError`, `EOFError` and what the decompressors raise say the same.
    """
    stream = _Counted(content, limits)
    if not _begins(stream.start):
        raise UnsafeArchiveError("it is one compressed file, not an archive; hand in the file itself")
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictHeader, encoding="utf-8") as archive:
        while True:
            stream.in_headers()
            member = archive.next()
            if member is None:
                break
            _refuse_what_is_no_file(member)
            stream.in_content()
            file = archive.extractfile(member) if member.isreg() else None
            pieces = _pieces(file, member.size) if file else iter(())
            yield Entry(name=member.name, is_folder=member.isdir(), pieces=pieces)
    stream.in_content()
    while stream.read():  # a checksum, if there is one, stands at the very end
        pass


class _StrictHeader(tarfile.TarInfo):
    """A header without which nothing is over: `tarfile` takes a torn or damaged one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _StrictHeader:
        if any(buf):
            try:
                header = super().frombuf(buf, encoding, errors)
            except tarfile.HeaderError as error:
                raise tarfile.ReadError(str(error)) from None
            if header.size < 0:
                raise tarfile.ReadError("a size below zero")
            return header
        if len(buf) < _BLOCK:
            raise tarfile.ReadError("it ends without a mark of its end")
        return super().frombuf(buf, encoding, errors)


class _Counted(io.RawIOBase):
    """The uncompressed bytes of an archive, counted as they are read.

    Attributes:
        start: the first block.
    """

    def __init__(self, content: bytes, limits: Limits) -> None:
        self._file = _uncompressed(content)
        self._budget = Budget("the archive", packed=len(content), most=limits.size)
        self._headers: int | None = _MOST_HEADERS
        self.start = self._unread = self._file.read(_BLOCK)

    def in_headers(self) -> None:
        """What is read from now on is about the next entry."""
        self._headers = _MOST_HEADERS

    def in_content(self) -> None:
        """What is read from now on is the content of an entry."""
        self._headers = None

    def read(self, size: int = PIECE, /) -> bytes:
        """Return at most so many bytes; fewer than that are not the end, none are."""
        piece, self._unread = self._unread or self._file.read(size), b""
        self._budget.take(len(piece))
        if self._headers is not None:
            self._headers -= len(piece)
            if self._headers < 0:
                raise tarfile.ReadError("the headers of an entry have no end")
        return piece


def _uncompressed(content: bytes) -> gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile | io.BytesIO:
    packed = io.BytesIO(content)
    if content.startswith(_GZIP):
        return gzip.GzipFile(fileobj=packed)
    if content.startswith(_BZIP2):
        return bz2.BZ2File(packed)
    if content.startswith(_XZ):
        return lzma.LZMAFile(packed, format=lzma.FORMAT_XZ)
    return packed


def _begins(block: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return len(block) == _BLOCK and not any(block)
    return True


def _refuse_what_is_no_file(member: tarfile.TarInfo) -> None:
    name = shown(member.name)
    if member.issym() or member.islnk():
        raise UnsafeArchiveError(
            f"its entry {name} is a link to {shown(member.linkname)}; pack the file itself and hand that in"
        )
    if member.issparse():
        raise UnsafeArchiveError(f"its entry {name} is a sparse file; leave it out and pack the rest again")
    if member.isdev():
        raise UnsafeArchiveError(f"its entry {name} is a device or a pipe; leave it out and pack the rest again")
    if member.type not in _PLAIN and not member.isdir():
        raise UnsafeArchiveError(f"its entry {name} is of an unknown kind; leave it out and pack the rest again")
    if member.size < 0 or (member.isdir() and member.size):
        raise tarfile.ReadError(f"the size of {name} cannot be")


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0:
        piece = file.read(min(size, PIECE))
        if not piece:
            raise EOFError("it ends in the middle of a file")
        size -= len(piece)
        yield piece
