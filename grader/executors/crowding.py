"""Whether code was late because of itself, or because the machine had no time for it.

The kernel counts for every task how long it was ready to run and did not get a core (`schedstat`). What sleeps, or
waits for something, is not ready; what computes and is alone hardly waits. So the share of a worker's life that it
spent waiting for a core tells how much longer a budget would have to be to mean the same as on an idle machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MOST: Final = 6.0
"""How much longer budgets get at most."""
RESERVE: Final = 1.5
"""Crowds change; the next one may be larger."""
FAMILY: Final = 64
"""Processes that are looked at."""


def waited(pid: int) -> float:
    """Seconds that a process, or whichever of its descendants had it worst, was kept from running by others."""
    return max((_delay(each) for each in _family(pid)), default=0.0)


def stretch(waited_seconds: float, seconds: float) -> float:
    """By how much budgets are to be multiplied for code that waited so long for a core in `seconds` of its life."""
    share = min(max(waited_seconds / seconds, 0.0), 1.0) if seconds > 0 else 0.0
    if share < 0.1:
        return 1.0
    return min(MOST, float(math.ceil(RESERVE / (1.0 - share)))) if share < 1.0 else MOST


def _delay(pid: int) -> float:
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
