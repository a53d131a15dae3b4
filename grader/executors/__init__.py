"""Where attempts are made. An executor takes jobs and gives attempts, in whatever order they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from grader.model import Assignment, Attempt, IsolationLevel, Job


def least_isolation(assignments: Iterable[Assignment], asked: IsolationLevel | None) -> IsolationLevel:
    """What these assignments' submissions must at least run behind: hidden checks stay hidden, unless asked aloud."""
    if asked is not None:
        return asked
    hidden = any(check.hidden for assignment in assignments for check in assignment.checks)
    return IsolationLevel.CONFINED if hidden else IsolationLevel.PROCESS_ONLY


class Executor(Protocol):
    """One way to examine submissions: warm processes on this machine, or many machines."""

    def run(self, jobs: Iterable[Job], *, on_start: Callable[[Job], None]) -> Iterator[Attempt]:
        """Examine every job. Closing the iterator early ends whatever is running and leaves no process behind.

        Args:
            jobs: taken one by one, as there is room.
            on_start: called when a job is begun; from any thread.

        Raises:
            GraderError: the machine or the assignment does not allow to examine anything.
        """
