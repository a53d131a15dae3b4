"""What processes cost in CPU time, wall time and memory, and the table that compares it."""

from __future__ import annotations

import os
import resource
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds per submission. `latency` is from its beginning to its verdict, `peak` the memory in MB while it ran."""

    cpu: float
    wall: float
    latency: float | None = None
    peak: float | None = None


class Meter:
    """Measures from its creation: this process, its children of that moment, and what those have waited for."""

    def __init__(self) -> None:
        self._children = children(os.getpid())
        self._cpu = self._cpu_now()
        self._began = time.perf_counter()

    def seconds(self) -> tuple[float, float]:
        """CPU and wall seconds so far."""
        return self._cpu_now() - self._cpu, time.perf_counter() - self._began

    def _cpu_now(self) -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime + sum(map(cpu_of, self._children))


def median(costs: list[Cost]) -> Cost:
    """CPU and wall time, each the median."""
    return Cost(cpu=statistics.median(cost.cpu for cost in costs), wall=statistics.median(cost.wall for cost in costs))


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and of its children that have been waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICK


def memory_of(pid: int) -> float:
    """Proportional set size of a process in MB."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def memory() -> float:
    """The same for this process and everything below it."""
    return sum(map(memory_of, [os.getpid(), *descendants(os.getpid())]))


def children(pid: int) -> list[int]:
    """The processes that a process has started, from whichever of its threads."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return [int(child) for task in tasks for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """A process's children, theirs, and so on."""
    return [each for child in children(pid) for each in (child, *descendants(child))]


def show(baseline: str, cold: Cost, rows: dict[str, Cost]) -> None:
    """Print a table: the baseline first, then each row with how many times less it costs."""
    print(f"{'':28}{'CPU s':>8}{'ratio':>8}{'wall s':>9}{'ratio':>8}{'latency s':>11}{'peak MB':>9}{'per min':>9}")
    print(f"{baseline:28}{cold.cpu:8.3f}{'1':>8}{cold.wall:9.3f}{'1':>8}{'':20}{60 / cold.wall:9.0f}")
    for name, cost in rows.items():
        print(
            f"{name:28}{cost.cpu:8.3f}{cold.cpu / cost.cpu:8.1f}{cost.wall:9.3f}{cold.wall / cost.wall:8.1f}"
            f"{cost.latency or 0:11.3f}{cost.peak or 0:9.0f}{60 / cost.wall:9.0f}"
        )
