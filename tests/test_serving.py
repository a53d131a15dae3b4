from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Any

import msgspec
import numpy
import pytest
import torch
from torch import Tensor

from grader import tensors, wire
from grader.serving import FRAMES_CAP, Desk, Listing, NotFound, reseed

FILE = "attention.py"
HEADER = """\
import torch
from torch import nn
"""
LINEAR = f"""{HEADER}
class Student(nn.Module):
    def __init__(self, width, *, bias=True):
        super().__init__()
        self.layer = nn.Linear(width, width, bias=bias)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, mask=None):
        return self.dropout(self.layer(x))
"""


class Client:
    """Asks a desk, with every question and every answer written down and read back as they are on the wire."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def ask(self, request: wire.Request) -> Any:
        question = msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=wire.Request)
        answer = self._desk.answer(question)
        return msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=wire.Reply)

    def open(self, *, seed: int = 0, seconds: float = 10.0) -> Any:
        return self.ask(wire.Open(FILE, "Student", definitions_only=False, seed=seed, seconds=seconds))

    def build(self, *args: wire.Value, **kwargs: wire.Value) -> Any:
        return self.ask(wire.Build(args=args, kwargs=kwargs, dtype=None, values={}, seconds=10.0))

    def call(self, *args: Any, module: int = 0, echo: bool = False, seconds: float = 10.0, **kwargs: Any) -> Any:
        sent = tuple(map(tensors.encode, args))
        named = {name: tensors.encode(value) for name, value in kwargs.items()}
        return self.ask(wire.Call(module, sent, named, echo=echo, seconds=seconds))

    def output(self, *args: Any, **kwargs: Any) -> Any:
        returned = self.call(*args, **kwargs)
        assert isinstance(returned, wire.Returned), returned
        return tensors.decode(returned.value)

    def slopes(
        self, x: Tensor, cotangents: Tensor, *, pick: tuple[int | str, ...] = (), forgiving: bool = False
    ) -> Any:
        return self.ask(
            wire.Differentiate(
                module=0,
                args=(tensors.encode(x),),
                kwargs={},
                pick=pick,
                cotangents=array(cotangents),
                forgiving=forgiving,
                seconds=10.0,
            )
        )


def array(tensor: Tensor) -> wire.Array:
    encoded = tensors.encode_tensor(tensor)
    assert isinstance(encoded, wire.Array)
    return encoded


def client(source: str, *, output: Callable[[], str] = str) -> Client:
    """A desk for this source, which is a student's file."""
    source = dedent(source)

    def load(request: wire.Open) -> object:
        namespace: dict[str, Any] = {"__name__": "attention"}
        exec(compile(source, FILE, "exec"), namespace)
        if request.target not in namespace:
            raise NotFound(f"{request.target} is not defined")
        return namespace[request.target]

    return Client(Desk(load, sources={FILE: Listing(FILE, source.splitlines())}, output=output))


def built(source: str, *args: wire.Value, **kwargs: wire.Value) -> Client:
    """A client whose module number 0 has been built."""
    asking = client(source)
    assert isinstance(asking.open(), wire.Opened)
    assert isinstance(asking.build(*args, **kwargs), wire.Built)
    return asking


def raising(statement: str) -> Client:
    """A built client whose module runs this statement when it is called."""
    return built(f"{HEADER}\nclass Student:\n    def __call__(self):\n        {statement}\n")


@pytest.fixture(autouse=True)
def alarm_as_before() -> Iterator[None]:
    """The soft budget uses the process's only alarm clock."""
    before = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    signal.signal(signal.SIGALRM, before)


# -- opening -----------------------------------------------------------------------------------------------------------


def test_opening_tells_both_signatures_without_self():
    opened = client(LINEAR).open()

    assert opened.construct == (
        wire.Parameter("width", "either", required=True),
        wire.Parameter("bias", "keyword", required=False),
    )
    assert opened.call == (
        wire.Parameter("x", "either", required=True),
        wire.Parameter("mask", "either", required=False),
    )
    assert opened.is_module


def test_every_kind_of_parameter_has_a_name():
    opened = client("""
        class Student:
            def forward(self, a, /, b, *c, d, **e): ...
    """).open()

    assert [(parameter.name, parameter.kind) for parameter in opened.call] == [
        ("a", "positional"),
        ("b", "either"),
        ("c", "args"),
        ("d", "keyword"),
        ("e", "kwargs"),
    ]
    assert not opened.is_module


