"""Everything that can go wrong on our side of the table, as one tree.

    GraderError                 a person can act on it: what happened, where, what to do
      ConfigurationError        an assignment, an option or a path is not usable
        ProblemsFound           several problems of one file, each with its key path
      IsolationError            the machine gives less isolation than checks need
      WireError                 the other end of a socket broke the protocol
        PeerClosed              it closed the connection, or died
        DeadlinePassed          it did not answer in time
      WarmProcessError          a warm process could not be started, or went away
      StoreError                the file of stored attempts is not usable

What a student's code does wrong is never an exception of this tree: it is an outcome, and a value (`grader.model`).
"""

from __future__ import annotations

from pathlib import Path


class GraderError(Exception):
    """Root of the tree. `hint` says what to do about it; the command line prints it after a blank line."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigurationError(GraderError):
    """Something an instructor wrote or typed cannot be used; `path` is where."""

    def __init__(self, message: str, *, path: Path | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class ProblemsFound(ConfigurationError):
    """All problems of one file at once. `problems` are full lines: `assignment.toml: limits.seconds: expected ...`."""

    def __init__(self, problems: tuple[str, ...], *, path: Path) -> None:
        super().__init__("\n".join(problems), path=path)
        self.problems = problems


class IsolationError(GraderError):
    """Student code would run behind less than was asked for, or than hidden checks need.

    Attributes:
        asked: the least that is put up with.
        given: what this machine gives.
        missing: what it lacks.
    """

    def __init__(self, *, asked: str, given: str, missing: tuple[str, ...] = ()) -> None:
        lacks = "".join(f"\n  {line}" for line in missing)
        super().__init__(
            f"the isolation here is {given!r}, and the checks are to be run with {asked!r} at least{lacks}",
            hint=f"`grade doctor` says what to do for more; `--isolation {given}` runs all the same, and every report "
            "then says that submissions could reach what they must not",
        )
        self.asked = asked
        self.given = given
        self.missing = missing


class WireError(GraderError):
    """Bytes arrived that are not a frame of ours, or a frame that says something it may not say."""


class PeerClosed(WireError):
    """The other end closed its socket: it finished, or it died."""


class DeadlinePassed(WireError):
    """The absolute deadline of an exchange passed before it was complete."""


class WarmProcessError(GraderError):
    """A warm process did not start, or went away while it was needed.

    Attributes:
        room: `examiner` or `worker`.
        pid: which process it was; None where none was asked.
    """

    def __init__(self, message: str, *, room: str, pid: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.room = room
        self.pid = pid


class StoreError(GraderError):
    """The file of stored attempts cannot be opened or written; `path` is the file."""

    def __init__(self, message: str, *, path: Path, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path
