from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import msgspec
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from grader import wire
from grader.examiner.reference import InProcess
from grader.examiner.session import Session
from grader.examiner.tracing import forbidden_step, traced_flags
from grader.forbidden import forbidden_name, is_form_of
from grader.model import Contract, Limits, Match, Place, PolicyHit
from grader.orders import Course, Order
from grader.tracing import Recorder, function_name

ROOT = Path(__file__).parent.parent
MULTIHEAD = "torch.nn.MultiheadAttention"
PRODUCT = "torch.nn.functional.scaled_dot_product_attention"
FORWARD = "torch.nn.functional.multi_head_attention_forward"
FORBID = (MULTIHEAD, PRODUCT, FORWARD)
X = torch.ones(2, 3, 4)


def nowhere(file: str, line: int, function: str) -> wire.Frame | None:
    return None


def here(file: str, line: int, function: str) -> wire.Frame | None:
    return wire.Frame("here.py", line, function, "") if file == __file__ else None


def recorded(call: Callable[[], object]) -> wire.Traced:
    traced = Recorder(here).record(call)
    wire.check_trace(traced)
    return traced


def functions(call: Callable[[], object]) -> list[str]:
    return [step.function for step in recorded(call).steps]


# -- recording ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: F.softmax(X, dim=1), "torch.nn.functional.softmax"),
        (lambda: torch.softmax(X, 1), "torch.softmax"),
        (lambda: X.softmax(1), "torch.Tensor.softmax"),
        (lambda: F.linear(X, torch.ones(4, 4)), "torch.nn.functional.linear"),
        (lambda: X @ X.mT, "torch.Tensor.matmul"),
        (lambda: X.mT, "torch.Tensor.mT"),
        (lambda: X[0], "torch.Tensor.__getitem__"),
        (lambda: 1 - X, "torch.Tensor.__rsub__"),
        (lambda: X.split(1), "torch.Tensor.split"),
        (lambda: torch.einsum("bqd,bkd->bqk", X, X), "torch.einsum"),
        (lambda: torch.cat([X, X]), "torch.cat"),
        (lambda: F.scaled_dot_product_attention(X, X, X), PRODUCT),
        (lambda: torch._C._nn.scaled_dot_product_attention(X, X, X), PRODUCT),
        (lambda: torch.ops.aten.relu(X), "torch.ops.aten.relu"),
        (lambda: torch.ops.aten.relu.default(X), "torch.ops.aten.relu.default"),
    ],
)
def test_a_function_has_the_name_that_people_write(call, name):
    assert functions(call)[-1] == name


def test_a_function_without_any_name_is_called_after_its_type():
    assert function_name(object()) == "object"


def test_what_neither_computes_nor_makes_tensors_is_no_step():
    def call() -> None:
        X.size(-1), X.shape, X.dtype, X.dim(), X.device

    assert functions(call) == []


def test_a_step_knows_its_tensors_and_its_other_arguments():
    traced = recorded(lambda: X.transpose(1, -1))
    (step,) = traced.steps

    assert [traced.tensors[number] for number in step.takes] == [wire.Hollow("float32", (2, 3, 4), "cpu")]
    assert [traced.tensors[number] for number in step.gives] == [wire.Hollow("float32", (2, 4, 3), "cpu")]
    assert step.arguments == {"1": 1, "2": -1}
    assert step.operators == ("aten::transpose",)


def test_named_arguments_keep_their_names():
    (step,) = recorded(lambda: F.softmax(X, dim=1, dtype=torch.float64)).steps

    assert step.arguments["dim"] == 1
    assert step.arguments["dtype"] == "torch.float64"


def test_tensors_in_lists_are_told_too():
    traced = recorded(lambda: torch.cat([X, X[:1]], dim=0))
    step = traced.steps[-1]

    assert [traced.tensors[number].shape for number in step.takes] == [(2, 3, 4), (1, 3, 4)]
    assert step.arguments == {"dim": 0}


def test_tensors_can_be_followed_from_step_to_step():
    def call() -> tuple[Tensor, ...]:
        left, right = X.chunk(2, dim=-1)
        return left.mul_(2.0), left + right

    chunk, double, add = (traced := recorded(call)).steps

    assert chunk.takes == (0,)
    assert double.takes == double.gives == chunk.gives[:1]
    assert add.takes == chunk.gives
    assert traced.returned == double.gives + add.gives


def test_a_tensor_that_is_gone_is_not_taken_for_another():
    def call() -> Tensor:
        for _ in range(20):
            X.neg()
        return X

    assert len({step.gives for step in recorded(call).steps}) == 20


def test_devices_and_dtypes_are_told_as_texts():
    (step,) = recorded(lambda: torch.zeros(2, dtype=torch.float64, device=torch.device("cpu"))).steps

    assert step.arguments == {"0": 2, "dtype": "torch.float64", "device": "cpu"}


