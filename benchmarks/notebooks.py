"""How much a notebook costs from the file to its results, against cold `nbclient` that only executes it.

    python benchmarks/notebooks.py [--copies 40] [--cold 5] [--notebook FILE] [--json FILE]

The notebook is the reference solution cut into cells, with one that tries it out, or a correct one that is given. The
competitor is a fresh Python
process that imports nbclient, starts a kernel over the default transport, and runs the cells once; the grader runs the
cells, then every check. Cold runs and batches of copies take turns, so that other work on the machine hits all of them.
Copies differ by a comment. CPU is user + system time of every process involved, the kernels' included; the warm
processes' start-up is left out.

The phases are those of further copies, one at a time, in a worker that notes when it reaches what; see `stamps`.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import queue
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from costs import Cost, Meter, children, median, memory, show
from stamps import Moment, Stamps

from grader import wire
from grader.assignments import load_all
from grader.executors.examination import Examination
from grader.executors.local import LocalExecutor
from grader.executors.performance import Performance
from grader.executors.rooms import QUIET, Rooms
from grader.executors.warm import Lease, WarmProcess, sealed
from grader.forkserver import Fate
from grader.matching import match
from grader.model import Assignment, Attempt, IsolationLevel, Job, Loading, Outcome
from grader.submissions import find

ROOT = Path(__file__).resolve().parent.parent

DEMONSTRATION = """\
torch.manual_seed(0)
attention = MultiHeadSelfAttention(embed_dim=32, num_heads=4)
x = torch.randn(2, 6, 32)
output = attention(x)
print("output:", output.shape)
output.shape"""

COLD = """\
import os, sys
import nbformat
from nbclient import NotebookClient
NotebookClient(nbformat.read(sys.argv[1], as_version=4), timeout=600).execute()
try:
    while True:
        os.wait()
except ChildProcessError:
    pass"""
"""What the fresh process runs. Waiting for all children makes sure that the kernel's time counts as this process's."""


def notebook(assignment: Assignment, number: int) -> str:
    """A notebook in which the reference solution is defined and tried out. Those of two numbers differ in a comment."""
    imports, definition = assignment.reference.read_text().split("\nclass ", 1)
    texts = (imports.strip(), f"class {definition.strip()}", f"{DEMONSTRATION}  # copy {number}")
    code: dict[str, Any] = {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": []}
    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": "# Multi-head self-attention"}]
    cells += [{**code, "source": text} for text in texts]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    named = [{"id": f"cell-{index}", **cell} for index, cell in enumerate(cells)]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": named})


def copy_of(file: Path, number: int) -> str:
    """A notebook as it is in a file, but for a comment in its last cell."""
    document = json.loads(file.read_text())
    last = [cell for cell in document["cells"] if cell["cell_type"] == "code"][-1]
    last["source"] = f"{''.join(last['source'])}\n# copy {number}"
    return json.dumps(document)


def job(file: Path, assignment: Assignment) -> Job:
    """The job of one notebook, from its file, as a run makes it."""
    (submission,) = find((file,))
    ((_, chosen),) = match(submission, (assignment,), explicit=False).matched
    return Job(
        key=submission.digest, seed=submission.digest, submission=submission, assignment=assignment, match=chosen
    )


def cold(file: Path) -> Cost:
    """Execute a notebook with nbclient in a fresh process."""
    command = [sys.executable, "-c", COLD, str(file)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"nbclient failed:\n{done.stdout}{done.stderr}")
    return Cost(cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall=wall)


class Bench:
    """A local executor that grades batches, and is idle in between."""

    def __init__(self, assignment: Assignment, *, jobs: int) -> None:
        self._assignment = assignment
        self._waiting: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._attempts = LocalExecutor((assignment,), jobs=jobs).run(self._jobs(), on_start=lambda job: None)
        self._cpu = self._wall = self._peak = 0.0
        self._seconds: list[float] = []

    def _jobs(self) -> Iterator[Job]:
        while (file := self._waiting.get()) is not None:
            yield job(file, self._assignment)

    def warm_up(self, files: list[Path]) -> None:
        """Grade some that do not count. The last one only begins with the next batch: jobs are looked ahead for."""
        for file in files:
            self._waiting.put(file)
        for _ in files[1:]:
            require_full_marks(next(self._attempts))
            self._peak = max(self._peak, memory())  # here, because looking costs a quarter of a submission
        _settle()

    def grade(self, files: list[Path]) -> None:
        """Grade as many as there are files, until nothing of them is left."""
        meter = Meter()
        for file in files:
            self._waiting.put(file)
        for _ in files:
            attempt = next(self._attempts)
            require_full_marks(attempt)
            self._seconds.append(attempt.seconds)
        _settle()
        cpu, wall = meter.seconds()
        self._cpu += cpu
        self._wall += wall

    def cost(self) -> Cost:
        """What one submission cost."""
        count = len(self._seconds)
        latency = statistics.median(self._seconds)
        return Cost(cpu=self._cpu / count, wall=self._wall / count, latency=latency, peak=self._peak)

    def close(self) -> None:
        """End it. One submission is begun and dropped."""
        self._waiting.put(None)
        for _ in self._attempts:
            continue


def _settle() -> None:
    """Wait until no warm process has a child: a notebook's processes are ended after its results are out."""
    while any(children(room) for room in children(os.getpid())):
        time.sleep(0.0005)


