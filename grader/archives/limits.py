"""How much may come out of an archive, and the exception for an archive that is not read to its end."""

from __future__ import annotations

from dataclasses import dataclass

RATIO = 100
"""How many times its own size an archive, or an entry of a zip, may grow; text grows 3 to 20 times."""

FLOOR = 1 << 20
"""Bytes up to which it may grow more than that: a small file of one repeated line is no attack."""


class UnsafeArchiveError(Exception):
    """An archive that is not read. `reason` is a sentence: what is in it, which entry, and what to do about it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one archive may hold.

    Attributes:
        entries: files and folders.
        size: bytes, of the archive itself and of everything in it when it is unpacked.
    """

    entries: int
    size: int

    def check(self, count: int) -> None:
        """Refuse an archive that has so many entries, if that is too many.

        Raises:
            UnsafeArchiveError: it is.
        """
        if count > self.entries:
            raise UnsafeArchiveError(
                f"it holds more than {self.entries} files and folders; "
                "leave out what is not your code, such as .git or a virtual environment"
            )


STUDENT = Limits(entries=5000, size=256 << 20)
CLASS = Limits(entries=100_000, size=1 << 30)


class Budget:
    """Counts the bytes that come out of an archive, or out of one of its entries, which has `packed` bytes itself."""

    def __init__(self, what: str, *, packed: int, most: int) -> None:
        self._what = what
        self._most = most
        self._left = min(most, max(FLOOR, RATIO * packed))
        self._by_ratio = self._left < most

    def take(self, size: int) -> None:
        """Note that `size` more bytes came out.

        Raises:
            UnsafeArchiveError: it is more than may.
        """
        self._left -= size
        if self._left >= 0:
            return
        grows = f"more than {RATIO} times its size" if self._by_ratio else f"more than {self._most >> 20} MiB"
        raise UnsafeArchiveError(
            f"{self._what} grows to {grows} when it is unpacked; leave out data, and hand in the code alone"
        )
