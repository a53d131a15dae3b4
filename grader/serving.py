"""Answers questions about a class: build it, call it, differentiate it, say which tensors it learns.

The worker answers them about a student's class, over a socket. The examiner answers them itself, in its own process,
about the reference solution only: that run warms it up and tests the checks. A `Desk` knows nothing of checks, expected
values or points; whatever it answers about a student's class is that class's claim.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import random
import signal
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Final

import numpy
import torch
from torch import Tensor, nn

from grader import leaves, tensors, tracing, wire
from grader.errors import PeerClosed, WireError

KINDS: Final = {
    inspect.Parameter.POSITIONAL_ONLY: "positional",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
    inspect.Parameter.VAR_POSITIONAL: "args",
    inspect.Parameter.VAR_KEYWORD: "kwargs",
}
FRAMES_CAP: Final = 20
FUNCTION_CAP: Final = 200
INSIST_EVERY: Final = 0.2
"""Seconds after which an interruption is repeated: one that falls into a finaliser is lost."""


class Overtime(BaseException):
    """Raised inside student code when the soft budget of a question is used up. Not an `Exception`, so that a plain
    `except Exception` does not swallow it; what swallows it all the same is killed at the hard deadline."""


class NotFound(Exception):
    """The submission defines nothing of the wanted name, or something that is not a class."""


Loader = Callable[[wire.Open], object]
"""Loads the submission and returns the class to be graded. What it raises is reported as the student's."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The lines of a module, or of one code cell of a notebook, for showing the one an exception came from."""

    file: str
    lines: list[str]
    cell: int | None = None


