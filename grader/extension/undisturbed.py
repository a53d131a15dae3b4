"""Leaves a process as it was found: what checking changes in it on the way is put back, however it ends."""

from __future__ import annotations

import contextlib
import io
import random
import signal
import warnings
from collections.abc import Iterator
from types import FrameType

import numpy
import torch


@contextlib.contextmanager
def undisturbed(printed: io.TextIOBase) -> Iterator[None]:
    """Whatever is drawn, set or printed under `with` changes nothing outside. To be used in the main thread.

    Generators, default dtype and device, gradient and inference mode, threads, warning filters, signal handlers and the
    alarm are put back; what is printed goes to `printed`.
    """
    with contextlib.ExitStack() as stack:
        for keep in (_generators, _defaults, _alarm):
            stack.enter_context(keep())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # a class that warns would warn in each of a hundred calls
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(printed))
        yield


@contextlib.contextmanager
def _generators() -> Iterator[None]:
    python, legacy, cpu = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        random.setstate(python)
        numpy.random.set_state(legacy)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


@contextlib.contextmanager
def _defaults() -> Iterator[None]:
    dtype, device, threads = torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads()
    learning = torch.is_grad_enabled()
    try:
        with torch.inference_mode(torch.is_inference_mode_enabled()):  # ends with the mode it began with
            yield
    finally:
        torch.set_grad_enabled(learning)
        torch.set_default_dtype(dtype)
        torch.set_default_device(None if device.type == "cpu" else device)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    """The alarm, by which a question's time is kept."""
    handler, left = signal.getsignal(signal.SIGALRM), signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
        signal.setitimer(signal.ITIMER_REAL, *left)


class Interruption:
    """Notices Ctrl-C, also where a student's code swallows what it raises. A context manager, for the main thread.

    Attributes:
        struck: whether somebody interrupted.
    """

    def __init__(self) -> None:
        self.struck = False

    def __enter__(self) -> Interruption:
        self._before = signal.signal(signal.SIGINT, self._strike)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler if self._before is None else self._before)

    def require_none(self) -> None:
        """Raise `KeyboardInterrupt` if somebody interrupted."""
        if self.struck:
            raise KeyboardInterrupt

    def _strike(self, _signal: int, _frame: FrameType | None) -> None:
        self.struck = True
        raise KeyboardInterrupt
