"""Large classes, as the benchmark of the reports invents them."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from grader.model import Cohort

FILE = Path(__file__).parents[2] / "benchmarks" / "classroom.py"


@functools.cache
def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("classroom", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@functools.cache
def invented(students: int, checks: int) -> Cohort:
    """A class of so many students on one assignment of so many checks; the same every time."""
    made: Cohort = _module().classroom(students, checks)
    return made
