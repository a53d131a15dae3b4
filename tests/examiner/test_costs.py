from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent, indent

import msgspec
import pytest

from grader import wire
from grader.checks.faults import Fault
from grader.examiner.costs import FLOPS_FACTOR, LARGEST_FACTOR, Baseline, baseline, costs
from grader.examiner.reference import InProcess
from grader.examiner.session import Session
from grader.examiner.tracing import LARGE, SMALL, tracer
from grader.model import Contract, Finding, Limits, Match
from grader.orders import Course

ROOT = Path(__file__).parent.parent.parent
REFERENCE = ROOT / "solutions" / "multi-head-attention" / "reference.py"


def seated(file: Path) -> tuple[Course, Session]:
    """What an examination of this file begins with."""
    target = re.findall(r"^class (\w+)", file.read_text(), re.MULTILINE)[-1]
    construct = "embed_dim, num_heads, dropout=0.0" if "Multi" in target else "embed_dim, dropout=0.0"
    contract = Contract(construct=construct, call="x, mask=None")
    course = Course(
        id="a", checks_folder="", reference="", entry=target, contract=contract, limits=Limits(), checks=(), forbid=()
    )
    session = Session(InProcess(file), Match(file=file.name, target=target), Limits(), seed=0)
    session.begin_check()
    return course, session


def found(file: Path, reference: Path = REFERENCE) -> list[Finding]:
    return list(costs(*seated(file), baseline(*seated(reference))))


@pytest.fixture
def told(tmp_path: Path):
    """What is told of a multi-head module with this forward."""

    def costs_of(forward: str) -> list[Finding]:
        file = tmp_path / "attention.py"
        file.write_text(
            "import math\nimport torch\nfrom torch import nn\n\n\n"
            "class MultiHeadSelfAttention(nn.Module):\n"
            "    def __init__(self, embed_dim, num_heads, dropout=0.0):\n"
            "        super().__init__()\n"
            "        self.heads, self.width = num_heads, embed_dim // num_heads\n"
            "        self.query, self.key = nn.Linear(embed_dim, embed_dim), nn.Linear(embed_dim, embed_dim)\n"
            "        self.value, self.output = nn.Linear(embed_dim, embed_dim), nn.Linear(embed_dim, embed_dim)\n"
            "        self.dropout = nn.Dropout(dropout)\n\n"
            "    def split(self, x):\n"
            "        return x.unflatten(-1, (self.heads, self.width)).transpose(-3, -2)\n\n"
            "    def attend(self, q, k, v):\n"
            "        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(self.width), dim=-1)\n"
            "        return (self.dropout(weights) @ v).transpose(-3, -2).flatten(-2)\n\n"
            "    def forward(self, x, mask=None):\n" + indent(dedent(forward), " " * 8)
        )
        return found(file)

    return costs_of


VECTORISED = """\
q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
return self.output(self.attend(q, k, v))
"""
OVER_SAMPLES = """\
found = []
for sample in x:
    q, k, v = self.split(self.query(sample)), self.split(self.key(sample)), self.split(self.value(sample))
    found.append(self.output(self.attend(q, k, v)))
return torch.stack(found)
"""
OVER_TOKENS = """\
q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
found = [self.attend(q[:, :, i : i + 1], k, v) for i in range(x.shape[1])]
return self.output(torch.cat(found, dim=1))
"""
OVER_HEADS = """\
found = []
for q, k, v in zip(self.query(x).chunk(4, -1), self.key(x).chunk(4, -1), self.value(x).chunk(4, -1)):
    weights = self.dropout(torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(self.width), dim=-1))
    found.append(weights @ v)
return self.output(torch.cat(found, dim=-1))
"""
OVER_BOTH = """\
q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
result = torch.zeros_like(x)
for b in range(x.shape[0]):
    for i in range(x.shape[1]):
        result[b, i] = self.attend(q[b, :, i : i + 1], k[b], v[b])
return self.output(result)
"""


# -- loops -------------------------------------------------------------------------------------------------------------