def test_a_forward_that_is_static_keeps_all_of_its_parameters():
    opened = client("""
        class Student:
            @staticmethod
            def forward(x, mask=None): ...
    """).open()

    assert [parameter.name for parameter in opened.call] == ["x", "mask"]


@pytest.mark.parametrize("target", ["class Student: ...", "class Student:\n    forward = 3", "Student = 3"])
def test_a_signature_that_cannot_be_read_is_empty(target):
    assert client(target).open().call == ()


def test_opening_tells_what_was_printed():
    assert client(LINEAR, output=lambda: "hello").open().output == "hello"


def test_a_target_that_is_not_there_was_not_found():
    raised = client("x = 1").open()

    assert (raised.stage, raised.type, raised.message) == ("find", "NotFound", "Student is not defined")
    assert raised.frames == ()


def test_an_exception_while_loading_is_told_with_the_line():
    raised = client("import math\n\nmath.sqrt(-1)\n").open()

    assert (raised.stage, raised.type, raised.message) == ("load", "ValueError", "math domain error")
    assert raised.frames == (wire.Frame(FILE, 3, "<module>", "math.sqrt(-1)"),)


def test_a_syntax_error_is_told_with_the_line_it_speaks_of():
    raised = client("x = 1\ndef f(:\n    pass\n").open()

    assert (raised.stage, raised.type) == ("load", "SyntaxError")
    assert raised.frames == (wire.Frame(FILE, 2, "", "def f(:"),)


def test_every_generator_is_seeded_the_same_way_at_every_opening():
    source = """
        import random, numpy, torch
        DRAWN = (random.random(), float(numpy.random.rand()), float(torch.rand(())))
        class Student:
            def __call__(self): return DRAWN
    """
    first, second = built(source), built(source)
    other = client(source)
    other.open(seed=5)
    other.build()

    assert first.output() == second.output()
    assert not set(first.output()) & set(other.output())


def test_a_seed_of_any_size_will_do():
    reseed((1 << 40) + 3)
    drawn = random.random(), numpy.random.rand(), torch.rand(())
    reseed((1 << 40) + 3)

    assert drawn == (random.random(), numpy.random.rand(), torch.rand(()))


# -- building ----------------------------------------------------------------------------------------------------------


def test_building_tells_a_number_and_the_leaves():
    asking = client(LINEAR)
    asking.open()
    first, second = asking.build(3), asking.build(2, bias=False)

    assert (first.module, second.module) == (0, 1)
    assert [(leaf.path, leaf.shape) for leaf in first.leaves] == [("layer.weight", (3, 3)), ("layer.bias", (3,))]
    assert [(leaf.path, leaf.shape) for leaf in second.leaves] == [("layer.weight", (2, 2))]


def test_an_exception_while_building_is_told_as_such():
    asking = client(LINEAR)
    asking.open()
    raised = asking.build("wide")

    assert raised.stage == "build"
    assert raised.type == "TypeError"
    assert raised.frames[-1].source == "self.layer = nn.Linear(width, width, bias=bias)"


def test_a_failed_build_takes_no_number():
    asking = client(LINEAR)
    asking.open()
    asking.build("wide")

    assert asking.build(3).module == 0


def test_building_with_a_dtype_converts_loads_and_rests_dropout_at_once():
    asking = client(LINEAR)
    asking.open()
    weight = torch.eye(2, dtype=torch.float64) / 3
    values = {"layer.weight": array(weight), "layer.bias": array(torch.zeros(2, dtype=torch.float64))}
    answer = asking.ask(wire.Build(args=(2,), kwargs={}, dtype="float64", values=values, seconds=10.0))
    x = torch.ones(1, 2, dtype=torch.float64)

    assert {leaf.dtype for leaf in answer.leaves} == {"float64"}
    assert torch.equal(asking.output(x), x @ weight.T)


# -- calling -----------------------------------------------------------------------------------------------------------


def test_a_module_is_called_with_positional_and_named_arguments():
    asking = built("""
        class Student:
            def __call__(self, *args, **kwargs): return (args, kwargs)
    """)

    assert asking.output(1, "two", three=(4, 5)) == ((1, "two"), {"three": (4, 5)})


