"""Whether code was late because of itself, or because the machine had no time for it.

The kernel counts for every task how long it ran, and how long it was ready to run and did not get a core (`schedstat`).
What sleeps, or waits for something, is not ready; what computes and is alone hardly waits. So the share of a worker's
life that it spent waiting for a core tells how much longer a budget would have to be to mean the same as on an idle
machine.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

IDLE: Final = 0.5
"""Who computed for less than this share of its life was waiting, for whatever it was."""
MOST: Final = 6.0
"""How much longer budgets get at most."""
RESERVE: Final = 1.5
"""Crowds change; the next one may be larger."""
FAMILY: Final = 64
"""Processes that are looked at."""
TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that a family of processes had computed, and the most that one of them had been kept waiting for a core,
    up to some moment."""

    computed: float = 0.0
    waited: float = 0.0

    def since(self, before: Times) -> Times:
        """What came after an earlier moment."""
        return Times(max(self.computed - before.computed, 0.0), max(self.waited - before.waited, 0.0))

    def idle(self, seconds: float) -> bool:
        """Whether most of a life of so many seconds was not spent computing."""
        return self.computed < seconds * IDLE

    def stretch(self, seconds: float) -> float:
        """By how much budgets are to be multiplied for code that waited so long for a core in `seconds` of its life."""
        share = min(self.waited / seconds, 1.0) if seconds > 0 else 0.0
        if share < 0.1:
            return 1.0
        return min(MOST, float(math.ceil(RESERVE / (1.0 - share)))) if share < 1.0 else MOST


def times(pid: int | None) -> Times:
    """Those of a process and its descendants until now; nothing of what has ended and was not waited for."""
    family = [] if pid is None else list(_family(pid))
    return Times(sum(map(_computed, family)), max(map(_waited, family), default=0.0))


def _computed(pid: int) -> float:
    """User and system time, with that of children that were waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return sum(int(field) for field in fields[11:15]) / TICK
    except (OSError, ValueError):
        return 0.0  # it has ended


def _waited(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0  # it has ended, or the kernel does not count


def _family(pid: int) -> Iterator[int]:
    waiting, seen = [pid], 0
    while waiting and seen < FAMILY:
        seen += 1
        parent = waiting.pop()
        yield parent
        try:
            waiting += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
        except (OSError, ValueError):
            continue
