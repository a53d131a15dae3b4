"""Records the torch calls that are made while a student's module is called, and from which of its lines.

Theory of operation. A function mode sees every call of torch's Python functions, with its arguments, before it is
carried out; what such a function calls in turn it does not see, so a step is a call as the student wrote it. A dispatch
mode sees the operators that each of them comes to, and also those that no Python function stands for: these are
counted. Tensors are numbered as they appear, so that a reader can follow them from step to step. All of this runs in
the student's process: it is evidence, never a verdict.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from grader import tensors, wire

FRAMES_SEARCHED: Final = 80
AXES_SHOWN: Final = 8

Locate = Callable[[str, int, str], wire.Frame | None]
"""The student's line with this file name, number and function; None when it is not the student's."""


class _Operator(NamedTuple):
    """What is known of an operator.

    `formula` counts floating point operations from shapes, where torch has one that does. `makes` says whether the
    results are tensors of their own: neither views, nor what was handed in.
    """

    operator: Any  # kept, so that no other gets its id
    name: str
    formula: Callable[..., int] | None
    makes: bool


class _Step:
    """A step while it is being recorded."""

    __slots__ = ("arguments", "flops", "frame", "function", "gives", "operators", "takes")

    def __init__(self, function: str, takes: tuple[int, ...], args: Any, kwargs: Any, frame: wire.Frame | None) -> None:
        self.function = function
        self.frame = frame
        self.takes = takes
        self.gives: tuple[int, ...] = ()
        self.arguments = _arguments(args, kwargs)
        self.operators: dict[str, None] = {}
        self.flops = 0

    def finished(self) -> wire.Step:
        operators, flops = tuple(self.operators), min(self.flops, wire.COUNT_CAP)
        return wire.Step(self.function, self.takes, self.gives, self.arguments, operators, flops, self.frame)


class _Tensors:
    """The tensors that were seen, with their numbers. They are kept, so that no other gets the id of one of them."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._kept: list[Tensor] = []
        self.hollow: list[wire.Hollow] = []
        self.is_full = False

    def numbers(self, args: Any, kwargs: Mapping[str, Any]) -> tuple[int, ...]:
        """The numbers of the tensors among these."""
        found = map(self._number, itertools.islice(_tensors(args, kwargs), wire.STEP_TENSORS_CAP))
        return tuple(number for number in found if number is not None)

    def let_go(self) -> None:
        """Keep none any longer."""
        self._kept.clear()

    def _number(self, tensor: Tensor) -> int | None:
        known = self._numbers.get(id(tensor))
        if known is not None:
            return known
        if len(self.hollow) >= wire.TRACED_TENSORS_CAP:
            self.is_full = True
            return None
        self.hollow.append(_hollow(tensor))
        self._kept.append(tensor)
        self._numbers[id(tensor)] = len(self.hollow) - 1
        return len(self.hollow) - 1


class Recorder:
    """Records while it is entered."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self._places: dict[tuple[str, int, str], wire.Frame | None] = {}
        self._names: dict[int, tuple[object, str]] = {}
        self._known: dict[int, _Operator] = {}
        self._tensors = _Tensors()
        self._steps: list[_Step] = []
        self._counts: Counter[str] = Counter()
        self._flops = 0
        self._largest = 0
        self._current: _Step | None = None
        self._cut = False
        self._functions = _Functions(self)
        self._operators = _Operators(self)

    def record(self, call: Callable[[], object]) -> wire.Traced:
        """Make the call; returns what was seen meanwhile. Raises what the call raises."""
        try:
            with self._operators, self._functions:
                result = call()
            returned = self._tensors.numbers((result,), {})
        finally:
            self._tensors.let_go()
        return wire.Traced(
            tensors=tuple(self._tensors.hollow),
            steps=tuple(step.finished() for step in self._steps),
            returned=returned,
            operators=dict(self._counts.most_common(wire.OPERATORS_CAP)),
            flops=min(self._flops, wire.COUNT_CAP),
            largest=min(self._largest, wire.COUNT_CAP),
            cut=self._cut or self._tensors.is_full,
        )

    def function(self, function: Any, args: Any, kwargs: Any) -> Any:
        """Carry out a call of a Python function of torch, as a step if it makes tensors or computes."""
        step, around = self._begun(self._name(function), args, kwargs), self._current
        self._current = step
        try:
            result = function(*args, **kwargs)
        finally:
            self._current = around
        if step is not None:
            self._end(step, result)
        return result

    def operator(self, operator: Any, args: Any, kwargs: Any) -> Any:
        """Count an operator, for the step it belongs to; without one, it is a step."""
        known, step, alone = None, self._current, self._current is None
        with suppress(Exception):
            known = self._operator(operator)
            self._counts[known.name] += 1
            if step is None:
                step = self._begun(known.name, args, kwargs)
            elif len(step.operators) < wire.STEP_OPERATORS_CAP:
                step.operators[known.name] = None
        result = operator(*args, **kwargs)
        with suppress(Exception):
            if alone and step is not None:
                step.gives = self._tensors.numbers((result,), {})
            if known is not None:
                self._measure(known, step, args, kwargs, result)
        return result

    def _measure(self, known: _Operator, step: _Step | None, args: Any, kwargs: Any, result: Any) -> None:
        if known.makes:
            self._largest = max(self._largest, *(tensor.numel() for tensor in _tensors((result,), {})), 0)
        if known.formula is not None:
            flops = int(known.formula(*map(_shape, args), **_shapes(kwargs), out_shape=_shape(result)))
            self._flops += flops
            if step is not None:
                step.flops += flops

    def _operator(self, operator: Any) -> _Operator:
        known = self._known.get(id(operator))
        if known is None or known.operator is not operator:
            schema = operator._schema
            formula = getattr(flop_registry.get(operator.overloadpacket), "__wrapped__", None)  # what takes shapes
            makes = all(each.alias_info is None for each in schema.returns)
            known = _Operator(operator, _text(str(schema.name), wire.NAME_CAP), formula, makes)
            self._known[id(operator)] = known
        return known

    def _name(self, function: Any) -> str:
        with suppress(Exception):
            known = self._names.get(id(function))
            if known is None or known[0] is not function:
                known = self._names[id(function)] = (function, function_name(function))
            return known[1]
        return "?"

    def _begun(self, name: str, args: Any, kwargs: Any) -> _Step | None:
        with suppress(Exception):
            if len(self._steps) < wire.STEPS_CAP:
                step = _Step(name, self._tensors.numbers(args, kwargs), args, kwargs, self._place())
                self._steps.append(step)
                return step
            self._cut = True
        return None

    def _end(self, step: _Step, result: Any) -> None:
        """Note what a step gave; one that neither computed nor gave a tensor was none."""
        with suppress(Exception):
            step.gives = self._tensors.numbers((result,), {})
            if not step.operators and not step.gives:
                self._steps.remove(step)

    def _place(self) -> wire.Frame | None:
        """The student's innermost line."""
        frame: FrameType | None = sys._getframe(3)
        for _ in range(FRAMES_SEARCHED):
            if frame is None:
                return None
            key = (frame.f_code.co_filename, frame.f_lineno or 0, frame.f_code.co_name)
            if key not in self._places:
                self._places[key] = self._locate(*key)
            if self._places[key] is not None:
                return self._places[key]
            frame = frame.f_back
        return None