def require_full_marks(attempt: Attempt) -> None:
    """Leave unless everything was right and the notebook was run whole."""
    lost = [result for result in attempt.results if result.outcome is not Outcome.PASSED]
    if lost or attempt.loading is not Loading.EXECUTED:
        reason = lost[0] if lost else attempt.loading_note
        raise SystemExit(f"the benchmark's submission lost marks, so its cost says nothing: {reason}")


# -- phases ------------------------------------------------------------------------------------------------------------


class StampedRooms(Rooms):
    """The warm processes, the worker with stamps.

    Attributes:
        stamps: of the notebook under way.
        examined: when the examiner had nothing more to say.
        examiner: the CPU seconds it had used then.
    """

    def __init__(self, assignment: Assignment, stamps: Stamps) -> None:
        super().__init__((assignment,), isolation=IsolationLevel.CONFINED)
        self.stamps = stamps
        self.examined = self.examiner = 0.0

    def _start(self, room: str) -> WarmProcess:
        if room != "worker":
            return super()._start(room)
        arguments = [str(self._scratch), str(self._memory), str(self.stamps.file)]
        return WarmProcess(
            room, environment=QUIET, arguments=arguments, program=[str(ROOT / "benchmarks" / "stamps.py")]
        )

    def end(self, lease: Lease, *, patience: float = 0.0) -> Fate:
        """Note when the examiner is ended, which is what comes first."""
        examined = time.monotonic()
        fate = super().end(lease, patience=patience)
        if not self.examined:
            self.examined, self.examiner = examined, fate.user_seconds + fate.system_seconds
        return fate


def phases(assignment: Assignment, files: list[Path]) -> tuple[dict[str, float], dict[str, float]]:
    """Median wall seconds of each phase, and median CPU seconds of each process. The first two files warm up."""
    with tempfile.TemporaryDirectory() as folder:
        rooms = StampedRooms(assignment, Stamps(Path(folder) / "stamps"))
        with rooms:
            found = [_walk_through(rooms, job(file, assignment)) for file in files][2:]
    return _medians([walls for walls, _ in found]), _medians([cpus for _, cpus in found])


