"""What a diagnosis costs: for every wrong solution, the CPU seconds of naming its mistakes, in one process.

    python benchmarks/diagnosis.py

The student's module answers in the same process, so what is measured is all computing of both sides, and not the
socket between them. A passing submission is not diagnosed; that this is so is measured too. The first diagnosis of each
assignment is not counted: an examiner does what it has to do once before it serves anybody.
"""

from __future__ import annotations

import statistics
import time
import warnings
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from grader.assignments import load_all
from grader.examiner.host import UNHURRIED
from grader.examiner.proving import prove
from grader.examiner.reference import InProcess
from grader.examiner.session import Session
from grader.model import Assignment, CheckResult, Match, Outcome
from grader.orders import Course

ROOT = Path(__file__).parent.parent
FAILED = (CheckResult(check="a check", outcome=Outcome.FAILED),)
PASSED = (CheckResult(check="a check", outcome=Outcome.PASSED),)


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    console = Console(width=110)
    table = Table(title="CPU seconds of one diagnosis")
    for heading in ("", "files", "median", "95 of 100", "most", "slowest"):
        table.add_column(heading)
    for assignment in load_all(ROOT / "assignments", solutions=ROOT / "solutions"):
        files = sorted((ROOT / "solutions" / assignment.id / "wrong").glob("*.py"))
        _seconds(assignment, files[0], FAILED)
        spent = {file.stem: _seconds(assignment, file, FAILED) for file in track(files, console=console)}
        _add(table, f"{assignment.id}, failing", spent)
        passing = {file.stem: _seconds(assignment, file, PASSED) for file in files[:10]}
        _add(table, f"{assignment.id}, passing", passing)
    console.print(table)


def _seconds(assignment: Assignment, file: Path, results: tuple[CheckResult, ...]) -> float:
    course = Course(
        id=assignment.id,
        checks_folder="",
        reference=str(assignment.reference),
        entry=assignment.entry,
        contract=assignment.contract,
        limits=UNHURRIED,
        checks=(),
    )
    session = Session(InProcess(file), Match(file=str(file), target=assignment.entry), UNHURRIED, seed=0)
    started = time.process_time()
    prove(course, session, results)
    return time.process_time() - started


def _add(table: Table, name: str, spent: dict[str, float]) -> None:
    ordered = sorted(spent.values())
    slowest = max(spent, key=lambda stem: spent[stem])
    late = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    figures = (statistics.median(ordered), late, ordered[-1])
    table.add_row(name, str(len(ordered)), *(f"{figure:.3f}" for figure in figures), slowest)


if __name__ == "__main__":
    main()
