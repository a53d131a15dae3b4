"""How student code can let a check down, as exceptions that a check never has to catch.

Each carries what the report needs: the outcome, the sentence for the student, and the student's own line. They leave
the check, pytest hands them to `grader.examiner.reporting`, and there they become a `CheckResult`.

    Fault
      Raised         the code raised an exception
      TimedOut       it was not done in time
      Killed         its process ended
      WrongResult    it answered with something the contract does not allow
"""

from __future__ import annotations

from grader import wire
from grader.model import Outcome, Place
from grader.text import clean

DEVICE_WORDS = ("expected device", "same device", "different devices", "out of meta", "device meta", "meta device")
"""Fragments of torch's messages when tensors of one computation live on different devices."""


class Fault(Exception):
    """Root: something about the student's code, never about ours."""

    outcome: Outcome

    def __init__(self, message: str, *, where: Place | None = None, finding: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.finding = finding


class Raised(Fault):
    """The student's code raised. `type` is the exception's name; `stage` says what it was doing."""

    outcome = Outcome.ERRORED

    def __init__(self, raised: wire.Raised) -> None:
        self.type = clean(raised.type, limit=80, keep_newlines=False)
        self.text = clean(raised.message, limit=600, keep_newlines=False)
        self.stage = raised.stage
        self.output = clean(raised.output, limit=8000)
        where = place(raised.frames)
        super().__init__(_sentence(self.stage, self.type, self.text), where=where)

    @property
    def is_about_devices(self) -> bool:
        """Whether torch complains that tensors live on different devices."""
        return "item()" not in self.text and any(words in self.text for words in DEVICE_WORDS)


class TimedOut(Fault):
    """The student's code was not done in time."""

    outcome = Outcome.TIMED_OUT


class Killed(Fault):
    """The student's process ended while it was working for a check."""

    outcome = Outcome.KILLED


class WrongResult(Fault):
    """The student's code returned something that the contract rules out before any number is compared."""

    outcome = Outcome.FAILED


def place(frames: tuple[wire.Frame, ...]) -> Place | None:
    """The innermost of the student's own lines."""
    if not frames:
        return None
    frame = frames[-1]
    return Place(
        file=clean(frame.file, limit=200, keep_newlines=False),
        line=frame.line,
        source=clean(frame.source, limit=300, keep_newlines=False),
        function=clean(frame.function, limit=100, keep_newlines=False),
        cell=frame.cell,
    )


def _sentence(stage: str, type_: str, text: str) -> str:
    if stage == "find":
        return f"{text}."
    doing = {
        "load": "Running the file",
        "build": "Building the module",
    }.get(stage, "Calling the module")
    what = f"{type_}: {text}" if text else type_
    return f"{doing} raised {what}"
