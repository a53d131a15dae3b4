"""What student code prints, bounded."""

from __future__ import annotations

import io
from typing import Final

OUTPUT_CAP: Final = 8000


class BoundedText(io.TextIOBase):
    """A text stream that keeps the first characters written to it and drops the rest, however much it is."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._room = OUTPUT_CAP

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, text: str) -> int:
        """Keep what there is room for; says that all of it was written."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._room > 0:
            self._kept.append(text[: self._room])
            self._room -= len(self._kept[-1])
        return len(text)

    def text(self) -> str:
        """What was kept."""
        return "".join(self._kept).encode("utf-8", "replace").decode()
