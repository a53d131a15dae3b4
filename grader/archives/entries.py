"""One entry of an archive, as both kinds of archive give it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PIECE = 1 << 16
"""Bytes that are inflated at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A regular file or a folder.

    Attributes:
        name: as it stands in the archive; nobody has looked at it yet.
        pieces: its content, inflated and counted while it is taken, before the next entry is.
    """

    name: str
    is_folder: bool
    pieces: Iterator[bytes]
