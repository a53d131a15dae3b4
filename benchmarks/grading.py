"""How much a submission costs, against a fresh `python -m pytest` process that runs the same checks on the same file.

    python benchmarks/grading.py [--copies 200] [--fresh 5] [--json FILE]

Every figure of one run is measured on the same machine within the same minutes; only ratios are worth comparing between
machines. Copies differ by a comment, so that no attempt is reused. CPU is user + system time of every process involved,
start-up left out: it is paid once for a class, and shown on a line of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from costs import Cost, Meter, median, memory, show

from grader.assignments import load
from grader.executors.local import LocalExecutor
from grader.model import Assignment, Attempt, Job, Match, Outcome, SourceFile, Submission

ROOT = Path(__file__).resolve().parent.parent


def copies(assignment: Assignment, file: Path, count: int) -> Iterator[Job]:
    """Jobs for `count` submissions that do the same and differ in content."""
    for number in range(count):
        content = file.read_bytes() + f"\n# copy {number}\n".encode()
        digest = hashlib.sha256(content).hexdigest()
        source = SourceFile(path=file.name, content=content)
        submission = Submission(student=f"student-{number}", origin=file, files=(source,), digest=digest)
        match = Match(file=file.name, target=assignment.entry)
        yield Job(key=digest, seed=digest, submission=submission, assignment=assignment, match=match)


def graded(assignment: Assignment, file: Path, *, count: int, jobs: int) -> tuple[Cost, float]:
    """Grade copies; returns the cost of one, and the seconds of the start-up. The first two warm up, uncounted."""
    attempts = LocalExecutor((assignment,), jobs=jobs).run(copies(assignment, file, count), on_start=lambda job: None)
    began = time.perf_counter()
    seconds: list[float] = []
    peak = 0.0
    for number, attempt in enumerate(attempts):
        _require_full_marks(attempt)
        if number == 1:
            start_up, meter = time.perf_counter() - began, Meter()
        elif number > 1:
            seconds.append(attempt.seconds)
            if number % 10 == 0:
                peak = max(peak, memory())
        if number == count - 1:
            cpu, wall = meter.seconds()
    done = count - 2
    return Cost(cpu=cpu / done, wall=wall / done, latency=statistics.median(seconds), peak=peak), start_up


def _require_full_marks(attempt: Attempt) -> None:
    lost = [result for result in attempt.results if result.outcome is not Outcome.PASSED]
    if lost:
        raise SystemExit(f"the benchmark's submission lost marks, so its cost says nothing: {lost[0]}")


def fresh_pytest(assignment: Assignment, file: Path) -> Cost:
    """One fresh pytest process with the same checks on the same file."""
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "grader.examiner.standalone"),
        *("--submission", str(file), "--class", assignment.entry, "--construct", assignment.contract.construct),
        *("-c", "/dev/null", "--rootdir", str(assignment.folder), str(assignment.folder / "checks")),
    ]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"the fresh pytest process failed:\n{done.stdout}{done.stderr}")
    return Cost(cpu=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall=wall)


def help_seconds() -> float:
    """Median wall time of `grade --help`."""
    times = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "grader", "--help"], stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure(count: int, fresh: int) -> dict[str, Any]:
    """All figures, with progress on standard error."""
    assignment = load(ROOT / "assignments" / "multi-head-attention", solutions=ROOT / "solutions")
    file = assignment.reference
    processes = []
    for number in range(fresh):
        processes.append(fresh_pytest(assignment, file))
        print(f"fresh pytest {number + 1} of {fresh}: {processes[-1]}", file=sys.stderr, flush=True)
    rows = {}
    for jobs in (1, 2):
        print(f"grading {count} copies, {jobs} at a time", file=sys.stderr, flush=True)
        rows[f"graded, {jobs} at a time"], start_up = graded(assignment, file, count=count, jobs=jobs)
    return {
        "copies": count,
        "checks": len(assignment.checks),
        "fresh": median(processes),
        "graded": rows,
        "start_up": start_up,
        "help": help_seconds(),
    }


def show_all(figures: dict[str, Any]) -> None:
    """Print the figures as a table."""
    print(f"{figures['copies']} copies of the reference, {figures['checks']} checks each")
    show("fresh pytest process", figures["fresh"], figures["graded"])
    print(f"start-up, once for a class: {figures['start_up']:.2f} s;  grade --help: {figures['help']:.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--fresh", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.copies, options.fresh)
    show_all(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2, default=dataclasses.asdict) + "\n")


if __name__ == "__main__":
    main()
