"""Waits for files to be saved, whatever an editor does to save them.

Editors truncate a file and write it, write another one and rename it, or delete it first; a large notebook arrives in
several pieces. So the folder is watched and not the file, a change is looked at when the file has been still for a
moment, and code that cannot be parsed gets a little longer: it may be half of what is coming.
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from watchfiles import Change, watch

from grader.model import Submission
from grader.selfcheck.choosing import read

STEP: Final = 20
"""Milliseconds without another change after which changes are told."""
LOOK_EVERY: Final = 1000
"""Milliseconds after which files are looked at even where no change was told, as of folders on a network."""
STILL: Final = 0.02
"""Seconds in which a file that is complete does not change."""
HALF_WRITTEN: Final = 0.2
"""Seconds for the other half of what cannot be parsed."""
SETTLE: Final = 2.0
"""Seconds after which a file that never stays the same is read as it is."""

State = tuple[tuple[int, int, int] | None, ...]
"""Of each file what changes when it is saved; None where there is no file."""


class Saves:
    """What files hold, each time that it has changed.

    Attributes:
        seen: when the change that was told last was noticed, on `time.monotonic`.
    """

    def __init__(self, paths: Sequence[Path], *, reading: Callable[[Sequence[Path]], Submission] = read) -> None:
        """Begin to watch `paths`, which need not be there at any time; their folders must."""
        self._paths = tuple(path.absolute() for path in paths)
        self._reading = reading
        self._state: State = ()
        self._digest: str | None = ""
        self.seen = 0.0

    def __iter__(self) -> Iterator[Submission | None]:
        """Yield what the files hold now, then after each change; None when one of them is gone.

        Ends when a folder is gone. Raises `KeyboardInterrupt` on Ctrl-C.
        """
        yield from self._news()
        names = {str(path) for path in self._paths}
        folders = {path.parent for path in self._paths}
        told = watch(
            *folders,
            watch_filter=lambda _change, path: path in names,
            step=STEP,
            debounce=10 * STEP,
            rust_timeout=LOOK_EVERY,
            yield_on_timeout=True,
            recursive=False,
            raise_interrupt=True,
        )
        for _ in _until_gone(told, folders):
            if _state(self._paths) != self._state:
                self.seen = time.monotonic()
                yield from self._news()

    def _news(self) -> Iterator[Submission | None]:
        """What the files hold, unless it is what they held before."""
        submission = self._settled()
        digest = None if submission is None else submission.rejected or submission.digest
        if digest != self._digest:
            self._digest = digest
            yield submission

    def _settled(self) -> Submission | None:
        """Read the files when they have been still for a moment."""
        until = time.monotonic() + SETTLE
        patience = HALF_WRITTEN
        self._state = _state(self._paths)
        while True:
            time.sleep(STILL)
            state = _state(self._paths)
            late = time.monotonic() > until
            if state != self._state and not late:
                self._state, patience = state, HALF_WRITTEN
                continue
            submission = None if None in state else self._reading(self._paths)
            if late or patience <= 0 or (submission is not None and _is_whole(submission)):
                return submission
            patience -= STILL


def _until_gone(told: Iterator[set[tuple[Change, str]]], folders: set[Path]) -> Iterator[None]:
    """One item for each time that something may have changed, as long as the folders are there."""
    for _ in told:
        if not all(folder.is_dir() for folder in folders):
            return
        yield


def _state(paths: Sequence[Path]) -> State:
    return tuple(map(_stamp, paths))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_whole(submission: Submission) -> bool:
    """Whether nothing speaks for another half that is still to come."""
    if submission.rejected is not None or any(not file.content.strip() for file in submission.files):
        return False
    try:
        for file in submission.files:
            if not file.cells:
                ast.parse(file.content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return not any(file.repairs for file in submission.files)
