"""What student code prints, bounded."""

from __future__ import annotations

import io
import warnings
from collections.abc import Container
from typing import Final

OUTPUT_CAP: Final = 8000


def warn_plainly(own: Container[str]) -> None:
    """Have warnings say what and, in the student's `own` files, where; the rest of the path is the machine's."""

    def told(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        where = f"{filename}, line {lineno}: " if filename in own else ""
        return f"{where}{category.__name__}: {message}\n"

    warnings.formatwarning = told


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