def test_arguments_come_back_as_they_are_afterwards_when_asked_for():
    asking = built("""
        class Student:
            def __call__(self, x, mask):
                x.add_(1)
                return None
    """)
    x = torch.zeros(2)
    with_echo = asking.call(x, mask=torch.ones(2), echo=True)
    without = asking.call(x, mask=torch.ones(2))

    assert [tensors.decode(item).tolist() for item in with_echo.echo] == [[1.0, 1.0], [1.0, 1.0]]
    assert without.echo == ()
    assert x.tolist() == [0.0, 0.0]


def test_modules_are_told_apart_by_their_numbers():
    asking = built(LINEAR, 2)
    asking.build(3)

    assert asking.output(torch.ones(1, 2), module=0).shape == (1, 2)
    assert asking.output(torch.ones(1, 3), module=1).shape == (1, 3)


@pytest.mark.parametrize(
    "value",
    [
        "'\\ud800'",
        "{'\\ud800': 1}",
        "numpy.float64(0.5)",
        "1 << 80",
        "object()",
        "{1: {2: [3]}}",
        "type('Ä', (), {})()",
    ],
)
def test_whatever_is_returned_can_be_sent(value):
    asking = built(f"import numpy\nclass Student:\n    def __call__(self): return {value}\n")

    assert isinstance(asking.call(), wire.Returned)


def test_values_are_loaded_and_surveyed():
    asking = built(LINEAR, 2, bias=False)
    done = asking.ask(wire.Load(0, {"layer.weight": array(torch.eye(2))}, seconds=10.0))
    asking.ask(wire.Switch(0, training=False, seconds=10.0))
    x = torch.tensor([[1.0, 2.0]])

    assert done == wire.Done()
    assert torch.equal(asking.output(x), x)
    assert [leaf.path for leaf in asking.ask(wire.Survey(0, seconds=10.0)).leaves] == ["layer.weight"]


def test_a_module_is_switched_and_converted():
    asking = built(LINEAR, 2)
    asking.ask(wire.Switch(0, training=False, seconds=10.0))
    asking.ask(wire.Convert(0, "float64", None, reach=True, seconds=10.0))
    x = torch.ones(1, 2, dtype=torch.float64)

    assert asking.output(x).dtype == torch.float64
    assert torch.equal(asking.output(x), asking.output(x))


def test_a_module_without_data_answers_with_the_shape_alone():
    asking = built(LINEAR, 2)
    asking.ask(wire.Convert(0, None, "meta", reach=False, seconds=10.0))
    returned = asking.ask(wire.Call(0, (wire.Hollow("float32", (3, 2), "meta"),), {}, echo=False, seconds=10.0))

    assert returned.value == wire.Hollow("float32", (3, 2), "meta")


# -- differentiating ---------------------------------------------------------------------------------------------------

TWO_LEAVES = f"""{HEADER}
class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([2.0, 3.0]))
        self.unused = nn.Parameter(torch.ones(1))
        self.hidden = [torch.tensor([5.0, 7.0])]

    def forward(self, x):
        return {{"output": self.a * self.hidden[0] * x, "other": None}}
"""


def test_gradients_come_one_for_each_cotangent_and_reach_hidden_tensors_too():
    slopes = built(TWO_LEAVES).slopes(torch.tensor([1.0, 10.0]), torch.eye(2), pick=("output",))
    gradients = {path: tensors.decode_tensor(gradient).tolist() for path, gradient in slopes.gradients.items()}

    assert tensors.decode(slopes.output).tolist() == [10.0, 210.0]
    assert gradients == {"a": [[5.0, 0.0], [0.0, 70.0]], "hidden.0": [[2.0, 0.0], [0.0, 30.0]]}
    assert slopes.untouched == ("unused",)


def test_differentiating_leaves_no_gradient_and_no_demand_for_one_behind():
    asking = built(TWO_LEAVES)
    before = asking.ask(wire.Survey(0, seconds=10.0))
    asking.slopes(torch.ones(2), torch.eye(2), pick=("output",))

    assert asking.ask(wire.Survey(0, seconds=10.0)) == before
    assert {leaf.path: leaf.trainable for leaf in before.leaves} == {"a": True, "unused": True, "hidden.0": False}


def test_an_output_that_hangs_on_no_parameter_is_an_exception_of_the_call():
    asking = built(f"{HEADER}\nclass Student(nn.Linear):\n    def forward(self, x): return x * 2\n", 2, 2)
    raised = asking.slopes(torch.ones(2), torch.eye(2))

    assert isinstance(raised, wire.Raised)
    assert raised.stage == "call"


