"""What a submission was asked about its prepared modules, and what it answered: enough to ask another worker the same.

A module is prepared when it was built in eval mode with weights that the examiner drew. What happens to it afterwards
may make repeating meaningless: training mode, another dtype or device. From there on it is left out. Loaded weights
are not: they are taken as if it had been built with them.

Of an answer only those tensors are kept that have the shape of something that went in. The output is one of them, and
nobody can make the record large by returning more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from grader import wire
from grader.text import clean

CALLS_CAP: Final = 400
ARRAYS_CAP: Final = 4
DEPTH_CAP: Final = 6
FLOATS: Final = frozenset({"float64", "float32", "float16", "bfloat16"})

Essence = tuple[wire.Array, ...] | str
"""What counts of an answer: its tensors, or in a word what came instead."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of a prepared module. `build` makes that module, with the weights it had then."""

    build: wire.Build
    call: wire.Call
    essence: Essence


class Record:
    """All calls of prepared modules that came to an end, in the order in which they were made.

    Attributes:
        calls: those that can be repeated.
    """

    def __init__(self) -> None:
        self._builds: dict[tuple[int, int], wire.Build] = {}
        self.calls: list[Asked] = []

    def covers(self, generation: int, question: wire.Question) -> bool:
        """Whether this is a call of a module that is as it was prepared, so that it can be repeated."""
        return isinstance(question, wire.Call) and (generation, question.module) in self._builds

    def note(self, generation: int, question: wire.Question, answer: Any) -> None:
        """Note a question and its answer. `generation` tells one worker's modules from those of another."""
        match question:
            case wire.Build(dtype=str()) if isinstance(answer, wire.Built):
                self._builds[generation, answer.module] = question
            case wire.Load(module=module, values=values):
                build = self._builds.pop((generation, module), None)
                if build is not None and isinstance(answer, wire.Done):
                    self._builds[generation, module] = msgspec.structs.replace(build, values=build.values | values)
            case wire.Switch(module=module) | wire.Convert(module=module):
                self._builds.pop((generation, module), None)
            case wire.Call(module=module) if len(self.calls) < CALLS_CAP:
                build = self._builds.get((generation, module))
                if build is not None and not (isinstance(answer, wire.Raised) and answer.overtime):
                    self.calls.append(Asked(build, question, essence(question, answer)))


def essence(call: wire.Call, answer: Any) -> Essence:
    """What counts of an answer to this call."""
    if isinstance(answer, wire.Raised):
        return f"raised {clean(answer.type, limit=80, keep_newlines=False)}"
    if not isinstance(answer, wire.Returned):
        return "no answer"
    shapes = {value.shape for value in (*call.args, *call.kwargs.values()) if isinstance(value, wire.Array)}
    found: list[wire.Array] = []
    _collect(answer.value, shapes, found, 0)
    return tuple(found) if found else f"returned {type(answer.value).__name__}"


def _collect(value: wire.Value, shapes: set[tuple[int, ...]], found: list[wire.Array], depth: int) -> None:
    """Gather the floating tensors of these shapes, wherever in the value they are."""
    match value:
        case wire.Array() if value.shape in shapes and value.dtype in FLOATS and len(found) < ARRAYS_CAP:
            found.append(value)
        case wire.Sequence(items=items) if depth < DEPTH_CAP:
            for item in items:
                _collect(item, shapes, found, depth + 1)
        case wire.Mapping(items=named) if depth < DEPTH_CAP:
            for item in named.values():
                _collect(item, shapes, found, depth + 1)
