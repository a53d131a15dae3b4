"""Zip archives: `zipfile` reads the directory at the end, and what it says is held against the bytes before it."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator

from grader.archives.entries import PIECE, Entry
from grader.archives.limits import Budget, Limits, UnsafeArchiveError
from grader.archives.names import shown

_LOCAL = struct.Struct("<4s2B4HL2L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_EMPTY_SIGNATURE = b"PK\x05\x06"
_ENCRYPTED = 0x1 | 0x40
_SIZES_FOLLOW = 0x8
_UTF8 = 0x800
_IN_64_BITS = 0xFFFFFFFF
_LONGEST_LISTED = 512
"""Bytes in the directory for one entry; some 100 are usual."""
_COMPRESSIONS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES"}
_AGAIN = "pack the files again and hand that in"


def is_zip(content: bytes) -> bool:
    """Whether the first bytes are those of a zip archive."""
    return content.startswith((_LOCAL_SIGNATURE, _EMPTY_SIGNATURE))


def entries(content: bytes, limits: Limits) -> Iterator[Entry]:
    """Go through the entries in the order of their bytes.

    Raises:
        UnsafeArchiveError: an entry is not a plain file or folder, or not what the directory says.
        zipfile.BadZipFile: the archive is damaged; `zlib.error`, `ValueError` and `struct.error` say the same.
    """
    with zipfile.ZipFile(_Bounded(content, limits)) as archive:
        infos, end = archive.infolist(), archive.start_dir
    limits.check(len(infos))
    if not infos and not content.startswith(_EMPTY_SIGNATURE):
        raise zipfile.BadZipFile("the directory at its end is empty")
    for info in infos:
        _refuse_what_is_no_file(info)
    total = Budget("the archive", packed=len(content), most=limits.size)
    last = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        start = _begin(content, info)
        if info.header_offset < last or start + info.compress_size > end:
            raise UnsafeArchiveError(f"its entry {_shown(info)} shares its bytes with others; {_AGAIN}")
        last = start + info.compress_size
        packed = memoryview(content)[start:last]
        pieces = _inflated(info, packed, limits, total)
        yield Entry(name=_name(info), is_folder=_name(info).endswith("/"), pieces=pieces)


class _Bounded(io.BytesIO):
    """The archive, for `zipfile`: that reads the whole directory at once, however large it says it is."""

    def __init__(self, content: bytes, limits: Limits) -> None:
        super().__init__(content)
        self._limits = limits

    def read(self, size: int | None = -1, /) -> bytes:
        self._limits.check((size or 0) // _LONGEST_LISTED)
        return super().read(size)


def _name(info: zipfile.ZipInfo) -> str:
    """The whole name, which `zipfile` cuts at a NUL. macOS writes UTF-8 without saying so."""
    name = info.orig_filename
    if info.flag_bits & _UTF8:
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeDecodeError:
        return name


def _shown(info: zipfile.ZipInfo) -> str:
    return shown(_name(info))


def _refuse_what_is_no_file(info: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & _ENCRYPTED or info.compress_type == 99:
        raise UnsafeArchiveError(f"its entry {_shown(info)} is encrypted; pack the files again without a password")
    if kind == stat.S_IFLNK:
        raise UnsafeArchiveError(f"its entry {_shown(info)} is a link; pack the file itself and hand that in")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchiveError(
            f"its entry {_shown(info)} is a device or a pipe; leave it out and pack the rest again"
        )
    is_folder = _name(info).endswith("/")
    if (kind == stat.S_IFDIR and not is_folder) or (is_folder and info.file_size):
        raise UnsafeArchiveError(f"its entry {_shown(info)} is a file and a folder at once; {_AGAIN}")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        how = _COMPRESSIONS.get(info.compress_type, f"number {info.compress_type}")
        raise UnsafeArchiveError(
            f"its entry {_shown(info)} is compressed in a way that is not read ({how}); pack it as an ordinary zip"
        )


def _begin(content: bytes, info: zipfile.ZipInfo) -> int:
    """Return where the packed bytes of an entry begin, after its own header says the same as the directory."""
    header = _LOCAL.unpack_from(content, info.header_offset)
    signature: bytes
    name_length: int
    extra_length: int
    signature, _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = header
    begin = info.header_offset + _LOCAL.size
    name = content[begin : begin + name_length]
    if signature != _LOCAL_SIGNATURE:
        raise zipfile.BadZipFile(f"there is no entry where {_shown(info)} should be")
    said = (info.CRC, info.compress_size, info.file_size)
    same = flags & _SIZES_FOLLOW or all(
        own in (other, _IN_64_BITS) for own, other in zip((crc, packed, size), said, strict=True)
    )
    listed = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
    if name != listed or method != info.compress_type or flags & _ENCRYPTED or not same:
        raise UnsafeArchiveError(f"its entry {_shown(info)} is not what the archive's directory says; {_AGAIN}")
    return begin + name_length + extra_length


def _inflated(info: zipfile.ZipInfo, packed: memoryview, limits: Limits, total: Budget) -> Iterator[bytes]:
    own = Budget(f"its entry {_shown(info)}", packed=len(packed), most=limits.size)
    crc = size = 0
    for piece in _pieces(packed, info.compress_type):
        own.take(len(piece))
        total.take(len(piece))
        size += len(piece)
        if size > info.file_size:
            raise UnsafeArchiveError(f"its entry {_shown(info)} is larger than the archive says; {_AGAIN}")
        crc = zlib.crc32(piece, crc)
        yield piece
    if size != info.file_size or crc != info.CRC:
        raise zipfile.BadZipFile(f"the content of {_shown(info)} is not what it was")


def _pieces(packed: memoryview, method: int) -> Iterator[bytes]:
    if method == zipfile.ZIP_STORED:
        for start in range(0, len(packed), PIECE):
            yield bytes(packed[start : start + PIECE])
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for start in range(0, len(packed), PIECE):
        rest: bytes | memoryview = packed[start : start + PIECE]
        while rest and not inflater.eof:
            yield inflater.decompress(rest, PIECE)
            rest = inflater.unconsumed_tail
    while not inflater.eof:  # what is left in the inflater, though it has had all bytes
        if not (piece := inflater.decompress(b"", PIECE)):
            raise zipfile.BadZipFile("a compressed file breaks off")
        yield piece