def test_an_input_overwritten_in_place_is_forgiven_on_demand():
    asking = built(
        f"""{HEADER}
class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.tensor([2.0, 3.0]))
    def forward(self, x):
        weights = torch.softmax(self.a * x, dim=-1)
        weights += 0.0
        return weights * self.a
"""
    )
    x, cotangents = torch.ones(2), torch.eye(2)

    assert isinstance(asking.slopes(x, cotangents), wire.Raised)
    assert isinstance(asking.slopes(x, cotangents, forgiving=True), wire.Slopes)


# -- exceptions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "type_", "message"),
    [
        ("raise ValueError('no')", "ValueError", "no"),
        ("raise SystemExit(0)", "SystemExit", "0"),
        ("import sys; sys.exit()", "SystemExit", ""),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", ""),
        ("raise GeneratorExit", "GeneratorExit", ""),
        ("raise BaseException('base')", "BaseException", "base"),
        ("raise ExceptionGroup('many', [ValueError()])", "ExceptionGroup", "many (1 sub-exception)"),
        ("raise KeyError('k')", "KeyError", "'k'"),
        ("raise ValueError('\\ud800')", "ValueError", "?"),
        ("raise ValueError('x' * 100_000)", "ValueError", "x" * 4000),
        ("raise type('E' * 1000, (Exception,), {})", "E" * 200, ""),
        ("raise 3", "TypeError", "exceptions must derive from BaseException"),
        ("raise StopIteration", "StopIteration", ""),
        ("assert False, 'never'", "AssertionError", "never"),
        ("undefined", "NameError", "name 'undefined' is not defined"),
        ("torch.ones(2) @ torch.ones(3)", "RuntimeError", "inconsistent tensor size"),
    ],
)
def test_every_exception_is_an_answer(statement, type_, message):
    raised = raising(statement).call()

    assert isinstance(raised, wire.Raised)
    assert raised.type == type_
    assert message in raised.message
    assert len(raised.message) <= 4000
    assert (raised.stage, raised.overtime) == ("call", False)
    assert raised.frames == (wire.Frame(FILE, 6, "__call__", statement[:300]),)


MALICE = """
class Silent(Exception):
    def __str__(self): raise ValueError("never")

class Exiting(Exception):
    def __str__(self): raise SystemExit

class NotText(Exception):
    def __str__(self): return 3

class Text(str):
    def __getitem__(self, index): raise ValueError("never")

class Strange(Exception):
    def __str__(self): return Text("strange")

class Meta(type):
    @property
    def __name__(cls): raise ValueError("never")

class Nameless(Exception, metaclass=Meta):
    pass

class Misnamed(Exception, metaclass=type("M", (type,), {"__name__": property(lambda cls: 3)})):
    pass

class Student:
    def __call__(self, name):
        raise globals()[name]
"""


@pytest.mark.parametrize("name", ["Silent", "Exiting", "NotText", "Strange", "Nameless", "Misnamed"])
def test_an_exception_that_fails_at_saying_what_it_is_is_an_answer_all_the_same(name):
    raised = built(MALICE).call(name)

    assert isinstance(raised, wire.Raised)
    assert raised.frames[-1].source == "raise globals()[name]"


def test_endless_recursion_is_an_answer_with_a_bounded_number_of_lines():
    raised = built("class Student:\n    def __call__(self):\n        return self()\n").call()

    assert raised.type == "RecursionError"
    assert raised.frames == (wire.Frame(FILE, 3, "__call__", "return self()"),) * FRAMES_CAP


def test_the_desk_answers_on_after_an_exception():
    asking = raising("raise SystemExit")
    asking.call()

    assert asking.call().type == "SystemExit"


def test_the_lines_told_are_the_student_s_own_outermost_first():
    asking = built(f"""{HEADER}
class Inner(nn.Module):
    def forward(self, x):
        return x @ torch.ones(7, 7)

class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()

    def forward(self, x):
        return self.inner(x)
""")
    raised = asking.call(torch.ones(1, 2))

    assert raised.frames == (
        wire.Frame(FILE, 14, "forward", "return self.inner(x)"),
        wire.Frame(FILE, 6, "forward", "return x @ torch.ones(7, 7)"),
    )


