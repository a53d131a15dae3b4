"""How a run is going: a live display in a terminal, plain lines elsewhere, nothing when asked to be quiet."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from grader.model import Attempt, Job, Outcome
from grader.reports.terminal import plain

LINE_EVERY = 2.0
"""Seconds between plain progress lines."""


class Silent:
    """Watches without a word.

    Attributes:
        total, reused, done, imperfect: attempts wanted, taken from the store, finished, finished with something wrong.
    """

    def __init__(self) -> None:
        self.total = self.reused = self.done = self.imperfect = 0
        self.running: dict[str, None] = {}
        self._lock = threading.Lock()
        self._began = time.monotonic()

    def planned(self, *, total: int, reused: int) -> None:
        """See `grader.grading.Observer`."""
        self.total, self.reused = total, reused
        self._began = time.monotonic()
        self._show()

    def started(self, job: Job) -> None:
        """See `grader.grading.Observer`."""
        with self._lock:
            self.running[job.submission.student] = None
            self._show()

    def finished(self, attempt: Attempt) -> None:
        """See `grader.grading.Observer`."""
        with self._lock:
            self.running.pop(attempt.student, None)
            self.done += 1
            self.imperfect += any(result.outcome is not Outcome.PASSED for result in attempt.results)
            self._show()

    @property
    def rate(self) -> float:
        """Finished attempts per second."""
        return self.done / max(time.monotonic() - self._began, 1e-6)

    def _show(self) -> None:
        """Say what there is to say."""


class Lines(Silent):
    """Says how far it is in a line of text now and then, for logs."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._said = 0.0

    def _show(self) -> None:
        wanted = self.total - self.reused
        now = time.monotonic()
        if not wanted or (self.done < wanted and now - self._said < LINE_EVERY):
            return
        self._said = now
        left = (wanted - self.done) / self.rate if self.done else 0.0
        tail = f", {self.rate:.1f} per second, about {left:.0f} s left" if self.done else ""
        self._console.print(
            f"graded {self.done} of {wanted}, {self.imperfect} with mistakes, {len(self.running)} running{tail}",
            highlight=False,
        )


class Live(Silent):
    """A live line in the terminal."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task = progress.add_task("starting", total=None, rate="", imperfect=0)

    def _show(self) -> None:
        names = ", ".join(list(self.running)[:3])
        doing = f"{len(self.running)} running: {names}" if names else "starting" if not self.done else "writing reports"
        self._progress.update(
            self._task,
            total=(self.total - self.reused) or None,
            completed=self.done,
            description=escape(plain(doing, 50)),
            imperfect=self.imperfect,
            rate=f"{self.rate:.1f}/s" if self.done else "",
        )


@contextmanager
def observe(*, quiet: bool) -> Iterator[Silent]:
    """The right observer for where the output goes. Progress is written to standard error."""
    console = Console(stderr=True)
    if quiet:
        yield Silent()
    elif not console.is_terminal:
        yield Lines(console)
    else:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[imperfect]} with mistakes"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield Live(progress)
