"""What a grader says of time on a machine that does more than test.

Who was late while the machine had no core for him is examined again with budgets that are a whole number of times as
long, and is told the longer one. A corpus names the budgets as they are written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar

from grader.executors.crowding import MOST

TOLD = re.compile(r"\bafter (\d+) seconds")


TRIES: Final = 3
"""A machine that does more is late now and then; what is too slow is late each time."""


class Timed(Protocol):
    """What took a while."""

    @property
    def seconds(self) -> float:
        """How long."""


Done = TypeVar("Done", bound=Timed)


def promptly(act: Callable[[], Done], *, within: float) -> Done:
    """The first of a few tries that took less than so many seconds; where none did, the last one."""
    for _ in range(TRIES - 1):
        done = act()
        if done.seconds < within:
            return done
    return act()


def as_written(text: str, *budgets: int) -> str:
    """A text with these budgets instead of longer ones."""

    def shortened(told: re.Match[str]) -> str:
        number = int(told[1])
        fits = [budget for budget in budgets if number % budget == 0 and 1 <= number // budget <= MOST]
        return f"after {max(fits)} seconds" if fits else told[0]

    return TOLD.sub(shortened, text)


def times_longer(texts: Iterable[str], *budgets: int) -> int:
    """How many times longer than written a budget was at most, as far as these texts say; 1 where none does."""
    numbers = [int(number) for text in texts for number in TOLD.findall(text)]
    fits = [number // budget for number in numbers for budget in budgets if number % budget == 0]
    return max((times for times in fits if times <= MOST), default=1)