class Desk:
    """Answers one connection's questions.

    Attributes:
        load: how the submission is loaded and the class found.
        sources: the student's code by the file name that tracebacks give it.
        output: what the code printed so far.
        executed: what came of running the notebook, where this process is what is left of that.
    """

    def __init__(
        self,
        load: Loader,
        *,
        sources: dict[str, Listing],
        output: Callable[[], str],
        executed: wire.Executed | None = None,
    ) -> None:
        self._load = load
        self._executed = executed
        self._sources = sources
        self._output = output
        self._target: Any = None
        self._modules: list[Any] = []
        self._outside: Any = None
        self._leaves: list[leaves.Found] = []  # as built: what a module stores while it is called is not learned

    def answer(self, request: wire.Request) -> wire.Reply:
        """Carry out one request. Never raises on behalf of student code: what it raises is an answer too."""
        stage = {wire.Open: "load", wire.Build: "build"}.get(type(request), "call")
        try:
            with _SoftBudget(request.seconds):
                return self._carry_out(request)
        except NotFound as absent:
            return self._raised(absent, "find")
        except BaseException as error:
            return self._raised(error, stage)

    def _carry_out(self, request: wire.Request) -> wire.Reply:
        match request:
            case wire.Execute():
                if self._executed is None:
                    raise NotFound("there is no notebook that could be run")
                return self._executed
            case wire.Open():
                return self._open(request)
            case wire.Build():
                return self._build(request)
            case wire.Call():
                return self._call(request)
            case wire.Differentiate():
                return self._differentiate(request)
            case wire.Trace():
                return self._trace(request)
        module = self._modules[request.module]
        match request:
            case wire.Survey():
                return wire.Built(request.module, leaves.survey(self._leaves[request.module]))
            case wire.Load():
                leaves.fill(self._leaves[request.module], _decoded(request.values))
            case wire.Switch():
                leaves.switch(module, training=request.training)
            case wire.Convert():
                leaves.convert(module, dtype=_dtype(request.dtype), device=request.device, reach=request.reach)
        return wire.Done()

    def _open(self, request: wire.Open) -> wire.Opened:
        reseed(request.seed)
        self._target = self._load(request)
        torch.set_default_device(None)  # whatever top-level code switched, it switched for itself
        if torch.is_inference_mode_enabled():
            self._outside = torch.inference_mode(False)  # kept: it ends when nobody holds it
            self._outside.__enter__()
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
        return wire.Opened(
            construct=_parameters(self._target),
            call=_parameters(getattr(self._target, "forward", None), bound=_takes_self(self._target)),
            is_module=isinstance(self._target, type) and issubclass(self._target, nn.Module),
            output=self._output(),
        )

    def _build(self, request: wire.Build) -> wire.Built:
        module = self._target(*_plain(request.args), **_plain_named(request.kwargs))
        self._modules.append(module)
        if request.dtype is not None:
            leaves.convert(module, dtype=_dtype(request.dtype), device=None, reach=True)
            leaves.switch(module, training=False)
        found = tuple(leaves.walk(module))
        self._leaves.append(found)
        if request.values:
            leaves.fill(found, _decoded(request.values))
        return wire.Built(len(self._modules) - 1, leaves.survey(found))

    def _call(self, request: wire.Call) -> wire.Returned:
        args, kwargs = _plain(request.args), _plain_named(request.kwargs)
        value = self._modules[request.module](*args, **kwargs)
        echo = (*args, *kwargs.values()) if request.echo else ()
        return wire.Returned(tensors.encode(value), tuple(tensors.encode(item) for item in echo))

    def _trace(self, request: wire.Trace) -> wire.Traced:
        module, args, kwargs = self._modules[request.module], _plain(request.args), _plain_named(request.kwargs)

        def locate(file: str, line: int, function: str) -> wire.Frame | None:
            return _frame(self._sources[file], line, function[:FUNCTION_CAP]) if file in self._sources else None

        return tracing.Recorder(locate).record(lambda: module(*args, **kwargs))

    def _differentiate(self, request: wire.Differentiate) -> wire.Slopes:
        module = self._modules[request.module]
        found = {path: leaf for path, leaf, _ in self._leaves[request.module] if leaves.has_values(leaf)}
        asked = [leaf.requires_grad for leaf in found.values()]
        cotangents = tensors.decode_tensor(request.cotangents)
        try:
            for leaf in found.values():
                if leaf.is_leaf:
                    leaf.requires_grad_(True)
            with torch.enable_grad(), _forgiving() if request.forgiving else contextlib.nullcontext():
                output = module(*_plain(request.args), **_plain_named(request.kwargs))
            for step in request.pick:
                output = output[step]
            per_leaf = _backpropagate(output, found, cotangents)
        finally:
            for leaf, before in zip(found.values(), asked, strict=True):
                if leaf.is_leaf:
                    leaf.requires_grad_(before)
        untouched = tuple(path for path, gradients in per_leaf.items() if gradients is None)
        encoded = {path: tensors.encode_tensor(slope) for path, slope in per_leaf.items() if slope is not None}
        arrays = {path: array for path, array in encoded.items() if isinstance(array, wire.Array)}
        return wire.Slopes(tensors.encode(output), arrays, untouched)

    def _raised(self, error: BaseException, stage: str) -> wire.Raised:
        signal.setitimer(signal.ITIMER_REAL, 0)  # an interruption may have struck just when the timer was being stopped
        type_, message = said(error)
        return wire.Raised(
            stage=stage,
            type=type_,
            message=message,
            frames=own_frames(error, self._sources),
            overtime=isinstance(error, Overtime),
            output=self._output(),
        )


def serve(connection: wire.Connection, desk: Desk) -> None:
    """Answer one question after the other. Returns when the other end is gone or talks nonsense."""
    while serve_one(connection, desk):
        pass


def serve_one(connection: wire.Connection, desk: Desk) -> bool:
    """Wait for a question and answer it. Returns whether there can be another."""
    try:
        sequence, request = connection.receive(deadline=math.inf)
    except WireError:
        return False
    reply = desk.answer(request)
    try:
        connection.send(reply, sequence=sequence, deadline=math.inf)
    except PeerClosed:
        return False
    except WireError as error:
        too_large = wire.Raised("call", "ResultTooLarge", error.message, (), overtime=False, output="")
        connection.send(too_large, sequence=sequence, deadline=math.inf)
    return True


