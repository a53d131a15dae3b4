"""What it costs to count costs: CPU time of the traces of correct solutions, which only ever pass.

    python benchmarks/counting.py [--rounds 20]

Each solution is examined in this process, where a worker's share and an examiner's are measured together. `flags` is
what looking for forbidden calls takes by itself: one call in eval mode and one in training mode. `costs` is what
counting adds to that. A second table shows the smallest and the largest of what is counted.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from grader.examiner.costs import baseline, costs
from grader.examiner.reference import InProcess
from grader.examiner.session import Session
from grader.examiner.tracing import LARGE, traced_flags, tracer
from grader.model import Contract, Limits, Match
from grader.orders import Course, Order

ROOT = Path(__file__).resolve().parent.parent
FORBID = ("torch.nn.MultiheadAttention", "torch.nn.functional.scaled_dot_product_attention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One solution: milliseconds of CPU, what it needs in proportion to the reference, and what it is told."""

    name: str
    flags: float
    costs: float
    flops: float
    largest: float
    told: tuple[str, ...]


def course_of(file: Path) -> Course:
    """An assignment that this file alone is handed in for."""
    target = re.findall(r"^class (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)[-1]
    construct = "embed_dim, num_heads, dropout=0.0" if "Multi" in target else "embed_dim, dropout=0.0"
    contract = Contract(construct=construct, call="x, mask=None")
    return Course(
        id="a",
        checks_folder="",
        reference="",
        entry=target,
        contract=contract,
        limits=Limits(),
        checks=(),
        forbid=FORBID,
    )


def session_of(file: Path, course: Course) -> Session:
    """A session in which a prepared module stands ready, as after the checks."""
    session = Session(InProcess(file), Match(file=file.name, target=course.entry), Limits(), seed=0)
    session.begin_check()
    return session


def measure(file: Path, rounds: int) -> Row:
    """The medians of some rounds."""
    course, reference = course_of(file), file.parents[1] / "reference.py"
    needed = baseline(course_of(reference), session_of(reference, course_of(reference)))
    order = Order(assignment="a", match=Match(file=file.name, target=course.entry), policy_hits=(), seed="ab" * 16)
    flags, counted = [], []
    for _ in range(rounds):
        session = session_of(file, course)
        tracer(course, session).trace(1, 3)  # builds the module, which the checks would have done
        began = time.process_time()
        traced_flags(course, order, session)
        between = time.process_time()
        told = tuple(finding.id for finding in costs(course, session, needed))
        flags.append(between - began)
        counted.append(time.process_time() - between)
    large = tracer(course, session).trace(*LARGE, training=True)
    assert needed is not None
    assert large is not None
    return Row(
        name=file.relative_to(ROOT / "solutions").as_posix(),
        flags=statistics.median(flags) * 1000,
        costs=statistics.median(counted) * 1000,
        flops=large.flops / needed.flops,
        largest=large.largest / needed.largest,
        told=told,
    )


def show(rows: list[Row]) -> None:
    """Print the tables."""
    plain = [row for row in rows if not row.told]
    print(f"{len(rows)} correct solutions, milliseconds of CPU each{'':8}{'flags':>8}{'costs':>8}")
    for name, some in (("nothing is told (median)", plain), ("something is told (median)", [*set(rows) - {*plain}])):
        if some:
            medians = statistics.median(row.flags for row in some), statistics.median(row.costs for row in some)
            print(f"  {name:52}{medians[0]:8.2f}{medians[1]:8.2f}")
    for row in (row for row in rows if row.told):
        print(f"  {row.name + ': ' + ', '.join(row.told):52}{row.flags:8.2f}{row.costs:8.2f}")
    print("in proportion to the reference")
    for what, values in (("FLOPs", [row.flops for row in rows]), ("largest tensor", [row.largest for row in rows])):
        print(f"  {what:20}{min(values):8.2f} to {max(values):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    files = sorted([*ROOT.glob("solutions/*/reference.py"), *ROOT.glob("solutions/*/accepted/*.py")])
    show([measure(file, options.rounds) for file in files if file.name != "reference.py"])


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