class _Functions(TorchFunctionMode):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._recorder.function(func, args, kwargs or {})


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to be skipped, torch's compiler is imported at the first call, which takes over a second."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._recorder.operator(func, args, kwargs or {})


def function_name(function: Any) -> str:
    """The dotted name that people write: `torch.nn.functional.softmax`, `torch.Tensor.transpose`, `torch.matmul`."""
    name = str(getattr(function, "__name__", type(function).__name__))
    if name in ("__get__", "__set__", "__delete__"):
        owner = getattr(function, "__self__", None)
        name = str(getattr(owner, "__name__", None) or getattr(getattr(owner, "fget", None), "__name__", name))
        return _text(f"torch.Tensor.{name}", wire.NAME_CAP)
    module = str(getattr(function, "__module__", None) or "")
    if hasattr(function, "__objclass__") or module == "torch._tensor":
        dotted = f"torch.Tensor.{name}"
    elif module.startswith("torch._ops."):
        dotted = f"torch.ops.{module.removeprefix('torch._ops.')}.{name}"
    elif module == "torch._C._nn" and hasattr(nn.functional, name):
        dotted = f"torch.nn.functional.{name}"
    elif module in ("torch.functional", "torch._C._VariableFunctions") and hasattr(torch, name):
        dotted = f"torch.{name}"
    else:
        dotted = f"{module}.{name}".strip(".")
    return _text(dotted, wire.NAME_CAP)


def _tensors(args: Any, kwargs: Mapping[str, Any]) -> Iterator[Tensor]:
    """The tensors among arguments, and in lists and tuples of them."""
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from (item for item in value[: 2 * wire.STEP_TENSORS_CAP] if isinstance(item, Tensor))


def _shape(value: Any) -> Any:
    return value.shape if isinstance(value, Tensor) else value


def _shapes(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _shape(value) for name, value in values.items()}


def _hollow(tensor: Tensor) -> wire.Hollow:
    dtype = tensors.NAMES.get(tensor.dtype) or str(tensor.dtype).removeprefix("torch.")
    return wire.Hollow(dtype, tuple(map(int, tensor.shape[: wire.MAX_AXES])), tensor.device.type)


def _arguments(args: Any, kwargs: Mapping[str, Any]) -> dict[str, wire.Plain]:
    """Numbers, texts and shapes, by name or by position: `dim`, `1`."""
    found: dict[str, wire.Plain] = {}
    for name, value in [*((str(index), each) for index, each in enumerate(args)), *kwargs.items()]:
        plain = _plain(value)
        if plain is not None and len(found) < wire.STEP_ARGUMENTS_CAP:
            found[_text(name, wire.ARGUMENT_CAP)] = plain
    return found


def _plain(value: object) -> wire.Plain:
    if isinstance(value, str | torch.dtype | torch.device):
        return _text(str(value), wire.ARGUMENT_CAP)
    if isinstance(value, tuple | list) and len(value) <= AXES_SHOWN and all(map(_is_whole, value)):
        return tuple(value)
    return value if isinstance(value, bool | float) or _is_whole(value) else None  # type: ignore[return-value]


def _is_whole(value: object) -> bool:
    return type(value) is int and abs(value) < 1 << 62


def _text(text: str, limit: int) -> str:
    return text[:limit].encode("utf-8", "replace").decode()
