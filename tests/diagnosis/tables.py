"""The figures of a run as tables."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

from rich.table import Table

from .scoring import Verdict
from .submissions import KINDS

COLUMNS = ("", "diagnosed", "named right", "named wrong", "unnamed", "of")


def counted(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """One line of figures."""
    outcomes = [verdict.outcome for verdict in verdicts]
    counts = [
        sum(verdict.diagnosed for verdict in verdicts),
        *(outcomes.count(word) for word in ("right", "wrong", "unnamed")),
    ]
    return (*(str(count) for count in counts), str(len(verdicts)))


def grouped(title: str, verdicts: Sequence[Verdict], keys: Callable[[Verdict], Iterable[str]], last: str = "") -> Table:
    """A table with a row for each key of a verdict."""
    table = Table(*COLUMNS, title=title, title_justify="left")
    rows: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        for key in keys(verdict):
            rows.setdefault(key, []).append(verdict)
    for key, members in rows.items():
        table.add_row(key, *counted(members))
    if last:
        table.add_section()
        table.add_row(last, *counted(verdicts))
    return table


def by_mistake(verdicts: Sequence[Verdict]) -> Table:
    """Single mistakes, by id."""
    ones = [verdict for verdict in verdicts if verdict.made.kind in ("singles", "facts", "one-head")]
    return grouped("One mistake, by id", ones, lambda verdict: (verdict.made.mistakes[0].id,))


def by_style(verdicts: Sequence[Verdict]) -> Table:
    """Everything wrong, by style."""
    wrong = [verdict for verdict in verdicts if verdict.made.planted and verdict.made.kind != "facts"]
    return grouped("One mistake or more, by style", wrong, lambda verdict: (verdict.made.style,))


def by_kind(verdicts: Sequence[Verdict]) -> Table:
    """Everything, by kind. Correct code is right when it is called correct, foreign code when nothing is said."""
    table = Table("", *COLUMNS[1:], "right %", title="All", title_justify="left")
    for kind in KINDS:
        members = [verdict for verdict in verdicts if verdict.made.kind == kind]
        if members:
            right = sum(verdict.outcome == "right" for verdict in members)
            table.add_row(kind, *counted(members), f"{100 * right / len(members):.1f}")
    return table


def times(verdicts: Sequence[Verdict]) -> Table:
    """CPU time by kind."""
    table = Table(
        "CPU seconds", "median", "95 of 100", "most", "slowest", title="Cost of a diagnosis", title_justify="left"
    )
    for kind in KINDS:
        members = sorted((verdict for verdict in verdicts if verdict.made.kind == kind), key=lambda each: each.seconds)
        if members:
            seconds = [verdict.seconds for verdict in members]
            late = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
            figures = (f"{figure:.2f}" for figure in (statistics.median(seconds), late, seconds[-1]))
            table.add_row(kind, *figures, members[-1].made.name)
    return table