def own_frames(error: BaseException, sources: dict[str, Listing]) -> tuple[wire.Frame, ...]:
    """The student's own lines of a traceback, outermost first; for a syntax error the line it speaks of."""
    if isinstance(error, SyntaxError) and error.filename in sources:
        return (_frame(sources[error.filename], error.lineno or 1, ""),)
    own = [
        _frame(sources[frame.f_code.co_filename], line, frame.f_code.co_name)
        for frame, line in _walk_traceback(error.__traceback__)
        if frame.f_code.co_filename in sources
    ]
    return tuple(own[-FRAMES_CAP:])


def _frame(listing: Listing, line: int, function: str) -> wire.Frame:
    source = listing.lines[line - 1].strip()[:300] if 0 < line <= len(listing.lines) else ""
    return wire.Frame(listing.file, line, function, source, listing.cell)


def said(error: BaseException) -> tuple[str, str]:
    """The name of an exception's type, and what it says, both cut."""
    return _said(lambda: type.__getattribute__(type(error), "__name__"), 200), _said(lambda: str(error), 4000)


def _said(say: Callable[[], str], limit: int) -> str:
    """What an exception says, cut; nothing when it fails at saying it."""
    try:
        return str.__getitem__(say(), slice(limit)).encode("utf-8", "replace").decode()
    except BaseException:
        return ""


def _forgiving() -> contextlib.AbstractContextManager[None]:
    """Keep copies of what the backward pass needs, so that overwriting it in place does not matter."""
    return torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda kept: kept)


def _backpropagate(output: Tensor, found: dict[str, Tensor], cotangents: Tensor) -> dict[str, Tensor | None]:
    """Per leaf the gradients of sum(cotangents[i] * output), shape (n, *leaf.shape), or None where nothing arrives."""
    rows = [
        torch.autograd.grad(output, list(found.values()), cotangent, retain_graph=True, allow_unused=True)
        for cotangent in cotangents.to(output.dtype)
    ]
    result: dict[str, Tensor | None] = {}
    for index, (path, leaf) in enumerate(found.items()):
        slopes = [row[index] for row in rows]
        if all(slope is None for slope in slopes):
            result[path] = None
        else:
            result[path] = torch.stack([torch.zeros_like(leaf) if slope is None else slope for slope in slopes])
    return result


def _parameters(function: object, *, bound: bool = False) -> tuple[wire.Parameter, ...]:
    """The signature of a class or of an unbound method, without `self`; empty when it cannot be read."""
    if function is None:
        return ()
    try:
        found = list(inspect.signature(function).parameters.values())  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ()
    if bound and found and found[0].kind in (found[0].POSITIONAL_ONLY, found[0].POSITIONAL_OR_KEYWORD):
        found = found[1:]
    return tuple(
        wire.Parameter(parameter.name, KINDS[parameter.kind], parameter.default is parameter.empty)
        for parameter in found
    )


def _takes_self(target: object) -> bool:
    """Whether `forward` gets the module as its first argument."""
    return not isinstance(inspect.getattr_static(target, "forward", None), staticmethod | classmethod)


def _decoded(values: dict[str, wire.Array]) -> dict[str, Tensor]:
    return {path: tensors.decode_tensor(array) for path, array in values.items()}


def _dtype(name: str | None) -> torch.dtype | None:
    return tensors.DTYPES[name] if name else None


def _plain(values: tuple[wire.Value, ...]) -> list[Any]:
    return [tensors.decode(value) for value in values]


def _plain_named(values: dict[str, wire.Value]) -> dict[str, Any]:
    return {name: tensors.decode(value) for name, value in values.items()}


def _walk_traceback(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    yield from traceback.walk_tb(trace)


def reseed(seed: int) -> None:
    """Seed every generator student code might draw from, so that a regrade repeats."""
    random.seed(seed)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed looks at every backend there might be: 3 ms
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    numpy.random.seed(seed % (1 << 32))


class _SoftBudget:
    """Raise `Overtime` in the code under `with` after some seconds, if it runs Python at all by then.

    Student code may take the signal handler away; the hard deadline is on the other end of the socket.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        signal.signal(signal.SIGALRM, _out_of_time)
        signal.setitimer(signal.ITIMER_REAL, self._seconds, INSIST_EVERY)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _out_of_time(_signal: int, _frame: FrameType | None) -> None:
    raise Overtime("the time for this step is used up")
