from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.archives import CLASS, FLOOR, Limits, UnsafeArchiveError, read
from grader.text import clean

TARS = ["w", "w:gz", "w:bz2", "w:xz"]


def zipped(*items: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in items:
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(*items: tuple[str | tarfile.TarInfo, bytes], mode: str = "w", form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode, format=form) as archive:
        for name, content in items:
            entry = tarfile.TarInfo(name) if isinstance(name, str) else name
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def special(kind: bytes, name: str = "odd.py", target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def of_kind(mode: int, name: str = "odd.py") -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry


def reason(content: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(UnsafeArchiveError) as caught:
        read(content, **({"limits": limits} if limits else {}))
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


# -- what is read ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x = 1\n", os.urandom(300_000)], ids=["empty", "short", "long"])
@pytest.mark.parametrize("pack", [zipped, *(lambda *items, m=mode: tarred(*items, mode=m) for mode in TARS)])
def test_files_come_out_as_they_went_in(pack, content):
    archive = read(pack(("main.py", content), ("a/b/c.py", b"y")))

    assert archive.files == {"main.py": content, "a/b/c.py": b"y"}
    assert archive.folders == ()


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_of_every_kind_of_tar_are_read(form):
    name = "d" * 90 + "/" + "zoë.py" if form == tarfile.USTAR_FORMAT else "d" * 200 + "/" + "ż" * 100 + ".py"

    assert list(read(tarred((name, b""), form=form)).files) == [name]


def test_stored_files_of_a_zip_are_read():
    assert read(zipped(("main.py", b"x"), method=zipfile.ZIP_STORED)).files == {"main.py": b"x"}


def test_a_zip_that_was_written_to_a_pipe_is_read():
    class Pipe(io.RawIOBase):
        written = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:
            self.written += bytes(data)
            return len(data)

    with zipfile.ZipFile(pipe := Pipe(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("main.py", b"x = 1\n" * 100)

    assert read(pipe.written).files == {"main.py": b"x = 1\n" * 100}


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_folders_are_told_and_dots_in_names_mean_nothing(pack):
    folders = (
        [("./", b""), ("./a/", b"")] if pack is zipped else [(special(tarfile.DIRTYPE, n), b"") for n in ["./", "./a/"]]
    )

    archive = read(pack(*folders, ("./a//b.py", b"x")))

    assert archive.files == {"a/b.py": b"x"}
    assert archive.folders == ("a",)


def test_only_the_contents_that_are_wanted_are_kept():
    archive = read(zipped(("a.py", b"x"), ("b.csv", b"y")), wanted=lambda path: path.endswith(".py"))

    assert archive.files == {"a.py": b"x", "b.csv": b""}


def test_gzip_of_several_members_is_one_archive():
    content = tarred(("main.py", b"x"))

    assert read(gzip.compress(content[:700], mtime=0) + gzip.compress(content[700:], mtime=0)).files == {
        "main.py": b"x"
    }


def test_names_that_a_mac_writes_as_utf8_without_saying_so_are_read_as_utf8():
    content = zipped(("zo__.py", b"x")).replace(b"zo__.py", "zoë.py".encode())

    assert list(read(content).files) == ["zoë.py"]


def test_names_in_an_old_code_page_are_read_as_such():
    assert list(read(zipped(("zo_.py", b"x")).replace(b"zo_.py", b"zo\x89.py")).files) == ["zoë.py"]


def test_names_in_no_encoding_at_all_are_kept_apart():
    archive = read(tarred(("caf\udce9.py", b"1"), ("caf\udce8.py", b"2"), form=tarfile.GNU_FORMAT))

    assert list(archive.files.values()) == [b"1", b"2"]


@pytest.mark.parametrize(
    "name", ["-rf", "con.txt", "trailing.", "space ", "~root", "$(id).py", "*", "ab:c.py", "x" * 255]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_odd_names_do_no_harm_and_stay(pack, name):
    assert list(read(pack((name, b""))).files) == [name]


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("/etc/evil.py", "has an absolute name"),
        ("//host/evil.py", "has an absolute name"),
        ("../evil.py", "leads out of the archive"),
        ("a/../../evil.py", "leads out of the archive"),
        ("a/b/..", "leads out of the archive"),
        ("..", "leads out of the archive"),
        ("..\\evil.py", "a backslash or a drive letter"),
        ("a\\b.py", "a backslash or a drive letter"),
        ("C:evil.py", "a backslash or a drive letter"),
        ("c:/evil.py", "a backslash or a drive letter"),
        ("a\nb.py", "cannot be seen"),
        ("a\x1b[31m.py", "cannot be seen"),
        ("a\x7f.py", "cannot be seen"),
        ("a\u202eyp.exe", "cannot be seen"),
        ("a\u2066b.py", "cannot be seen"),
        ("a\u2028b.py", "cannot be seen"),
        ("x" * 256, "longer than a file can have"),
        ("ż" * 128, "longer than a file can have"),
        ("abcdefgh/" * 120 + "x", "longer than a file can have"),
        ("d/" * 70 + "x", "in more than 64 folders"),
    ],
)
def test_a_name_that_is_not_safe_refuses_the_archive_and_is_shown_harmless(pack, name, what):
    told = reason(pack(("fine.py", b""), (name, b"")))

    assert what in told
    assert told.startswith("its entry '")
    assert told.isprintable()
    assert len(told) < 300


def test_a_name_with_a_nul_is_not_cut_there():
    content = zipped(("main.pyX.txt", b"")).replace(b"main.pyX.txt", b"main.py\0.txt")

    assert "cannot be seen" in reason(content)


def test_a_nul_in_the_long_name_of_a_tar_is_not_safe():
    entry = tarfile.TarInfo("a")
    entry.pax_headers = {"path": "main.py\0.txt"}

    assert "cannot be seen" in reason(tarred((entry, b"")))


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_refuses_the_archive(pack):
    assert "it holds 'a.py' twice" in reason(pack(("a.py", b"1"), ("b.py", b""), ("./a.py", b"2")))
    assert "it holds 'a.py' twice" in reason(pack(("a.py", b"1"), ("a.py", b"1")))


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("main.py", "Main.py"),
        ("zo\u00eb.py", "zoe\u0308.py"),
        ("straße.py", "STRASSE.py"),
        ("\ufb01.py", "fi.py"),
        ("parts/a.py", "Parts/b.py"),
    ],
)
def test_names_that_are_one_to_somebody_refuse_the_archive(pack, one, other):
    assert "have one name on many computers" in reason(pack((one, b"1"), (other, b"2")))


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_a_file_that_is_a_folder_as_well_refuses_the_archive(pack):
    assert "'a' is a file and a folder at once" in reason(pack(("a", b"1"), ("a/b.py", b"2")))
    assert "'a' is a file and a folder at once" in reason(pack(("a/b.py", b"1"), ("a", b"2")))


# -- what is no file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "is a link to '/etc/passwd'"),
        (tarfile.LNKTYPE, "is a link to '/etc/passwd'"),
        (tarfile.CHRTYPE, "is a device or a pipe"),
        (tarfile.BLKTYPE, "is a device or a pipe"),
        (tarfile.FIFOTYPE, "is a device or a pipe"),
        (tarfile.GNUTYPE_SPARSE, "is a sparse file"),
        (tarfile.CONTTYPE, "is of an unknown kind"),
        (b"Z", "is of an unknown kind"),
    ],
)
def test_a_tar_with_anything_but_files_and_folders_is_refused(kind, what):
    assert what in reason(tarred(("fine.py", b""), (special(kind, target="/etc/passwd"), b"")))


