"""Which mutants are the reference in other words: asked of a process that has torch, which the host has not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from grader.errors import WarmProcessError
from grader.linting.mutations import Mutant
from grader.model import Assignment
from grader.orders import Compared, Comparison

PATIENCE: Final = 1800.0
"""Seconds for all of them; each has a limit of its own."""


def compared(assignment: Assignment, source: str, mutants: Sequence[Mutant]) -> Compared:
    """In what each mutant, by its name, differs from the reference; an empty text where it does not."""
    if not mutants:
        return Compared()
    order = Comparison(
        reference=source,
        entry=assignment.entry,
        contract=assignment.contract,
        variants={mutant.name: mutant.source for mutant in mutants},
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-m", "grader.examiner.equivalence"],
        input=msgspec.json.encode(order),
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-2000:]
        raise WarmProcessError(f"the mutants could not be compared with the reference:\n{said}", room="examiner")
    return msgspec.json.decode(done.stdout, type=Compared)
