"""A notebook that says far too much wherever it can say something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grader.model import (
    CellOutcome,
    CellRun,
    Certainty,
    CheckResult,
    CheckSpec,
    Finding,
    Loading,
    Outcome,
    Place,
    SecondLook,
)


def notebook(flood: str, specs: Iterable[CheckSpec]) -> dict[str, Any]:
    """Fields of an attempt, with this text in all of them."""
    trace = tuple(Place(file=flood, line=line, source=flood, function=flood) for line in range(20))
    results = [CheckResult(check=spec.id, outcome=Outcome.FAILED, message=flood, where=trace[0]) for spec in specs]
    finding = Finding(id="shape-error", certainty=Certainty.OBSERVED, title=flood, explanation=flood, where=trace[0])
    return {
        "loading": Loading.DEFINITIONS,
        "loading_note": flood,
        "cells": tuple(
            CellRun(cell=cell, outcome=CellOutcome.RAISED, error=flood, trace=trace) for cell in range(1, 301)
        ),
        "repairs": (flood,) * 300,
        "second_look": SecondLook(supplied=(flood,) * 60, results=tuple(results), findings=(finding,) * 60),
    }