def test_a_file_through_a_link_is_refused_at_the_link():
    content = tarred((special(tarfile.SYMTYPE, "out", "/etc"), b""), ("out/passwd", b"x"))

    assert "its entry 'out' is a link to '/etc'" in reason(content)


def test_a_sparse_file_in_the_newer_way_is_refused():
    entry = tarfile.TarInfo("a.py")
    entry.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(1 << 40)}

    assert "is a sparse file" in reason(tarred((entry, b"x")))


@pytest.mark.parametrize(
    ("mode", "what"),
    [
        (stat.S_IFLNK | 0o777, "is a link"),
        (stat.S_IFCHR | 0o666, "is a device or a pipe"),
        (stat.S_IFBLK | 0o666, "is a device or a pipe"),
        (stat.S_IFIFO | 0o666, "is a device or a pipe"),
        (stat.S_IFSOCK | 0o666, "is a device or a pipe"),
        (stat.S_IFDIR | 0o777, "is a file and a folder at once"),
    ],
)
def test_a_zip_with_anything_but_files_and_folders_is_refused(mode, what):
    assert what in reason(zipped(("fine.py", b""), (of_kind(mode), b"/etc/passwd")))


# -- bombs -------------------------------------------------------------------------------------------------------------

MANY = 40 << 20


