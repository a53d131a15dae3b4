"""What writing the reports of a class costs, and how large they are.

    python benchmarks/reports.py [--students 500] [--checks 40] [--keep FOLDER]

Each format is rendered once by itself in this process, first for a class of three, so that templates are read and
compiled before. Nothing is graded: the class is invented (`classroom.py`).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from classroom import classroom, shrunk

from grader import reports


def main() -> None:
    parser = argparse.ArgumentParser(description="What writing the reports of a class costs, and how large they are.")
    parser.add_argument("--students", type=int, default=500)
    parser.add_argument("--checks", type=int, default=40)
    parser.add_argument("--keep", type=Path, help="a folder that the reports are written to")
    asked = parser.parse_args()
    cohort = classroom(asked.students, asked.checks)
    reports.render_all(shrunk(cohort, 3))
    print(f"{asked.students} students, {asked.checks} checks\n")
    print(f"{'':12}{'CPU s':>8}{'files':>8}{'kB in all':>12}{'largest kB':>12}")
    total = 0.0
    for render in reports.RENDERERS:
        before = time.process_time()
        files = render(cohort)
        spent = time.process_time() - before
        total += spent
        sizes = [len(content) for content in files.values()]
        name = render.__module__.rpartition(".")[2]
        print(f"{name:12}{spent:8.2f}{len(files):8}{sum(sizes) / 1000:12.0f}{max(sizes, default=0) / 1000:12.0f}")
        for path, content in files.items() if asked.keep else ():
            target = asked.keep / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    print(f"{'together':12}{total:8.2f}")


if __name__ == "__main__":
    main()
