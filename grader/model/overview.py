"""What a class as a whole shows: how it did, what many have in common, and what is different from the last run."""

from __future__ import annotations

from grader.model.assignment import CheckSpec
from grader.model.vocabulary import Entity, Outcome


class Likeness(Entity, frozen=True, kw_only=True):
    """Submissions whose code is nearly the same, for a person to look at. It says nothing of who wrote it first.

    Attributes:
        students: two or more; each is like at least one other.
        similarity: how much of the code the least alike of these have in common: 1 means all of it, apart from names,
            constants, comments and layout.
        size: how many pieces of code the smallest of them was compared by; the fewer, the likelier is chance.
    """

    assignment: str
    students: tuple[str, ...]
    similarity: float
    size: int


class Spread(Entity, frozen=True, kw_only=True):
    """How the points of an assignment are spread over those who handed something in.

    Attributes:
        bins: how many have a share of the points in each tenth; the last one is full marks and nothing less.
    """

    assignment: str
    title: str
    max_points: float
    graded: int
    absent: int
    full: int
    mean: float
    median: float
    lower: float
    upper: float
    bins: tuple[int, ...]


class CheckStatistics(Entity, frozen=True, kw_only=True):
    """How a class did on one check, of all submissions for which it was carried out or would have been.

    Attributes:
        number: counts the assignment's checks from 1.
        counts: how many have each outcome that occurs.
        discrimination: the correlation between passing this check and the points of all others (point-biserial): near 1
            for a check that tells strong submissions from weak ones, below 0 where the weak do better. None where it
            means nothing.
    """

    number: int
    spec: CheckSpec
    counts: dict[Outcome, int]
    discrimination: float | None = None

    @property
    def total(self) -> int:
        """All of them, except where the grader itself failed."""
        return sum(count for outcome, count in self.counts.items() if outcome is not Outcome.INTERNAL)

    @property
    def passed(self) -> int:
        """Those who passed it."""
        return self.counts.get(Outcome.PASSED, 0)

    @property
    def percent(self) -> int:
        """Passed of total, rounded down so that only all is 100."""
        return 100 * self.passed // self.total if self.total else 0


class Mistake(Entity, frozen=True, kw_only=True):
    """A finding, and who has it.

    Attributes:
        informative: whether it is only worth knowing and costs nothing.
        students: in the cohort's order, each once.
    """

    id: str
    title: str
    informative: bool
    students: tuple[str, ...]


class Change(Entity, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What is different about one submission since the last run.

    Attributes:
        edited: whether other files were handed in; if not, the assignment, the grader or torch is another one.
        gained, lost: titles of checks that earn points now, and of those that no longer do.
        found, gone: titles of mistakes that are new, and of those that are not there any more.
    """

    student: str
    assignment: str
    before: float
    after: float
    edited: bool
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def difference(self) -> float:
        """Points more than before; fewer are negative."""
        return self.after - self.before


class Changes(Entity, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A run compared with the last one of which the results are known. It may be read back from their file, which may
    have been written by a later version.

    Attributes:
        since: when that run ended, as it was written then.
        changes: submissions with other points, the greatest difference first.
        edited: how many others handed in other files and have the same points.
        added, removed: how many submissions are only in this run, and only in that one.
        grader, torch: their versions then, where they are others now; otherwise empty.
    """

    since: str
    changes: tuple[Change, ...] = ()
    edited: int = 0
    added: int = 0
    removed: int = 0
    grader: str = ""
    torch: str = ""
