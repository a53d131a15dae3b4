"""Records the torch calls that are made while a student's module is called, and from which of its lines.

Theory of operation. A function mode sees every call of torch's Python functions, with its arguments, before it is
carried out; what such a function calls in turn it does not see, so a step is a call as the student wrote it. A dispatch
mode sees the operators that each of them comes to, and also those that no Python function stands for. All of this runs
in the student's process: it is evidence, never a verdict.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from grader import tensors, wire

FRAMES_SEARCHED: Final = 80
TENSORS_CAP: Final = 8
ARGUMENTS_CAP: Final = 8
AXES_SHOWN: Final = 8
TEXT_CAP: Final = 40

Locate = Callable[[str, int, str], wire.Frame | None]
"""The student's line with this file name, number and function; None when it is not the student's."""


class _Step:
    """A step while it is being recorded."""

    __slots__ = ("arguments", "frame", "function", "operators", "tensors")

    def __init__(self, function: str, args: Any, kwargs: Any, frame: wire.Frame | None) -> None:
        self.function = function
        self.frame = frame
        self.tensors = tuple(_hollow(each) for _, each in zip(range(TENSORS_CAP), _tensors(args, kwargs), strict=False))
        self.arguments = _arguments(args, kwargs)
        self.operators: dict[str, None] = {}

    def finished(self) -> wire.Step:
        return wire.Step(self.function, self.tensors, self.arguments, tuple(self.operators), self.frame)


class Recorder:
    """Records while it is entered."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self._places: dict[tuple[str, int, str], wire.Frame | None] = {}
        self._names: dict[int, tuple[object, str]] = {}
        self._steps: list[_Step] = []
        self._counts: Counter[str] = Counter()
        self._current: _Step | None = None
        self._cut = False
        self._functions = _Functions(self)
        self._operators = _Operators(self)

    def record(self, call: Callable[[], object]) -> wire.Traced:
        """Make the call; returns what was seen meanwhile. Raises what the call raises."""
        with self._operators, self._functions:
            call()
        common = dict(self._counts.most_common(wire.OPERATORS_CAP))
        return wire.Traced(tuple(step.finished() for step in self._steps), common, self._cut)

    def function(self, function: Any, args: Any, kwargs: Any) -> Any:
        """Carry out a call of a Python function of torch, as a step if it makes tensors or computes."""
        step, around = self._begun(function, args, kwargs), self._current
        self._current = step
        try:
            result = function(*args, **kwargs)
        finally:
            self._current = around
        if step is not None and not step.operators and next(_tensors((result,), {}), None) is None:
            with suppress(ValueError):
                self._steps.remove(step)
        return result

    def operator(self, operator: Any, args: Any, kwargs: Any) -> Any:
        """Count an operator, for the step it belongs to; without one, it is a step."""
        with suppress(Exception):
            known = self._names.get(id(operator))
            if known is None or known[0] is not operator:
                known = self._names[id(operator)] = (operator, _text(str(operator._schema.name), wire.NAME_CAP))
            name = known[1]
            self._counts[name] += 1
            step = self._current
            if step is None:
                self._append(_Step(name, args, kwargs, self._place()))
            elif len(step.operators) < wire.STEP_OPERATORS_CAP:
                step.operators[name] = None
        return operator(*args, **kwargs)

    def _begun(self, function: Any, args: Any, kwargs: Any) -> _Step | None:
        with suppress(Exception):
            known = self._names.get(id(function))
            if known is None or known[0] is not function:
                known = self._names[id(function)] = (function, function_name(function))
            step = _Step(known[1], args, kwargs, self._place())
            return step if self._append(step) else None
        return None

    def _append(self, step: _Step) -> bool:
        if len(self._steps) >= wire.STEPS_CAP:
            self._cut = True
            return False
        self._steps.append(step)
        return True

    def _place(self) -> wire.Frame | None:
        """The student's innermost line."""
        frame: FrameType | None = sys._getframe(2)
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
            yield from (item for item in value[: 2 * TENSORS_CAP] if isinstance(item, Tensor))


def _hollow(tensor: Tensor) -> wire.Hollow:
    dtype = tensors.NAMES.get(tensor.dtype) or str(tensor.dtype).removeprefix("torch.")
    return wire.Hollow(dtype, tuple(map(int, tensor.shape[: wire.MAX_AXES])), tensor.device.type)


def _arguments(args: Any, kwargs: Mapping[str, Any]) -> dict[str, wire.Plain]:
    """Numbers, texts and shapes, by name or by position: `dim`, `1`."""
    found: dict[str, wire.Plain] = {}
    for name, value in [*((str(index), each) for index, each in enumerate(args)), *kwargs.items()]:
        plain = _plain(value)
        if plain is not None and len(found) < ARGUMENTS_CAP:
            found[_text(name, TEXT_CAP)] = plain
    return found


def _plain(value: object) -> wire.Plain:
    if isinstance(value, str | torch.dtype):
        return _text(str(value), TEXT_CAP)
    if isinstance(value, tuple | list) and len(value) <= AXES_SHOWN and all(map(_is_whole, value)):
        return tuple(value)
    return value if isinstance(value, bool | float) or _is_whole(value) else None  # type: ignore[return-value]


def _is_whole(value: object) -> bool:
    return type(value) is int and abs(value) < 1 << 62


def _text(text: str, limit: int) -> str:
    return text[:limit].encode("utf-8", "replace").decode()
