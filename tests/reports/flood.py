"""A notebook that says far too much wherever it can say something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from grader.model import (
    AttentionPicture,
    CellOutcome,
    CellRun,
    Certainty,
    CheckResult,
    CheckSpec,
    Excerpt,
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
    lines = tuple(f"{number}{flood}" for number in range(20))
    weights, expected = (
        tuple(tuple(tuple(value * row / 12 for _ in range(12)) for row in range(12)) for _ in range(16))
        for value in (0.9, 0.4)
    )
    finding = Finding(id="shape-error", certainty=Certainty.OBSERVED, title=flood, explanation=flood, where=trace[0])
    return {
        "loading": Loading.DEFINITIONS,
        "loading_note": flood,
        "cells": tuple(
            CellRun(cell=cell, outcome=CellOutcome.RAISED, error=flood, trace=trace) for cell in range(1, 301)
        ),
        "repairs": (flood,) * 300,
        "unexplained": flood,
        "pictures": (AttentionPicture(tokens=(flood,) * 12, masked=True, student=weights, expected=expected),) * 4,
        "excerpts": (Excerpt(file=flood, first=0, lines=lines),),
        "second_look": SecondLook(supplied=(flood,) * 60, results=tuple(results), findings=(finding,) * 60),
    }
