"""How a submission was loaded and called, where that is worth a word: names, order, cells that failed, the network.

None of this is about attention, and little of it costs points. It is said once for each submission, with the first
place where it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from grader import wire
from grader.catalogue import CATALOGUE
from grader.checks.faults import WrongResult
from grader.examiner.adapting import Plan, contract_names, plan_call, plan_construct
from grader.examiner.exceptions import NO_DRIVE, NO_INPUT, NO_NETWORK
from grader.examiner.explaining import finding
from grader.examiner.imports import undefined
from grader.examiner.session import Session
from grader.model import CellOutcome, CellRun, Certainty, Finding, Place
from grader.orders import Course, Order
from grader.text import clean

ERROR_SHOWN: Final = 200
NAMES_SHOWN: Final = 8

_SPOILED: Final = re.compile(r"^(\w{1,80}) is (.{1,100}) when all cells have run, not Python's own")


def circumstances(course: Course, order: Order, session: Session) -> Iterator[Finding]:
    """What there is to say about how the submission was loaded and called. Asks its process nothing."""
    yield from _names(course, order)
    yield from _signatures(course, session)
    yield from _returned(session)
    yield from _cells(order, session.cells)
    yield from _loading(session)


# -- what things are called --------------------------------------------------------------------------------------------


def _names(course: Course, order: Order) -> Iterator[Finding]:
    target = order.match.target
    if target != course.entry:
        called = clean(target, limit=80, keep_newlines=False)
        yield _observed(
            "class-renamed", f"The class is called {called}; in the assignment it is {course.entry}. It was found."
        )


def _signatures(course: Course, session: Session) -> Iterator[Finding]:
    """Arguments that are called otherwise, or stand in another order, than in the contract."""
    opened = session.opened
    if opened is None:
        return
    contract = course.contract
    renamed, reordered = [], []
    for what, signature, planned, written in (
        ("the constructor", opened.construct, plan_construct, contract.construct),
        ("forward", opened.call, plan_call, contract.call),
    ):
        wanted = contract_names(written)
        try:
            plan = planned(signature, written)
        except WrongResult:
            continue
        if plan.renamed:
            renamed.append(f"In {what}, {_renamed(plan)}.")
        order = _order_of(signature, plan)
        if order != tuple(name for name in wanted if name in order):
            reordered.append(f"In {what}, the order is {', '.join(order)}.")
    if renamed:
        yield _observed("argument-renamed", f"{' '.join(renamed)} They were matched by what they mean.")
    if reordered:
        yield _observed("argument-order", f"{' '.join(reordered)} They were matched by their names.")


def _renamed(plan: Plan) -> str:
    """`embed_dim is called width, x is called query, key, value`."""
    names: dict[str, list[str]] = {}
    for wish, name in plan.renamed[:NAMES_SHOWN]:
        names.setdefault(wish, []).append(_shown(name))
    return ", ".join(f"{wish} is called {' and '.join(called)}" for wish, called in names.items())


def _order_of(signature: tuple[wire.Parameter, ...], plan: Plan) -> tuple[str, ...]:
    """The contract's arguments in the order of the student's parameters that may be given by position."""
    meaning = {name: wish for wish, name in plan.renamed}
    taken = {*plan.positional, *(wish for _, wish in plan.keyword)}
    by_position = (meaning.get(each.name, each.name) for each in signature if each.kind != "keyword")
    return tuple(dict.fromkeys(name for name in by_position if name in taken))


def _returned(session: Session) -> Iterator[Finding]:
    way = session.memory.get("way")
    if way:
        step = way[0]
        which = f"number {step + 1} of them" if isinstance(step, int) else f"called {_shown(step)} among them"
        yield _observed("returns-tuple", f"forward returns several values; the output is {which}.")


# -- cells, and what could not be had ----------------------------------------------------------------------------------


def _cells(order: Order, cells: tuple[CellRun, ...]) -> Iterator[Finding]:
    """The cells that did not run to their end, by what is the matter; the first of each kind is told."""
    kinds: dict[str, list[CellRun]] = {}
    for cell in cells:
        id_ = _matter(order, cell)
        if id_ is not None:
            kinds.setdefault(id_, []).append(cell)
    for id_, alike in kinds.items():
        first = alike[0]
        others = f" (And something like it in {len(alike) - 1} more.)" if len(alike) > 1 else ""
        where = first.trace[-1] if first.trace else None
        yield _observed(id_, f"{_told(id_, order, first)}{others}", where=where)


def _matter(order: Order, cell: CellRun) -> str | None:
    if cell.outcome is CellOutcome.INTERRUPTED:
        return "notebook-timed-out"
    if cell.outcome is CellOutcome.NOT_RUN:
        return None  # what came of the others says why
    from_outside = _from_outside(cell.error)
    return from_outside or ("notebook-out-of-order" if _late_names(order, cell) else "notebook-cell-failed")


def _told(id_: str, order: Order, cell: CellRun) -> str:
    error = clean(cell.error, limit=ERROR_SHOWN, keep_newlines=False)
    if id_ == "notebook-timed-out":
        return f"Cell {cell.cell} was still running when its time was up, and was stopped."
    if cell.outcome is CellOutcome.KILLED:
        return f"The notebook's process ended while cell {cell.cell} was running."
    if id_ == "notebook-out-of-order":
        name = _late_names(order, cell)[0]
        return f"Cell {cell.cell} uses {name}, which only cell {order.binds[name]} defines."
    return f"Cell {cell.cell} raised {error.rstrip('.')}."


def _late_names(order: Order, cell: CellRun) -> list[str]:
    """The names that a cell lacked, and that a later cell binds."""
    type_, _, text = cell.error.partition(": ")
    return [name for name in undefined(type_, text) if order.binds.get(name, 0) > cell.cell]


def _loading(session: Session) -> Iterator[Finding]:
    """What kept the file from being run as a whole, where it has a name."""
    note = session.loading_note
    from_outside = _from_outside(note)
    if from_outside is not None:
        told = clean(note, limit=ERROR_SHOWN, keep_newlines=False)
        yield _observed(from_outside, f"While the file was run, {told.rstrip('.')}.", where=session.loading_where)
    spoiled = _SPOILED.search(note)
    if spoiled is not None:
        yield _observed(
            "shadowed-builtin",
            f"When all cells have run, {spoiled[1]} is {spoiled[2]}, not Python's own {spoiled[1]}, which the class"
            " uses. So only the definitions were graded.",
        )


def _from_outside(text: str) -> str | None:
    """The finding of an error that says that something from outside is not there."""
    if NO_INPUT in text:
        return "input-requested"
    return "network-requested" if NO_NETWORK in text or NO_DRIVE in text else None


# -- words -------------------------------------------------------------------------------------------------------------


def _observed(id_: str, explanation: str, *, where: Place | None = None) -> Finding:
    return finding(id_, Certainty.OBSERVED, where=where, explanation=explanation or CATALOGUE[id_].explanation)


def _shown(name: str) -> str:
    return clean(name, limit=60, keep_newlines=False)