# -- what is counted ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "flops"),
    [
        (lambda: F.linear(X, torch.ones(5, 4), torch.ones(5)), 2 * 6 * 4 * 5),
        (lambda: X @ X.mT, 2 * 2 * 3 * 4 * 3),
        (lambda: torch.einsum("bqd,bkd->bqk", X, X), 2 * 2 * 3 * 4 * 3),
        (lambda: F.conv1d(X.mT, torch.ones(5, 4, 1)), 2 * 6 * 4 * 5),
        (lambda: torch.baddbmm(torch.ones(2, 3, 3), X, X.mT), 2 * 2 * 3 * 4 * 3),
        (lambda: X * X, 0),
    ],
)
def test_floating_point_operations_are_counted(call, flops):
    traced = recorded(call)

    assert traced.flops == sum(step.flops for step in traced.steps) == flops


def test_the_largest_tensor_is_one_that_was_made():
    weight = torch.ones(50, 4)

    assert recorded(lambda: weight.T @ weight).largest == 16
    assert recorded(lambda: weight.expand(9, 50, 4)).largest == 0
    assert recorded(lambda: weight.add_(1.0)).largest == 0
    assert recorded(lambda: (X[:, :, None] * X[:, None]).sum(dim=-1)).largest == 2 * 3 * 3 * 4


def test_what_computes_in_an_operator_that_cannot_be_counted_is_recorded_all_the_same():
    traced = recorded(lambda: F.scaled_dot_product_attention(X, X, X))

    assert [step.function for step in traced.steps] == [PRODUCT]


def test_a_step_is_what_the_student_calls_and_not_what_that_calls_in_turn():
    module = nn.MultiheadAttention(4, 1, batch_first=True)
    traced = recorded(lambda: module(X, X, X))
    (step,) = [step for step in traced.steps if step.function == FORWARD]

    assert "aten::bmm" in step.operators
    assert "torch.bmm" not in [step.function for step in traced.steps]


def test_the_line_is_the_innermost_one_of_the_students():
    (step,) = recorded(lambda: nn.Identity()(F.relu(X))).steps

    assert step.frame is not None
    assert (step.frame.file, step.frame.function) == ("here.py", "<lambda>")
    assert Recorder(nowhere).record(lambda: F.relu(X)).steps[0].frame is None


def test_an_operator_without_a_function_is_a_step_of_its_own():
    def call() -> None:
        with torch._C.DisableTorchFunction():
            torch.relu(X)

    assert functions(call) == ["aten::relu"]


def test_all_operators_are_counted_also_where_the_steps_are_cut():
    def call() -> None:
        for _ in range(wire.STEPS_CAP + 10):
            F.relu(X)

    traced = recorded(call)

    assert len(traced.steps) == wire.STEPS_CAP
    assert traced.cut
    assert traced.operators == {"aten::relu": wire.STEPS_CAP + 10}


def test_there_is_an_end_to_the_tensors_that_are_listed():
    ones = [torch.ones(1) for _ in range(wire.TRACED_TENSORS_CAP)]

    def call() -> None:
        for start in range(0, len(ones), 8):
            torch.cat(ones[start : start + 8])

    traced = recorded(call)

    assert len(traced.tensors) == wire.TRACED_TENSORS_CAP
    assert traced.cut


def test_recording_changes_neither_values_nor_gradients():
    layer, x = nn.Linear(4, 4), torch.randn(2, 4)
    outputs: list[Tensor] = []
    recorded(lambda: outputs.append(layer(x)))
    outputs[0].sum().backward()

    assert torch.equal(outputs[0], layer(x))
    assert layer.weight.grad is not None


