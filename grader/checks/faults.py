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
from grader.attention.devices import is_about_devices
from grader.model import Outcome, Place
from grader.text import clean

LINES_KEPT = 12
"""How many of the student's lines are kept of a traceback, the innermost."""


class Fault(Exception):
    """Root: something about the student's code, never about ours."""

    outcome: Outcome

    def __init__(self, message: str, *, where: Place | None = None, finding: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.finding = finding


class Raised(Fault):
    """The student's code raised.

    Attributes:
        type, text: the exception's name, and what it says.
        stage: what the code was doing: `load`, `find`, `build` or `call`.
        shapes: of the tensors that were handed in.
    """

    outcome = Outcome.ERRORED

    def __init__(self, raised: wire.Raised, *, shapes: tuple[tuple[int, ...], ...] = ()) -> None:
        self.type = clean(raised.type, limit=80, keep_newlines=False)
        self.text = clean(raised.message, limit=600, keep_newlines=False)
        self.stage = raised.stage
        self.output = clean(raised.output, limit=8000)
        self.shapes = shapes
        self._frames = raised.frames
        where = place(raised.frames)
        super().__init__(_sentence(self.stage, self.type, self.text), where=where)

    @property
    def trace(self) -> tuple[Place, ...]:
        """The student's own lines that led there, outermost first."""
        frames = self._frames[-LINES_KEPT:]
        return tuple(found for frame in frames if (found := place((frame,))) is not None)

    @property
    def is_about_devices(self) -> bool:
        """Whether torch complains that tensors live on different devices."""
        return is_about_devices(self.text)


class TimedOut(Fault):
    """The student's code was not done in time."""

    outcome = Outcome.TIMED_OUT


class Killed(Fault):
    """The student's process ended while it was working for a check."""

    outcome = Outcome.KILLED


class WrongResult(Fault):
    """The student's code returned something that the contract rules out before any number is compared.

    Attributes:
        shape: of the tensor that it returned; None where that was no tensor.
        wanted: the shape that it should have.
    """

    outcome = Outcome.FAILED

    def __init__(
        self,
        message: str,
        *,
        finding: str | None = None,
        shape: tuple[int, ...] | None = None,
        wanted: tuple[int, ...] = (),
    ) -> None:
        super().__init__(message, finding=finding)
        self.shape = shape
        self.wanted = wanted


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
