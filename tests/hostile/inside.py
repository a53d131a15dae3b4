"""Grades a prepared class inside a room, as the command does, and writes down what is to be said about the run.

    python inside.py CLASS ASSIGNMENTS SOLUTIONS REPORTS RESULT

It is a program of its own: its process is the one that submissions would like to reach.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from grader import grading
from grader.cli import summary
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Attempt, Cohort, Grade, Job
from grader.reports import report_paths
from grader.reports.terminal import render_table

WIDTH = 200


class Telling(Silent):
    """Says on standard error who was graded."""

    def __init__(self) -> None:
        super().__init__()
        self.began = time.monotonic()

    def started(self, job: Job) -> None:
        super().started(job)

    def finished(self, attempt: Attempt) -> None:
        super().finished(attempt)
        passed = sum(result.outcome == "passed" for result in attempt.results)
        where = f"{time.monotonic() - self.began:6.1f} s  {self.done}/{self.total}"
        sys.stderr.write(f"{where}  {attempt.student} ({attempt.seconds:.1f} s): {passed} of {len(attempt.results)}\n")


def condition() -> dict[str, Any]:
    """What student code might change about the process that grades it."""
    umask = os.umask(0o077)
    os.umask(umask)
    limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_")}
    handlers = {
        name: str(signal.getsignal(name)) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1)
    }
    return {
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "limits": limits,
        "umask": umask,
        "path": sys.path[:],
        "handlers": handlers,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
    }


def told(grade: Grade) -> dict[str, Any]:
    """A grade as plain values."""
    attempt = grade.attempt
    return {
        "student": grade.student,
        "assignment": grade.assignment,
        "status": grade.status,
        "points": grade.points,
        "max_points": grade.max_points,
        "reason": grade.reason,
        "level": attempt and attempt.isolation.level,
        "warnings": attempt.warnings if attempt else (),
        "loading_note": attempt.loading_note if attempt else "",
        "seconds": attempt.seconds if attempt else 0.0,
        "checks": [
            [check.spec.id.partition("::")[2], check.result.outcome, check.result.message] for check in grade.checks
        ],
    }


def handed_back(cohort: Cohort, files: dict[str, bytes]) -> dict[str, Any]:
    """What the students get, by student, and what stands in the terminal."""
    terminal = Console(file=io.StringIO(), width=WIDTH)
    terminal.print(render_table(cohort, width=WIDTH))
    pages: dict[str, list[str]] = {}
    for extension in ("html", "md"):
        for (student, _), name in report_paths(cohort, extension).items():
            pages.setdefault(student, []).append(files[name].decode())
    return {
        "pages": pages,
        "results": json.loads(files["results.json"])["submissions"],
        "terminal": terminal.file.getvalue(),
    }


def reports_meddled_with(reports: Path, files: dict[str, bytes], before: set[str]) -> list[str]:
    """Reports on disk that are not what was written, and files that nobody of us put there."""
    changed = [name for name, content in files.items() if (reports / name).read_bytes() != content]
    there = {str(path.relative_to(reports)) for path in reports.rglob("*") if not path.is_dir()}
    stores = {name for name in there if name.startswith("attempts.sqlite")}
    return sorted({*changed, *(there - files.keys() - stores - before)})


def main() -> None:
    """Grade, write the reports, write down the rest."""
    handed_in, assignments, solutions, reports, result = map(Path, sys.argv[1:])
    beside = {str(path.relative_to(reports)) for path in reports.rglob("*")}
    before, observer, began = condition(), Telling(), time.monotonic()
    request = grading.Request(
        paths=(handed_in,),
        assignments=assignments,
        solutions=solutions,
        store=reports / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
    )
    cohort = grading.run(request, observer)
    files = summary.write_reports(cohort, reports)
    seconds, after = time.monotonic() - began, condition()
    everything = {
        "seconds": seconds,
        "level": cohort.isolation.level,
        "missing": cohort.isolation.missing,
        "interrupted": cohort.interrupted,
        "grades": [told(grade) for grade in cohort.grades],
        "reports_meddled_with": reports_meddled_with(reports, files, beside),
        "host_changes": [f"{key}: {before[key]} became {after[key]}" for key in before if before[key] != after[key]],
        "host_imported": sorted({"torch", "pytest", "nbclient"} & sys.modules.keys()),
        **handed_back(cohort, files),
    }
    result.write_text(json.dumps(everything), encoding="utf-8", errors="surrogateescape")


if __name__ == "__main__":
    main()
