"""A submission's files as they are handed to a worker: in a sealed anonymous file, not as a frame."""

from __future__ import annotations

import msgspec


class CodeCell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One code cell: its number, what stands in it, and the same lines as plain Python unless they are none."""

    number: int
    source: str
    python: str | None


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A module's bytes, or a notebook's code cells."""

    content: bytes
    cells: tuple[CodeCell, ...] | None = None


Files = dict[str, File]
"""By path, relative to the submission."""


def pack(files: Files) -> bytes:
    """The files as bytes."""
    return msgspec.msgpack.encode(files)


def unpack(content: bytes) -> Files:
    """The files again. Raises `msgspec.MsgspecError` when the bytes are something else."""
    return msgspec.msgpack.decode(content, type=Files)
