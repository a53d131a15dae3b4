from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from grader import tensors, wire
from grader.checks.faults import Raised
from grader.examiner import insisting
from grader.examiner.record import CALLS_CAP, Record, essence
from grader.examiner.reference import InProcess
from grader.examiner.repetition import agree, choose, reordered, repeat
from grader.examiner.session import Session
from grader.model import CheckSpec, Limits, Match

LINEAR = """
import builtins, sys, time, torch
from torch import nn

LOADED = sys.modules.setdefault("{name}", [])
LOADED.append(1)
PROCESS = len(LOADED)


class A(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        right = x * self.weight
        return {answer}
"""
"""A module in a file that knows how often it was loaded in this process."""


def array(*numbers: float, dtype: torch.dtype = torch.float64) -> wire.Array:
    encoded = tensors.encode_tensor(torch.tensor(numbers, dtype=dtype))
    assert isinstance(encoded, wire.Array)
    return encoded


def build(seconds: float = 1.0, *, weight: wire.Array | None = None, dtype: str | None = "float64") -> wire.Build:
    return wire.Build((), {}, dtype, {} if weight is None else {"weight": weight}, seconds)


def call(module: int = 0, *numbers: float) -> wire.Call:
    return wire.Call(module, (array(*(numbers or (1.0, 2.0, 3.0))),), {}, False, 1.0)


def returned(value: wire.Value) -> wire.Returned:
    return wire.Returned(value, ())


def examined(folder: Path, answer: str) -> Session:
    """A session that has asked two modules of such a class ten things each."""
    file = folder / "a.py"
    file.write_text(LINEAR.format(name=f"loaded {folder}", answer=answer))
    session = Session(InProcess(file), Match(file=str(file), target="A"), Limits(), seed=5)
    session.begin_check()
    for weight in (array(1.0, -2.0, 3.0), array(5.0, 0.5, 4.0)):
        module = session.ask(lambda s, weight=weight: build(s, weight=weight), wire.Built).module
        for number in range(10):
            with contextlib.suppress(Raised):
                session.ask(lambda s, m=module, n=number: call(m, 1.0 + n, 2.0, 3.0 - n), wire.Returned)
    return session


def repeated(folder: Path, answer: str) -> Any:
    first = examined(folder, answer)
    return repeat(first.record, first.again(seed=6), random.Random("x"))


# -- asking again ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        "right",
        "(right, LOADED)",
        "{'out': right, 'calls': self.calls}",
        "right / (right - right)",
        "None",
        "1 / 0",
        "x.new_zeros(()) / 0 * right",
    ],
)
def test_what_does_not_depend_on_history_agrees(tmp_path, answer):
    assert repeated(tmp_path, answer).agrees


@pytest.mark.parametrize(
    "answer",
    [
        "right if PROCESS == 1 else 2 * right",
        "right * self.calls",
        "right if self.calls < 4 else 0 * right",
        "right + torch.rand(3)",
        "right if PROCESS == 1 else None",
        "right if PROCESS == 1 else 1 / 0",
        "(right, right) if PROCESS == 1 else right",
        "right if PROCESS == 1 else right / (right - right)",
    ],
)
def test_what_depends_on_the_process_the_count_or_chance_is_seen(tmp_path, answer):
    assert repeated(tmp_path, answer).different > 0


def test_what_is_right_in_double_precision_only_is_seen(tmp_path):
    found = repeated(tmp_path, "right if x.dtype == torch.float64 else 2 * right")

    assert (found.different, found.narrow_different) == (0, 1)


@pytest.mark.parametrize("answer", ["right if x.dtype == torch.float64 else 1 / 0", "right.double()"])
def test_what_fails_in_single_precision_or_answers_in_double_is_left_to_its_own_check(tmp_path, answer):
    assert repeated(tmp_path, answer).agrees


def test_a_worker_that_cannot_be_loaded_a_second_time_differs(tmp_path):
    first = examined(tmp_path, "right")
    (tmp_path / "a.py").write_text("1 / 0")

    assert repeat(first.record, first.again(seed=6), random.Random("x")).different == 1