def test_what_the_call_raises_is_raised_and_recording_has_ended():
    with pytest.raises(ZeroDivisionError):
        recorded(lambda: F.relu(X) / (1 // 0))

    assert torch._C._len_torch_function_stack() == 0
    assert torch._C._len_torch_dispatch_stack() == 0


@pytest.mark.parametrize(
    "arguments", [{"x" * 999: 1}, {"\ud800": "\ud800"}, {"n": 1 << 70}, {"o": object()}, {"a": [[]]}]
)
def test_arguments_of_any_kind_can_be_sent(arguments):
    def odd(x: Tensor, **kwargs: Any) -> Tensor:
        if torch.overrides.has_torch_function((x,)):
            return torch.overrides.handle_torch_function(odd, (x,), x, **kwargs)
        return x.relu()

    traced = recorded(lambda: odd(X, **arguments))
    sent = msgspec.msgpack.encode(traced)

    assert msgspec.msgpack.decode(sent, type=wire.Traced) == traced


def test_recording_does_not_import_the_compiler():
    script = """
        import sys, torch
        from grader.tracing import Recorder
        Recorder(lambda *where: None).record(lambda: torch.ones(2).relu())
        Recorder(lambda *where: None).record(lambda: torch.ones(2, 2) @ torch.ones(2, 2))
        sys.exit("torch._dynamo" in sys.modules or "sympy" in sys.modules)
    """

    assert subprocess.run([sys.executable, "-c", dedent(script)], check=False, cwd=ROOT).returncode == 0


# -- what a step is ----------------------------------------------------------------------------------------------------


def step(function: str, *operators: str) -> wire.Step:
    return wire.Step(function, (), (), {}, operators, 0, None)


@pytest.mark.parametrize(
    ("done", "name"),
    [
        (step(PRODUCT), PRODUCT),
        (step(FORWARD, "aten::_scaled_dot_product_flash_attention_for_cpu"), FORWARD),
        (step("torch.ops.aten._scaled_dot_product_attention_math", "aten::mul"), PRODUCT),
        (step("torch._native_multi_head_attention"), MULTIHEAD),
        (step("aten::_native_multi_head_attention"), MULTIHEAD),
        (step("aten::_transformer_encoder_layer_fwd"), MULTIHEAD),
        (step("aten::_scaled_dot_product_efficient_attention"), PRODUCT),
        (step("aten::_safe_softmax"), PRODUCT),
        (step("my.own", "aten::_scaled_dot_product_flash_attention_for_cpu"), PRODUCT),
        (step("torch.matmul", "aten::bmm"), None),
        (step("aten::_softmax"), None),
    ],
)
def test_a_step_is_compared_with_what_is_forbidden(done, name):
    assert forbidden_step(done, FORBID) == name


def test_what_a_public_function_comes_to_is_not_held_against_it():
    assert forbidden_step(step("torch.Tensor.softmax", "aten::_softmax"), ("torch.nn.functional.softmax",)) is None


def test_forms_of_a_name_have_its_words_in_order():
    assert is_form_of("_scaled_dot_product_fused_attention_overrideable", PRODUCT)
    assert not is_form_of("_log_softmax", "torch.nn.functional.softmax")
    assert forbidden_name("torch.nn.modules.activation.MultiheadAttention", FORBID) == MULTIHEAD


# -- the flags of a submission -----------------------------------------------------------------------------------------


def flags(file: Path, target: str, *, forbid: tuple[str, ...] = FORBID, hits: tuple[PolicyHit, ...] = ()) -> list[Any]:
    construct = "embed_dim, num_heads, dropout=0.0" if "Multi" in target else "embed_dim, dropout=0.0"
    contract = Contract(construct=construct, call="x, mask=None")
    course = Course(
        id="a",
        checks_folder="",
        reference="",
        entry=target,
        contract=contract,
        limits=Limits(),
        checks=(),
        forbid=forbid,
    )
    found = Match(file=file.name, target=target)
    session = Session(InProcess(file), found, Limits(), seed=0)
    return list(traced_flags(course, Order(assignment="a", match=found, policy_hits=hits, seed="ab" * 16), session))


def written(folder: Path, body: str) -> Path:
    text = f"""\
import torch
from torch import nn
class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.layer = nn.Linear(embed_dim, embed_dim)
    def forward(self, x, mask=None):
        {body}
"""
    file = folder / "attention.py"
    file.write_text(text)
    return file


HIDDEN = (
    "return getattr(torch.nn.functional, ''.join(sorted('_')) .join('scaled dot product attention'.split()))(x, x, x)"
)


def test_a_forbidden_call_that_the_source_does_not_show_is_a_flag(tmp_path):
    (flag,) = flags(written(tmp_path, HIDDEN), "SelfAttention")

    assert flag.id == "forbidden-call-traced"
    assert flag.message == f"When called, it says it used {PRODUCT} (line 8), which the source does not show."
    assert flag.where == Place(file="attention.py", line=8, source=HIDDEN, function="forward")


def test_what_only_one_of_the_modes_does_is_seen(tmp_path):
    for mode in ("self.training", "not self.training"):
        body = f"return torch.nn.functional.scaled_dot_product_attention(x, x, x) if {mode} else self.layer(x)"

        assert len(flags(written(tmp_path, body), "SelfAttention")) == 1


def test_what_the_source_shows_is_no_flag(tmp_path):
    hit = PolicyHit(name=PRODUCT, where=Place(file="attention.py", line=8))

    assert flags(written(tmp_path, HIDDEN), "SelfAttention", hits=(hit,)) == []


def test_where_nothing_is_forbidden_there_is_no_flag(tmp_path):
    assert flags(written(tmp_path, HIDDEN), "SelfAttention", forbid=()) == []


@pytest.mark.parametrize("body", ["raise ValueError", "return None", "raise SystemExit", "return self.missing(x)"])
def test_a_module_that_cannot_be_called_has_no_flags(tmp_path, body):
    assert flags(written(tmp_path, body), "SelfAttention") == []


HONEST = sorted([*ROOT.glob("solutions/*/accepted/*.py"), *ROOT.glob("solutions/*/reference.py")])


@pytest.mark.parametrize("path", HONEST, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_correct_solution_has_a_flag(path):
    target = "SelfAttention" if path.is_relative_to(ROOT / "solutions" / "self-attention") else "MultiHeadSelfAttention"

    assert flags(path, target) == []


FORBIDDEN = sorted(ROOT.glob("solutions/*/wrong/forbidden_api*.py"))


@pytest.mark.parametrize("path", FORBIDDEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_takes_it_ready_made_says_so_when_it_is_called(path):
    target = "SelfAttention" if path.is_relative_to(ROOT / "solutions" / "self-attention") else "MultiHeadSelfAttention"

    assert [flag.id for flag in flags(path, target)] == ["forbidden-call-traced"]
