"""What is put back after a check, one thing after the other, without a kernel."""

from __future__ import annotations

import contextlib
import io
import random
import signal
import sys
import warnings
from collections.abc import Callable

import numpy
import pytest
import torch

from grader.extension.undisturbed import Interruption, undisturbed

CHANGES: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "python's generator": (random.random, random.getstate),
    "numpy's generator": (numpy.random.rand, lambda: str(numpy.random.get_state())),
    "torch's generator": (lambda: torch.manual_seed(1), lambda: torch.get_rng_state().tolist()),
    "default dtype": (lambda: torch.set_default_dtype(torch.float16), torch.get_default_dtype),
    "default device": (lambda: torch.set_default_device("meta"), torch.get_default_device),
    "gradients": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "inference mode": (lambda: torch.inference_mode(False).__enter__(), torch.is_inference_mode_enabled),
    "threads": (lambda: torch.set_num_threads(torch.get_num_threads() + 1), torch.get_num_threads),
    "warning filters": (lambda: warnings.simplefilter("always"), lambda: list(warnings.filters)),
    "alarm handler": (lambda: signal.signal(signal.SIGALRM, signal.SIG_IGN), lambda: signal.getsignal(signal.SIGALRM)),
    "standard output": (lambda: setattr(sys, "stdout", None), lambda: sys.stdout),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_put_back(name: str) -> None:
    change, read = CHANGES[name]
    before = read()
    with undisturbed(io.StringIO()):
        change()
    after = read()

    assert after == before


@pytest.mark.parametrize("name", CHANGES)
def test_it_is_put_back_after_an_interruption(name: str) -> None:
    change, read = CHANGES[name]
    before = read()
    with contextlib.suppress(KeyboardInterrupt), undisturbed(io.StringIO()):
        change()
        raise KeyboardInterrupt

    assert read() == before


def test_a_running_alarm_goes_on() -> None:
    rung: list[int] = []
    own = signal.signal(signal.SIGALRM, lambda number, _frame: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 30)
        with undisturbed(io.StringIO()):
            inside = signal.getitimer(signal.ITIMER_REAL)[0]
        left = signal.setitimer(signal.ITIMER_REAL, 0)[0]
    finally:
        signal.signal(signal.SIGALRM, own)

    assert inside == 0
    assert 0 < left <= 30
    assert rung == []


def test_an_interruption_is_noticed_where_it_is_swallowed() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            interruption.require_none()

    assert signal.getsignal(signal.SIGINT) == before