def test_the_second_worker_has_other_random_numbers_and_the_same_when_it_is_repeated(tmp_path):
    answer = "torch.rand(3, dtype=x.dtype)"
    drawn = []
    for seed in (5, 6, 6):
        session = examined(tmp_path, answer).again(seed=seed)
        session.begin_check()
        module = session.ask(lambda s: build(s, weight=array(1.0, 1.0, 1.0)), wire.Built).module
        drawn.append(session.ask(lambda s, m=module: call(m), wire.Returned).value)

    assert drawn[0] != drawn[1] == drawn[2]


def test_the_sample_is_drawn_from_the_dice_and_in_another_order(tmp_path):
    calls = examined(tmp_path, "right").record.calls
    samples = [[calls.index(asked) for asked in choose(calls, random.Random(seed))] for seed in ("a", "a", "b")]

    assert samples[0] == samples[1] != samples[2]
    assert samples[0] != sorted(samples[0])


def test_in_doubt_every_call_is_asked_again(tmp_path):
    calls = examined(tmp_path, "right").record.calls
    again = choose(calls, random.Random("a"), everything=True)

    assert sorted(map(calls.index, again)) == list(range(len(calls)))
    assert len(choose(calls, random.Random("a"))) < len(calls)


def test_calls_with_large_inputs_are_not_repeated():
    record = Record()
    record.note(1, build(), wire.Built(0, ()))
    record.note(1, call(0, 300.0, 1.0, 1.0), returned(array(1.0, 1.0, 1.0)))

    assert choose(record.calls, random.Random(0)) == choose(record.calls, random.Random(0), everything=True) == []


# -- the record --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "happened",
    [wire.Switch(0, training=True, seconds=1.0), wire.Convert(0, "float32", None, reach=False, seconds=1.0)],
)
def test_a_module_that_is_not_as_it_was_prepared_is_left_out_from_there_on(happened):
    record = Record()
    record.note(1, build(), wire.Built(0, ()))
    record.note(1, call(), returned(array(1.0, 1.0, 1.0)))
    record.note(1, happened, wire.Done())
    record.note(1, call(), returned(array(1.0, 1.0, 1.0)))

    assert len(record.calls) == 1


def test_loaded_weights_are_those_it_is_built_with_next_time():
    record = Record()
    record.note(1, build(weight=array(1.0)), wire.Built(0, ()))
    record.note(1, wire.Load(0, {"weight": array(7.0)}, 1.0), wire.Done())
    record.note(1, call(), returned(array(1.0, 1.0, 1.0)))

    assert record.calls[0].build.values == {"weight": array(7.0)}


def test_modules_as_built_calls_that_were_too_slow_and_other_workers_modules_are_not_recorded():
    record = Record()
    record.note(1, build(dtype=None), wire.Built(0, ()))
    record.note(1, build(), wire.Built(1, ()))
    record.note(1, call(0), returned(None))
    record.note(1, call(1), wire.Raised("call", "Overtime", "", (), overtime=True, output=""))
    record.note(2, call(1), returned(None))

    assert record.calls == []


def test_the_record_stays_small_whatever_is_returned():
    record = Record()
    record.note(1, build(), wire.Built(0, ()))
    many = wire.Sequence((array(*range(1000)), *(array(1.0, 2.0, 3.0) for _ in range(100))))
    for _ in range(2 * CALLS_CAP):
        record.note(1, call(), returned(many))

    assert len(record.calls) == CALLS_CAP
    assert record.calls[0].essence == (array(1.0, 2.0, 3.0),) * 4


def test_an_exception_is_kept_by_its_kind():
    raised = wire.Raised("call", "ValueError", "about 0x7f", (), overtime=False, output="")

    assert essence(call(), raised) == "raised ValueError"


