"""Which names a piece of code looks up in its module, read from its bytecode.

A local variable that happens to have a global's name is none. What a definition looks up while it is made (bases,
decorators, defaults) is told apart from what its functions look up when they are called: only that can go wrong later.

Standard library only: this runs in the worker.
"""

from __future__ import annotations

import builtins
import dis
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

_LOADS = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")
_CLASSES = frozenset(name for name, value in vars(builtins).items() if isinstance(value, type))
_CLASS_TESTS = frozenset({"isinstance", "issubclass"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """The names that a piece looks up.

    Attributes:
        early: while the piece itself runs.
        late: when one of its functions is called.
        called: those of `late` that are called there, or are a builtin class that something may be tested against.
        whole: those of `late` that are used for more than one of their attributes.
    """

    early: frozenset[str]
    late: frozenset[str]
    called: frozenset[str]
    whole: frozenset[str]


def lookups(code: CodeType) -> Lookups:
    """Take apart one compiled statement."""
    early: set[str] = set()
    late: set[str] = set()
    called: set[str] = set()
    whole: set[str] = set()
    for inner, is_late in _codes(code):
        uses = list(_uses(inner))
        names = {use.name for use in uses}
        if not is_late:
            early |= names
            continue
        late |= names
        called |= {use.name for use in uses if use.called}
        whole |= {use.name for use in uses if not use.attribute}
        if names & _CLASS_TESTS:
            called |= names & _CLASSES
    return Lookups(early=frozenset(early), late=frozenset(late), called=frozenset(called), whole=frozenset(whole))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    name: str
    called: bool
    attribute: bool


def _codes(code: CodeType) -> Iterator[tuple[CodeType, bool]]:
    """A statement's code and all inside it, each with whether it runs only when a function is called."""
    waiting = [(code, False)]
    while waiting:
        code, late = waiting.pop()
        at_once = code.co_name.startswith("<") and code.co_name != "<lambda>"  # the statement itself, a comprehension
        late = late or (bool(code.co_flags & inspect.CO_OPTIMIZED) and not at_once)
        yield code, late
        waiting += [(constant, late) for constant in code.co_consts if isinstance(constant, CodeType)]


def _uses(code: CodeType) -> Iterator[_Use]:
    instructions = list(dis.get_instructions(code))
    for index, instruction in enumerate(instructions):
        if instruction.opname not in _LOADS:
            continue
        around = {
            near.opname for near in (*instructions[max(0, index - 1) : index], *instructions[index + 1 : index + 2])
        }
        flagged = instruction.opname == "LOAD_GLOBAL" and bool((instruction.arg or 0) & 1)  # it pushes the call's NULL
        following = instructions[index + 1].opname if index + 1 < len(instructions) else ""
        yield _Use(
            name=instruction.argval,
            called=flagged or "PUSH_NULL" in around,
            attribute=following in ("LOAD_ATTR", "LOAD_METHOD"),
        )
