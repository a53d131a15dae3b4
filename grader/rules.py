"""What an instructor writes, value by value: each key has a rule, and every problem is reported with its place.

A rule takes a value and returns what was expected instead: `expected a number above 0, got -1`.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from grader.text import clean, nearest

Rule = Callable[[Any], str]
"""Takes a value and returns what was expected instead, or an empty text when the value will do."""

REQUIRED: Final[Any] = object()
"""Stands for a default where there is none."""

COMPUTED: Final[Any] = object()
"""Stands for a value that cannot be read without running code."""


class Table:
    """Values by key: hands out those that obey a rule; notes a problem with its place, and goes on, when one does not.

    After a problem the value handed out is of no use: whoever asked looks at `problems` before anything is built.

    Attributes:
        place: what a problem's text begins with, before the key.
        problems: grows; shared with the tables below.
        asked: the keys that somebody wanted to know about, with their tables.
    """

    def __init__(self, values: Mapping[str, Any], place: str, problems: list[str]) -> None:
        self.values, self.place, self.problems = values, place, problems
        self.asked: dict[str, Table | None] = {}

    def take(self, key: str, rule: Rule, default: Any = REQUIRED) -> Any:
        """The value of a key, or `default` when there is none that obeys."""
        self.asked[key] = None
        if key not in self.values:
            if default is REQUIRED:
                self.problems.append(f"{self.place}{key}: is missing")
            return default
        return self.values[key] if self.obeys(key, self.values[key], rule) else default

    def take_each(self, key: str, rule: Rule) -> tuple[Any, ...]:
        """The values of a list that obey, each of which may stand there once."""
        values = self.take(key, LIST, [])
        kept = [value for index, value in enumerate(values) if self.obeys(f"{key}[{index}]", value, rule)]
        repeated = sorted({value for value in kept if kept.count(value) > 1})
        self.problems += [f'{self.place}{key}: "{value}" stands there twice' for value in repeated]
        return tuple(kept)

    def table(self, key: str) -> Table:
        """The table below a key; an empty one when there is none."""
        values = self.take(key, TABLE, {})
        self.asked[key] = table = Table(values, f"{self.place}{key}.", self.problems)
        return table

    def obeys(self, key: str, value: Any, rule: Rule) -> bool:
        """Whether a value obeys; notes what was expected when it does not."""
        if expected := rule(value):
            got = "something computed" if value is COMPUTED else json.dumps(value, ensure_ascii=False, default=str)
            self.problems.append(f"{self.place}{key}: expected {expected}, got {clean(got, limit=80)}")
        return not expected

    def finish(self) -> None:
        """Note every key that nobody asked for, here and in the tables below."""
        for key in self.values:
            if key not in self.asked:
                close = nearest(key, self.asked)
                hint = f'did you mean "{close}"?' if close else f"known here: {', '.join(self.asked)}"
                self.problems.append(f"{self.place}{key}: unknown key; {hint}")
        for table in filter(None, self.asked.values()):
            table.finish()


def expecting(expected: str, fits: Callable[[Any], bool]) -> Rule:
    """The rule that `fits` decides, with the words for what it expects."""
    return lambda value: "" if fits(value) else expected


def one_of(words: type[StrEnum]) -> Rule:
    """The rule that a value is a word of this set."""
    return expecting(f"one of {', '.join(words)}", lambda value: value in tuple(words))


def number(value: object) -> str:
    """The rule that a value is a number above 0, and a finite one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "a number"
    return "" if 0 < value < 1e15 else "a number above 0"


def at_most(limit: Any, name: str) -> Rule:
    """The rule that a value is a number no larger than `limit`, the value of the setting `name`.

    A limit that is no such number itself is a problem of its own, and nothing is held against it.
    """
    return lambda value: number(value) or ("" if number(limit) or value <= limit else f"at most {name}, {limit:g}")


LIST: Final = expecting("a list", lambda value: isinstance(value, list))
TABLE: Final = expecting("a table", lambda value: isinstance(value, dict))
FLAG: Final = expecting("true or false", lambda value: isinstance(value, bool))
TEXT: Final = expecting("a text", lambda value: isinstance(value, str) and bool(value.strip()))
NAME: Final = expecting(
    "the name of a class or function",
    lambda value: isinstance(value, str) and value.isidentifier() and not keyword.iskeyword(value),
)
DOTTED: Final = expecting(
    'a full dotted name such as "torch.nn.MultiheadAttention"',
    lambda value: isinstance(value, str) and "." in value and not any(map(NAME, value.split("."))),
)