def test_a_loop_over_samples_is_told_with_its_numbers_and_its_line(told):
    (finding,) = told(OVER_SAMPLES)

    assert finding.id == "python-loop-over-batch"
    assert finding.informative
    few, many = finding.evidence["operators for 2 samples"], finding.evidence["operators for 7 samples"]
    assert isinstance(few, int)
    assert isinstance(many, int)
    assert many > 3 * few
    assert finding.where is not None
    assert finding.where.source.startswith("q, k, v = self.split(self.query(sample))")


def test_a_loop_over_tokens_is_told(told):
    (finding,) = told(OVER_TOKENS)

    assert finding.id == "python-loop-over-tokens"
    assert {*finding.evidence} == {"operators for 5 tokens", "operators for 11 tokens"}
    assert finding.where is not None
    assert finding.where.source.startswith("found = [self.attend(q[:, :, i : i + 1], k, v)")


def test_loops_within_loops_are_told_although_their_trace_is_cut(told):
    forward = """\
    q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
    result = torch.zeros(q.shape, dtype=x.dtype)
    for b in range(x.shape[0]):
        for h in range(self.heads):
            for i in range(x.shape[1]):
                scores = torch.stack([torch.dot(q[b, h, i], k[b, h, j]) for j in range(x.shape[1])])
                result[b, h, i] = torch.softmax(scores / math.sqrt(self.width), dim=-1) @ v[b, h]
    return self.output(result.transpose(1, 2).flatten(-2))
    """

    assert [finding.id for finding in told(forward)] == ["python-loop-over-batch", "python-loop-over-tokens"]


def test_a_loop_over_both_is_told_twice(told):
    assert [finding.id for finding in told(OVER_BOTH)] == ["python-loop-over-batch", "python-loop-over-tokens"]


@pytest.mark.parametrize("forward", [VECTORISED, OVER_HEADS])
def test_neither_vectorised_code_nor_a_loop_over_heads_is_told(told, forward):
    assert told(forward) == []


def test_what_is_made_anew_for_a_longer_sequence_is_no_loop(told):
    forward = """\
    if getattr(self, "length", 0) < x.shape[1]:
        self.length = x.shape[1]
        self.causal = torch.triu(torch.ones(self.length, self.length), diagonal=1).bool().unsqueeze(0).contiguous()
    """

    assert told(dedent(forward) + VECTORISED) == []


def test_blocks_of_many_tokens_are_no_loop_over_tokens(told):
    forward = """\
    q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
    found = [self.attend(block, k, v) for block in q.split(8, dim=-2)]
    return self.output(torch.cat(found, dim=1))
    """

    assert told(forward) == []


def test_dropout_in_training_is_no_loop(told):
    forward = """\
    if self.training:
        for _ in range(12):
            x = x * (torch.rand_like(x) >= 0.0)
    """

    assert told(dedent(forward) + VECTORISED) == []


# -- waste -------------------------------------------------------------------------------------------------------------


def test_what_is_computed_for_every_query_anew_is_told(told):
    forward = """\
    found = []
    for i in range(x.shape[1]):
        k, v = self.split(self.key(x)), self.split(self.value(x))
        found.append(self.attend(self.split(self.query(x))[:, :, i : i + 1], k, v))
    return self.output(torch.cat(found, dim=1))
    """

    loop, waste = told(forward)

    assert (loop.id, waste.id) == ("python-loop-over-tokens", "wasteful-cost")
    assert waste.informative
    assert float(waste.evidence["times the reference's floating point operations"]) > 5
    assert waste.where is not None
    assert waste.where.source == "k, v = self.split(self.key(x)), self.split(self.value(x))"


def test_what_is_computed_for_every_head_anew_is_told(told):
    forward = """\
    found = []
    for h in range(self.heads):
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        found.append(self.attend(q, k, v).chunk(self.heads, -1)[h])
    return self.output(torch.cat(found, dim=-1))
    """

    assert [finding.id for finding in told(forward)] == ["wasteful-cost"]


def test_products_of_all_pairs_that_are_kept_are_told(told):
    forward = """\
    q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
    pairs = q.unsqueeze(-2) * k.unsqueeze(-3)
    weights = torch.softmax(pairs.sum(dim=-1) / math.sqrt(self.width), dim=-1)
    return self.output((weights @ v).transpose(1, 2).flatten(-2))
    """

    (finding,) = told(forward)

    assert finding.id == "wasteful-cost"
    assert float(finding.evidence["times the reference's largest tensor"]) == 6.0
    assert finding.where is not None
    assert finding.where.source == "pairs = q.unsqueeze(-2) * k.unsqueeze(-3)"