def _walk_through(rooms: StampedRooms, job: Job) -> tuple[dict[str, float], dict[str, float]]:
    """Grade one notebook, and say what took how long."""
    (file,) = job.submission.files
    cells = tuple(wire.CodeCell(cell.number, cell.source, cell.python) for cell in file.cells)
    stamps, rooms.examined = rooms.stamps, 0.0
    stamps.forget()
    meter, began = Meter(), time.monotonic()
    with sealed(wire.pack({file.path: wire.File(b"", cells)})) as bundle:
        core = min(os.sched_getaffinity(0))
        performance = Performance(rooms, bundle, job.assignment.limits, core)
        with contextlib.closing(performance):
            require_full_marks(Examination(rooms, job, core, bundle, performance).run())
    ended = time.monotonic()
    _settle()
    total, _ = meter.seconds()
    order = {
        "fork and lock down": stamps.when(Moment.LOCKED),
        "kernel to bound sockets": stamps.when(Moment.BOUND),
        "readiness and kernel_info": stamps.when(Moment.READY),
        "cells": stamps.when(Moment.LEFT),
        "handing over, loading": stamps.when(Moment.OPENED),
        "checks": rooms.examined,
        "ending": ended,
    }
    walls = {name: now - then for (name, now), then in zip(order.items(), (began, *order.values()), strict=False)}
    cpus = {
        "client": stamps.cpu(Moment.PLAYED),
        "kernel": stamps.cpu(Moment.BRANCHED),
        "its fork that answers": stamps.cpu(Moment.ANSWERED),
        "examiner": rooms.examiner,
    }
    return walls, cpus | {"forking, ending, host": total - sum(cpus.values())}


def _medians(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


# -- the run -----------------------------------------------------------------------------------------------------------


def measure(count: int, rounds: int, given: Path | None) -> dict[str, Any]:
    """All figures, with progress on standard error."""
    assignments = load_all(ROOT / "assignments", solutions=ROOT / "solutions")
    assignment = next(one for one in assignments if one.id == "multi-head-attention")
    if given is not None:
        (submission,) = find((given,))
        assignment = match(submission, assignments, explicit=False).matched[0][0]
    batch = -(-count // rounds)
    with tempfile.TemporaryDirectory() as folder:
        files = _files(assignment, Path(folder), given)
        benches = {f"graded, {jobs} at a time": Bench(assignment, jobs=jobs) for jobs in (1, 2)}
        for bench in benches.values():
            bench.warm_up([next(files) for _ in range(4)])
        fresh = []
        for number in range(rounds):
            fresh.append(cold(next(files)))
            print(f"cold nbclient {number + 1} of {rounds}: {fresh[-1]}", file=sys.stderr, flush=True)
            for bench in benches.values():
                bench.grade([next(files) for _ in range(batch)])
        for bench in benches.values():
            bench.close()
        walls, cpus = phases(assignment, [next(files) for _ in range(count)])
    return {
        "copies": batch * rounds,
        "of": "a notebook with the reference in 3 cells" if given is None else given.name,
        "checks": len(assignment.checks),
        "cold": median(fresh),
        "graded": {name: bench.cost() for name, bench in benches.items()},
        "phases": walls,
        "processes": cpus,
    }


def _files(assignment: Assignment, folder: Path, given: Path | None) -> Iterator[Path]:
    number = 0
    while True:
        number += 1
        file = folder / f"copy-{number}.ipynb"
        file.write_text(notebook(assignment, number) if given is None else copy_of(given, number))
        yield file


def show_all(figures: dict[str, Any]) -> None:
    """Print the figures as tables."""
    print(f"{figures['copies']} copies of {figures['of']}, {figures['checks']} checks each")
    show("cold nbclient, no checks", figures["cold"], figures["graded"])
    for title, unit, parts in (
        ("phases, 1 at a time", "wall ms", figures["phases"]),
        ("processes", "CPU ms", figures["processes"]),
    ):
        total = sum(parts.values())
        print(f"\n{title:28}{unit:>8}{'share':>8}")
        for name, seconds in parts.items():
            print(f"{name:28}{1000 * seconds:8.1f}{seconds / total:8.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=40)
    parser.add_argument("--cold", type=int, default=5)
    parser.add_argument("--notebook", type=Path, help="a correct notebook to be used instead")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.copies, options.cold, options.notebook)
    show_all(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2, default=dataclasses.asdict) + "\n")


if __name__ == "__main__":
    main()