# -- comparing ---------------------------------------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ((array(1.0, NAN),), (array(1.0 + 1e-12, NAN),), True),
        ((array(1.0, NAN),), (array(1.0, INF),), False),
        ((array(1.0, -INF),), (array(1.0, INF),), False),
        ((array(1.0),), (array(1.0 + 1e-5),), False),
        ((array(1.0, dtype=torch.float32),), (array(1.0 + 1e-5, dtype=torch.float32),), True),
        ((array(1.0, dtype=torch.float32),), (array(1.0 + 1e-3, dtype=torch.float32),), False),
        ((array(1.0, dtype=torch.float32),), (array(1.0),), False),
        ((array(1.0),), (array(1.0, 1.0),), False),
        ((array(1.0),), (wire.Array("float64", (1,), b"short"),), False),
        ((array(1.0),), "returned NoneType", False),
        ("raised ValueError", "raised ValueError", True),
        ("raised ValueError", "raised TypeError", False),
    ],
)
def test_answers_agree_within_the_tolerance_and_failures_by_kind(first, second, same):
    assert agree(first, second) is same


# -- the order ---------------------------------------------------------------------------------------------------------


def test_every_check_comes_after_those_it_depends_on():
    names = {"a": (), "b": ("a",), "c": ("a", "b"), "d": (), "e": ("c", "absent")}
    specs = tuple(CheckSpec(id=id_, title="", concept="", points=1, after=after) for id_, after in names.items())
    orders = {tuple(spec.id for spec in reordered(specs, random.Random(seed))) for seed in range(50)}

    assert len(orders) > 2
    for order in orders:
        assert sorted(order) == sorted(names)
        assert all(order.index(after) < order.index(id_) for id_ in names for after in names[id_] if after in names)


# -- insisting ---------------------------------------------------------------------------------------------------------


def test_the_same_answer_many_times_is_believed_as_it_is():
    value = wire.Sequence((array(1.0, NAN), None, wire.Opaque("Foo")))

    assert insisting.believed([returned(value)] * 9).value is value


def test_of_different_answers_none_is_believed():
    answers = [returned(wire.Mapping({"out": wire.Sequence((array(number), 3))})) for number in (1.0, 1.0, 4.0)]

    assert insisting.believed(answers).value == wire.Mapping({"out": wire.Sequence((array(2.0), 3))})


def test_of_answers_without_a_mean_the_last_is_taken():
    assert insisting.believed([returned(None), returned(array(1.0))]).value == array(1.0)


def test_only_calls_of_prepared_modules_are_insisted_on(tmp_path):
    session = examined(tmp_path, "x.new_full((3,), float(self.calls))")
    session.insistence = random.Random(0)
    prepared = session.ask(lambda s: build(s), wire.Built).module
    bare = session.ask(lambda s: build(s, dtype=None), wire.Built).module
    first, second = (session.ask(lambda s, m=m: call(m), wire.Returned).value for m in (prepared, bare))

    assert tensors.decode(first)[0] > 1
    assert second == array(1.0, 1.0, 1.0)


def test_whoever_has_used_up_the_time_is_looked_at_again_all_the_same(tmp_path):
    session = Session(InProcess(tmp_path), Match(file="a.py", target="A"), Limits(seconds=30), seed=5)
    session._job_deadline -= 29.9
    other = session.another_look(seed=6)

    assert other._job_deadline - time.monotonic() > 59


def test_whoever_is_slow_is_asked_again_as_much_as_there_is_time_for(tmp_path, monkeypatch):
    first = examined(tmp_path, "right")
    monkeypatch.setattr(Session, "seconds", 0.0)
    again = repeat(first.record, first.again(seed=6), random.Random("x"), in_doubt=True)

    assert again.agrees
    assert again.asked == 1 < len(first.record.calls)


@pytest.mark.parametrize(("used", "numbers"), [(0.0, insisting.TIMES), (6.0, insisting.HURRIED)])
def test_a_check_that_runs_out_of_time_is_insisted_on_all_the_same(tmp_path, used, numbers):
    session = examined(tmp_path, "x.new_full((3,), float(self.calls))")
    session.insistence = random.Random(0)
    module = session.ask(lambda s: build(s), wire.Built).module
    session.begin_check()
    session._check_deadline -= used
    before = int(tensors.decode(session.ask(lambda s: call(module), wire.Returned).value)[0])
    asked = session._times(call(module))

    assert before >= 1
    assert asked in numbers