def test_without_a_reference_nothing_is_called_wasteful(told, tmp_path):
    told("return self.output(sum(self.query(x) for _ in range(40)))")

    assert [finding.id for finding in found(tmp_path / "attention.py")] == ["wasteful-cost"]
    assert list(costs(*seated(tmp_path / "attention.py"), None)) == []


# -- the solutions -----------------------------------------------------------------------------------------------------

ACCEPTED = sorted([*ROOT.glob("solutions/*/accepted/*.py"), *ROOT.glob("solutions/*/reference.py")])


@pytest.mark.parametrize("file", ACCEPTED, ids=lambda file: file.relative_to(ROOT / "solutions").as_posix())
def test_of_correct_solutions_only_those_that_loop_over_tokens_have_a_finding(file):
    reference = ROOT / "solutions" / file.relative_to(ROOT / "solutions").parts[0] / "reference.py"
    expected = ["python-loop-over-tokens"] if file.stem == "loop_over_queries" else []

    assert [finding.id for finding in found(file, reference)] == expected


@pytest.mark.parametrize("file", ACCEPTED, ids=lambda file: file.relative_to(ROOT / "solutions").as_posix())
def test_correct_solutions_are_far_from_wasteful(file):
    reference = baseline(*seated(ROOT / "solutions" / file.relative_to(ROOT / "solutions").parts[0] / "reference.py"))
    needed = baseline(*seated(file))
    assert reference is not None
    assert needed is not None

    assert needed.flops <= FLOPS_FACTOR / 1.5 * reference.flops
    assert needed.largest <= LARGEST_FACTOR / 1.3 * reference.largest


# -- what cannot be counted --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forward", ["raise ValueError", "raise SystemExit", "return self.missing(x)"])
def test_a_module_that_cannot_be_called_has_no_costs(told, forward):
    assert told(forward) == []


def test_where_only_large_inputs_fail_nothing_is_told(told):
    assert told("return self.output(x) if x.shape[0] == 2 else None.x") == []


class Sealed(InProcess):
    """Answers no trace soundly."""

    def ask(self, question: wire.Question, *, deadline: float) -> object:
        answer = super().ask(question, deadline=deadline)
        return msgspec.structs.replace(answer, flops=-1) if isinstance(answer, wire.Traced) else answer


def test_a_trace_out_of_bounds_is_not_asked_for_again():
    course, session = seated(REFERENCE)
    session = Session(Sealed(REFERENCE), Match(file=REFERENCE.name, target=course.entry), Limits(), seed=0)

    assert list(costs(course, session, Baseline(1, 1))) == []
    assert tracer(course, session).trace(2, 11) is None


# -- how often a module is called --------------------------------------------------------------------------------------


class Counting(InProcess):
    """Notes what it is asked to trace."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.shapes: list[tuple[int, ...]] = []

    def ask(self, question: wire.Question, *, deadline: float) -> object:
        if isinstance(question, wire.Trace) and isinstance(question.args[0], wire.Array):
            self.shapes.append(question.args[0].shape)
        return super().ask(question, deadline=deadline)


def test_a_module_without_loops_is_called_no_oftener_than_for_its_flags():
    course, _ = seated(REFERENCE)
    agency = Counting(REFERENCE)
    session = Session(agency, Match(file=REFERENCE.name, target=course.entry), Limits(), seed=0)
    for _ in range(2):
        assert list(costs(course, session, Baseline(10**9, 10**9))) == []

    assert agency.shapes == [(*SMALL, 24), (*LARGE, 24)]


def test_after_a_fault_the_reference_has_no_baseline(tmp_path):
    file = tmp_path / "attention.py"
    file.write_text("class MultiHeadSelfAttention:\n    def __init__(self): raise ValueError\n")

    assert baseline(*seated(file)) is None
    with pytest.raises(Fault):
        seated(file)[1].open() and seated(file)[1].ask(lambda s: wire.Build((), {}, None, {}, s), wire.Built)