def test_a_line_that_a_file_does_not_have_is_empty():
    source = "exec(compile('\\n' * 50 + 'undefined', 'attention.py', 'exec'))"
    raised = client(source).open()

    assert raised.frames[-1] == wire.Frame(FILE, 51, "<module>", "")


def test_a_question_about_a_module_that_is_not_there_is_an_answer_too():
    assert built(LINEAR, 2).call(module=7).type == "IndexError"


def test_an_exception_tells_what_was_printed_before_it():
    asking = client("raise ValueError", output=lambda: "hello")

    assert asking.open().output == "hello"


# -- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "all((torch.ones(50) @ torch.ones(50)).item() for _ in iter(int, 1))",
    ],
)
def test_the_soft_budget_ends_what_does_not_end_and_tells_the_line(statement):
    asking = raising(statement)
    started = time.monotonic()
    raised = asking.call(seconds=0.1)

    assert time.monotonic() - started < 2
    assert (raised.type, raised.overtime) == ("Overtime", True)
    assert raised.frames[0] == wire.Frame(FILE, 6, "__call__", statement)


def test_the_soft_budget_holds_while_loading_and_building():
    loading = client("while True: pass").open(seconds=0.1)
    asking = client("class Student:\n    def __init__(self):\n        while True: pass\n")
    asking.open()
    building = asking.ask(wire.Build(args=(), kwargs={}, dtype=None, values={}, seconds=0.1))

    assert (loading.stage, loading.overtime) == ("load", True)
    assert (building.stage, building.overtime) == ("build", True)


def test_overtime_is_not_swallowed_by_code_that_catches_every_exception():
    asking = built("""
        class Student:
            def __call__(self):
                while True:
                    try:
                        while True: pass
                    except Exception:
                        pass
    """)

    assert asking.call(seconds=0.1).overtime


def test_an_exception_of_the_same_name_is_no_overtime():
    asking = built("""
        class Overtime(BaseException): ...
        class Student:
            def __call__(self): raise Overtime("no")
    """)

    assert not asking.call().overtime


def test_the_next_question_has_a_budget_of_its_own():
    asking = raising("import time; time.sleep(0.05)")

    assert [type(asking.call(seconds=0.5)) for _ in range(12)] == [wire.Returned] * 12


# -- tracing -----------------------------------------------------------------------------------------------------------


def traced(asking: Client, *args: Any, **kwargs: Any) -> Any:
    named = {name: tensors.encode(value) for name, value in kwargs.items()}
    return asking.ask(wire.Trace(0, tuple(map(tensors.encode, args)), named, seconds=10.0))


def test_a_traced_call_tells_its_steps_with_the_students_lines():
    answer = traced(built(LINEAR, 2), torch.ones(1, 2), mask=None)

    assert [step.function for step in answer.steps] == ["torch.nn.functional.linear", "torch.nn.functional.dropout"]
    assert {step.frame.source for step in answer.steps} == {"return self.dropout(self.layer(x))"}
    assert {(step.frame.file, step.frame.function) for step in answer.steps} == {(FILE, "forward")}


def test_an_exception_in_a_traced_call_is_told_as_in_any_other():
    raised = traced(raising("raise ValueError('no')"))

    assert (raised.stage, raised.type, raised.frames[-1].source) == ("call", "ValueError", "raise ValueError('no')")


def test_after_a_traced_call_nothing_is_recorded_any_more():
    asking = built(LINEAR, 2)
    first = traced(asking, torch.ones(1, 2))
    traced(raising("raise ValueError('no')"))
    asking.output(torch.ones(1, 2))

    assert traced(asking, torch.ones(1, 2)) == first
    assert torch._C._len_torch_function_stack() == 0


# -- what the code switches for all of torch ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "switch",
    [
        "torch.set_default_device('meta')",
        "torch.set_default_dtype(torch.float64)",
        "torch.set_grad_enabled(False)",
        "mode = torch.inference_mode()\nmode.__enter__()",
    ],
)
def test_what_top_level_code_switches_for_all_of_torch_is_switched_back(switch):
    kept = client(f"import torch\n{switch}\n\nclass Student:\n    pass\n")
    opened = kept.open()
    tensor = torch.ones(1, requires_grad=True) * 2

    assert isinstance(opened, wire.Opened)
    assert (tensor.device.type, tensor.dtype, tensor.requires_grad) == ("cpu", torch.float32, True)
    assert not tensor.is_inference()
