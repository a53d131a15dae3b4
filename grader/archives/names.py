"""The names in an archive: each is safe by itself, and no two of them are one file to anybody's file system."""

from __future__ import annotations

import os
import re
import unicodedata

from grader.archives.limits import UnsafeArchiveError
from grader.text import clean

_LONGEST = 1024
_LONGEST_PART = 255
_DEEPEST = 64
_ACTING = frozenset({"Cc", "Zl", "Zp"})
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_DRIVE = re.compile(r"[A-Za-z]:")
_AGAIN = "pack the files again, with their names from the folder they are in, and hand that in"


def shown(name: str) -> str:
    """Return the name of an entry as it is shown in a reason."""
    return f"'{clean(name, limit=100, keep_newlines=False)}'"


class Names:
    """The names of one archive, while its entries are gone through."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, bool]] = {}

    def add(self, name: str, *, is_folder: bool) -> str:
        """Return the path of an entry: its name without what means nothing, as in `./a//b/`. Empty for the top.

        Raises:
            UnsafeArchiveError: the name is not safe, or is another's as well.
        """
        if reason := _why_unsafe(name):
            raise UnsafeArchiveError(f"its entry {shown(name)} {reason}; {_AGAIN}")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts and not is_folder:
            raise UnsafeArchiveError(f"it holds a file without a name ({shown(name)}); {_AGAIN}")
        for length in range(1, len(parts)):
            self._claim("/".join(parts[:length]), is_folder=True)
        path = "/".join(parts)
        if parts:
            self._claim(path, is_folder=is_folder)
        return path

    def _claim(self, path: str, *, is_folder: bool) -> None:
        key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
        if key not in self._seen:
            self._seen[key] = (path, is_folder)
            return
        known, was_folder = self._seen[key]
        if known != path:
            raise UnsafeArchiveError(
                f"its entries {shown(known)} and {shown(path)} have one name on many computers; "
                "rename or leave out one of them, pack the rest again and hand that in"
            )
        if was_folder != is_folder:
            raise UnsafeArchiveError(f"its entry {shown(path)} is a file and a folder at once; {_AGAIN}")
        if not is_folder:
            raise UnsafeArchiveError(
                f"it holds {shown(path)} twice; make a new archive that holds every file once, and hand that in"
            )


def _why_unsafe(name: str) -> str:
    if any(char in _BIDI or unicodedata.category(char) in _ACTING for char in name):
        return "has characters in its name that cannot be seen and act or mislead"
    if "\\" in name or _DRIVE.match(name):
        return "has a backslash or a drive letter in its name"
    parts = name.split("/")
    if name.startswith("/"):
        return "has an absolute name"
    if ".." in parts:
        return "has a name that leads out of the archive"
    if len(os.fsencode(name)) > _LONGEST or max(len(os.fsencode(part)) for part in parts) > _LONGEST_PART:
        return "has a name longer than a file can have"
    if len(parts) > _DEEPEST:
        return f"is in more than {_DEEPEST} folders, one in the other"
    return ""
