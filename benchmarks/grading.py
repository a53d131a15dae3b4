"""How much a submission costs, against a fresh `python -m pytest` process that runs the same checks on the same file.

    python benchmarks/grading.py [--copies 200] [--fresh 5] [--json FILE]

Every figure of one run is measured on the same machine within the same minutes; only ratios are worth comparing between
machines. Copies differ by a comment, so that no attempt is reused. CPU is user + system time of every process involved,
start-up left out: it is paid once for a class, and shown on a line of its own.
"""

from __future__ import annotations

import argparse
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

from grader.assignments import load
from grader.executors.local import LocalExecutor
from grader.model import Assignment, Attempt, Job, Match, Outcome, SourceFile, Submission

ROOT = Path(__file__).resolve().parent.parent
TICK = os.sysconf("SC_CLK_TCK")


def copies(assignment: Assignment, file: Path, count: int) -> Iterator[Job]:
    """Jobs for `count` submissions that do the same and differ in content."""
    for number in range(count):
        content = file.read_bytes() + f"\n# copy {number}\n".encode()
        digest = hashlib.sha256(content).hexdigest()
        source = SourceFile(path=file.name, content=content)
        submission = Submission(student=f"student-{number}", origin=file, files=(source,), digest=digest)
        match = Match(file=file.name, target=assignment.entry)
        yield Job(key=digest, seed=digest, submission=submission, assignment=assignment, match=match)


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


def descendants(pid: int) -> list[int]:
    """A process's children, theirs, and so on."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [grandchild for child in children for grandchild in descendants(child)]


def graded(assignment: Assignment, file: Path, *, count: int, jobs: int) -> dict[str, float]:
    """Grade copies; returns figures per submission. The first two warm up and are not counted."""
    attempts = LocalExecutor((assignment,), jobs=jobs).run(copies(assignment, file, count), on_start=lambda job: None)
    began = time.perf_counter()
    seconds: list[float] = []
    peak = cpu_before = started = 0.0
    for number, attempt in enumerate(attempts):
        _require_full_marks(attempt)
        if number == 1:
            rooms = _rooms()
            start_up, started = time.perf_counter() - began, time.perf_counter()
            cpu_before = sum(map(cpu_of, rooms)) + _own_cpu()
        elif number > 1:
            seconds.append(attempt.seconds)
            if number % 10 == 0:
                peak = max(peak, sum(map(memory_of, [os.getpid(), *descendants(os.getpid())])))
        if number == count - 1:
            wall = time.perf_counter() - started
            cpu = sum(map(cpu_of, rooms)) + _own_cpu() - cpu_before
    return {
        "start_up": start_up,
        "wall": wall / (count - 2),
        "cpu": cpu / (count - 2),
        "latency": statistics.median(seconds),
        "peak_pss_mb": peak,
        "per_minute": 60 * (count - 2) / wall,
    }


def _rooms() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _require_full_marks(attempt: Attempt) -> None:
    lost = [result for result in attempt.results if result.outcome is not Outcome.PASSED]
    if lost:
        raise SystemExit(f"the benchmark's submission lost marks, so its cost says nothing: {lost[0]}")


def fresh_pytest(assignment: Assignment, file: Path) -> dict[str, float]:
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
    return {"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


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
    figures: dict[str, Any] = {"copies": count, "checks": len(assignment.checks)}
    processes = []
    for number in range(fresh):
        processes.append(fresh_pytest(assignment, file))
        print(f"fresh pytest {number + 1} of {fresh}: {processes[-1]}", file=sys.stderr, flush=True)
    figures["fresh"] = {name: statistics.median(each[name] for each in processes) for name in ("wall", "cpu")}
    for jobs in (1, 2):
        print(f"grading {count} copies, {jobs} at a time", file=sys.stderr, flush=True)
        figures[f"jobs_{jobs}"] = graded(assignment, file, count=count, jobs=jobs)
    figures["help"] = help_seconds()
    return figures


def show(figures: dict[str, Any]) -> None:
    """Print the figures as a table."""
    fresh = figures["fresh"]
    print(f"{figures['copies']} copies of the reference, {figures['checks']} checks each")
    print(f"{'':28}{'CPU s':>8}{'ratio':>8}{'wall s':>9}{'ratio':>8}{'latency s':>11}{'peak MB':>9}{'per min':>9}")
    print(f"{'fresh pytest process':28}{fresh['cpu']:8.3f}{'1':>8}{fresh['wall']:9.3f}{'1':>8}")
    for jobs in (1, 2):
        row = figures[f"jobs_{jobs}"]
        print(
            f"{f'graded, {jobs} at a time':28}{row['cpu']:8.3f}{fresh['cpu'] / row['cpu']:8.1f}{row['wall']:9.3f}"
            f"{fresh['wall'] / row['wall']:8.1f}{row['latency']:11.3f}{row['peak_pss_mb']:9.0f}{row['per_minute']:9.0f}"
        )
    print(f"start-up, once for a class: {figures['jobs_2']['start_up']:.2f} s;  grade --help: {figures['help']:.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--fresh", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.copies, options.fresh)
    show(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
