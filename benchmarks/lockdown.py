"""What the walls cost: a fork of the warm worker that is ready to answer, with and without them.

Ready means that the child has computed one small matrix product and said so. The ways take turns in one run, so that a
noisy machine is noisy for all of them; what is printed is the median. `python benchmarks/lockdown.py [ROUNDS]`.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from grader.forkserver import settle_memory
from grader.worker import lockdown, warming
from grader.worker.lockdown import Bounds, Lock, Plan
from grader.worker.namespaces import Kind, Possible
from grader.worker.nursery import Nursery

ROUNDS = 30
BOUNDS = Bounds(memory=4 << 30, cpu_seconds=60)
Way = Callable[[Path], tuple[float, float, float]]


def main(rounds: int) -> None:
    """Measure and print."""
    warming.warm()
    plan = lockdown.survey()
    without = Possible(kind=Kind.NONE, flags=0, reason="left out")
    plans = {"full lockdown": plan, "without namespaces": dataclasses.replace(plan, namespaces=without, users=None)}
    nurseries = {name: Nursery(each, memory=BOUNDS.memory) for name, each in plans.items()}
    settle_memory()
    ways: dict[str, Callable[[Path], tuple[float, float, float]]] = {
        "fork alone": lambda home: once(os.fork, None, home)
    }
    for name, nursery in nurseries.items():
        ways[name] = _locked(nursery)
    measured: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 3):
            for name, way in ways.items():
                home = Path(folder, f"{number}-{name.replace(' ', '-')}")
                home.mkdir()
                figures = way(home)
                if number >= 3:
                    measured[name].append(figures)
    for nursery in nurseries.values():
        nursery.close()
    _print(plan, measured)


def _locked(nursery: Nursery) -> Way:
    def way(home: Path) -> tuple[float, float, float]:
        return once(nursery.fork, nursery, home)

    return way


def once(fork: Callable[[], int], nursery: Nursery | None, home: Path) -> tuple[float, float, float]:
    """Seconds until a child is ready, until it is killed and gone, and the CPU seconds of both processes."""
    ours, theirs = socket.socketpair()
    cpu, began = _cpu(), time.perf_counter()
    pid = fork()
    if pid == 0:
        _child(nursery.lock if nursery else None, theirs, home)
    theirs.close()
    if ours.recv(1) != b"r":
        raise SystemExit("a child was not locked")
    ready = time.perf_counter() - began
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if nursery is not None:
        nursery.ended(pid)
    ours.close()
    return ready, time.perf_counter() - began, _cpu() - cpu


def _child(lock: Lock | None, stream: socket.socket, home: Path) -> None:
    try:
        if lock is not None:
            lock.apply(keep=stream.fileno(), home=home, bounds=BOUNDS)
        torch.ones(4, 4) @ torch.ones(4, 4)
        stream.send(b"r")
        signal.pause()
    finally:
        os._exit(1)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _print(plan: Plan, measured: dict[str, list[tuple[float, float, float]]]) -> None:
    print(f"walls through {plan.namespaces.kind.value}; median of {len(measured['fork alone'])}, ms")
    print(f"{'':22}{'ready':>8}{'added':>8}{'gone':>8}{'CPU':>8}{'added':>8}")
    base = _medians(measured["fork alone"])
    for name, figures in measured.items():
        ready, gone, cpu = _medians(figures)
        print(f"{name:22}{ready:8.1f}{ready - base[0]:8.1f}{gone:8.1f}{cpu:8.1f}{cpu - base[2]:8.1f}")


def _medians(figures: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    ready, gone, cpu = (1000 * statistics.median(column) for column in zip(*figures, strict=True))
    # the clock of CPU time is coarse: the mean of all says more than its median
    cpu = 1000 * statistics.mean(row[2] for row in figures)
    return ready, gone, cpu


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