class Zeros(io.RawIOBase):
    """So many zeros, without having them."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


def zip_bomb() -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(deflater.compress(bytes(1 << 20)) for _ in range(MANY >> 20)) + deflater.flush()
    return one_entry_zip(packed, size=MANY)


def tar_bomb(mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        entry = tarfile.TarInfo("bomb.py")
        entry.size = MANY
        archive.addfile(entry, Zeros(MANY))
    return packed.getvalue()


def one_entry_zip(packed: bytes, *, size: int, crc: int = 0, method: int = 8, flags: int = 0) -> bytes:
    """Return a zip archive with one entry, `bomb.py`, whose headers say what they are told to."""
    common = struct.pack("<4H3L2H", flags, method, 0, 33, crc, len(packed), size, 7, 0)
    local = b"PK\x03\x04" + struct.pack("<H", 20) + common + b"bomb.py" + packed
    listed = b"PK\x01\x02" + struct.pack("<2H", 20, 20) + common + struct.pack("<3H2L", 0, 0, 0, 0, 0) + b"bomb.py"
    return local + listed + b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 1, 1, len(listed), len(local), 0)


@pytest.mark.parametrize("bomb", [zip_bomb, *(lambda m=mode: tar_bomb(m) for mode in TARS[1:])], ids=["zip", *TARS[1:]])
def test_a_bomb_stops_long_before_it_is_unpacked(bomb):
    content = bomb()
    tracemalloc.start()
    try:
        told = reason(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "grows to more than 100 times its size when it is unpacked" in told
    assert peak < MANY / 3


def test_what_a_header_says_about_the_size_is_not_believed():
    bomb = zlib.compress(bytes(20 << 20), wbits=-15)

    assert "is larger than the archive says" in reason(one_entry_zip(bomb, size=10))


@pytest.mark.parametrize(
    "pack", [zipped, tarred, lambda *items: tarred(*items, mode="w:gz")], ids=["zip", "tar", "tgz"]
)
def test_all_files_together_have_a_limit_too(pack):
    content = pack(*((f"{number}.bin", os.urandom(1 << 18).hex().encode()) for number in range(3)))
    limits = Limits(entries=10, size=1 << 20)

    assert reason(content, limits).startswith(("it is larger than 1 MiB", "the archive grows to more than 1 MiB"))


def test_many_small_files_that_grow_much_are_a_bomb_as_well():
    content = zipped(*((f"{number}.py", bytes(FLOOR)) for number in range(30)))

    assert reason(content).startswith("the archive grows to more than 100 times its size")


def test_a_small_file_may_grow_as_much_as_it_likes():
    assert len(read(zipped(("zeros.py", bytes(FLOOR - 1)))).files["zeros.py"]) == FLOOR - 1
    assert len(read(tarred(("zeros.py", bytes(FLOOR - 20_000)), mode="w:xz")).files["zeros.py"]) == FLOOR - 20_000


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_too_many_entries_are_refused(pack):
    items = [(f"{number}.txt", b"") for number in range(11)]

    assert len(read(pack(*items), limits=Limits(entries=11, size=1 << 20)).files) == 11
    assert "it holds more than 10 files and folders" in reason(pack(*items), Limits(entries=10, size=1 << 20))


def test_a_directory_of_millions_is_not_even_read():
    listed = b"PK\x01\x02" + bytes(42)
    end = b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 0xFFFF, 0xFFFF, len(listed) * 60_000, 0, 0)

    assert "it holds more than 5000 files" in reason(b"PK\x03\x04" + bytes(26) + listed * 60_000 + end)


def test_headers_without_end_are_refused():
    longer = special(b"L")
    longer.size = 512
    endless = special(b"x")
    endless.size = 1 << 33

    assert "it is damaged" in reason((longer.tobuf(tarfile.GNU_FORMAT) + b"a" * 512) * 2000)
    assert "it is damaged" in reason(endless.tobuf(tarfile.GNU_FORMAT) + b"1" * (1 << 20))


@pytest.mark.parametrize("size", [-512, -5120, -(1 << 31)])
def test_a_size_below_zero_does_not_turn_back(size):
    header = bytearray(special(b"x").tobuf())
    header[124:136] = b"\xff" * 8 + struct.pack(">i", size)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    entry = tarfile.TarInfo("a.py")
    entry.pax_headers = {"size": str(size)}

    assert "it is damaged" in reason(bytes(header) + tarred(("a.py", b"")))
    assert "it is damaged" in reason(entry.tobuf(tarfile.PAX_FORMAT) + bytes(1024))


# -- lies and damage ---------------------------------------------------------------------------------------------------


def test_entries_that_share_their_bytes_are_refused():
    first, second = b"a" * 3000, b"b" * 3000
    content = bytearray(zipped(("1.py", first), ("2.py", second), method=zipfile.ZIP_STORED))
    listed = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    struct.pack_into("<L", content, listed + 42, 0)
    inside = zipped(("1.py", zipped(("2.py", second), method=zipfile.ZIP_STORED)), method=zipfile.ZIP_STORED)

    assert reason(bytes(content))
    assert read(inside).files.keys() == {"1.py"}


def test_an_entry_quoted_by_another_is_refused():
    inner = b"PK\x03\x04" + struct.pack("<5H3L2H", 20, 0, 0, 0, 33, zlib.crc32(b"x"), 1, 1, 4, 0) + b"2.py" + b"x"
    content = zipped(("1.py", inner), ("2.py", b"x"), method=zipfile.ZIP_STORED)
    listed = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 1)
    content = content[: listed + 42] + struct.pack("<L", content.index(inner)) + content[listed + 46 :]

    assert "its entry '2.py' shares its bytes with others" in reason(content)


@pytest.mark.parametrize(
    ("place", "value"), [(8, b"\0\0"), (18, b"\1\0\0\0"), (22, b"\1\0\0\0"), (14, b"abcd"), (6, b"\1\0"), (30, b"x")]
)
def test_an_entry_whose_own_header_differs_from_the_directory_is_refused(place, value):
    content = zipped(("main.py", b"x = 1\n" * 50))

    assert "is not what the archive's directory says" in reason(content[:place] + value + content[place + len(value) :])


@pytest.mark.parametrize("flags", [0x1, 0x41])
def test_an_encrypted_zip_is_refused_with_what_to_do(flags):
    told = reason(one_entry_zip(b"secret", size=6, flags=flags))

    assert told == "its entry 'bomb.py' is encrypted; pack the files again without a password"


@pytest.mark.parametrize(
    ("method", "name"), [(9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (77, "number 77")]
)
def test_a_compression_that_is_not_read_is_named(method, name):
    told = reason(one_entry_zip(b"packed", size=6, method=method))

    assert told.endswith(f"is compressed in a way that is not read ({name}); pack it as an ordinary zip")


def test_a_changed_byte_is_noticed():
    stored = zipped(("main.py", b"x = 1\n"), method=zipfile.ZIP_STORED).replace(b"x = 1", b"x = 2")
    packed = gzip.compress(tarred(("main.py", b"x = 1\n")))

    assert reason(stored).startswith("it is damaged, or was cut off when it was uploaded; pack the files again")
    assert reason(packed[:-8] + b"abcd" + packed[-4:]).startswith("it is damaged")


@pytest.mark.parametrize("pack", [zipped, *(lambda *items, m=mode: tarred(*items, mode=m) for mode in TARS)])
def test_an_archive_that_was_cut_off_anywhere_is_never_read_as_if_it_were_whole(pack):
    content = pack(("1.py", os.urandom(700)), ("2.py", b"y" * 700))
    whole = read(content)
    ends = [*range(0, len(content), 97), *range(512, len(content), 512)]

    for end in ends:
        try:
            assert read(content[:end]) == whole  # only zeros after the end of a tar are missing
        except UnsafeArchiveError:
            continue


@pytest.mark.parametrize(
    "pack", [zipped, tarred, lambda *items: tarred(*items, mode="w:gz")], ids=["zip", "tar", "tgz"]
)
@given(data=st.data())
@settings(max_examples=60)
def test_whatever_is_damaged_ends_in_files_or_in_a_reason(pack: Callable[..., bytes], data: st.DataObject):
    content = bytearray(pack(("a/1.py", b"x" * 700), ("zoë.py", b"y" * 20)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    try:
        told = "".join(read(bytes(content)).files)
    except UnsafeArchiveError as error:
        told = error.reason

    assert clean(told, limit=10_000) == told


# -- what is something else --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it is empty; pack the files as a zip archive and hand that in"),
        (bytes(300), "it is empty"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "it is a 7-Zip archive, which is not read; pack the files as a zip archive"),
        (b"Rar!\x1a\x07\x01\0", "it is a RAR archive, which is not read; pack the files as a zip archive"),
        (b"\x28\xb5\x2f\xfd\0", "it is a Zstandard archive, which is not read"),
        (b"PK\x07\x08" + b"PK\x03\x04", "it is one part of an archive in several parts"),
        (b"MZ\x90", "it is a program, which is never run"),
        (b"%PDF-1.7", "it is a PDF document, not an archive"),
        (b"\n<!DOCTYPE html><html>", "it is a web page (HTML), not an archive; download the archive itself"),
        (b'{\n "cells": [], "nbformat": 4}', "it is a notebook, not an archive; give it a name that ends in .ipynb"),
        (b"import torch\n", "it is no archive, or a damaged one"),
        (
            gzip.compress(b"import torch\n", mtime=0),
            "it is one compressed file, not an archive; hand in the file itself",
        ),
        (gzip.compress(b"", mtime=0), "it is one compressed file, not an archive"),
        (b"PK\x03\x04" + b"x" * 100, "it is damaged, or was cut off when it was uploaded"),
        (b"\x1f\x8b" + b"x" * 100, "it is damaged, or was cut off when it was uploaded"),
        (b"BZh9" + b"x" * 100, "it is damaged"),
        (b"\xfd7zXZ\0" + b"x" * 100, "it is damaged"),
    ],
)
def test_a_file_that_is_no_archive_is_told_what_it_is(content, what):
    assert reason(content).startswith(what)


def test_an_archive_larger_than_everything_in_it_may_be_is_not_looked_into():
    assert reason(b"PK\x03\x04" + bytes(2 << 20), Limits(entries=1, size=1 << 20)).startswith("it is larger than 1 MiB")


def test_a_class_may_be_larger_than_one_student():
    content = zipped(*((f"s{number}/main.py", b"") for number in range(5001)))

    assert len(read(content, limits=CLASS).files) == 5001


def test_nothing_is_written_anywhere(tmp_path: Path, monkeypatch):
    inside = tmp_path / "one" / "two"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    for pack in (zipped, tarred):
        read(pack(("main.py", b"x"), ("a/b.py", b"y")))
        reason(pack(("../evil.py", b"x")))

    assert list(tmp_path.rglob("*.py")) == []
