from __future__ import annotations

import difflib
import random
import re
import warnings
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import msgspec
import pytest
import torch
from torch import nn

from grader import wire
from grader.attention import padding_mask
from grader.catalogue import CATALOGUE
from grader.examiner.explaining import Notebook, finding
from grader.examiner.flow import Sizes
from grader.examiner.pointing import RULES, is_implicit_softmax, locate, needs_mask, point, with_lines
from grader.examiner.reference import InProcess
from grader.examiner.session import Session
from grader.examiner.tracing import Tracer
from grader.model import Certainty, Contract, Limits, Match, Place
from grader.orders import Course
from grader.tracing import Recorder

ROOT = Path(__file__).parent.parent.parent
SIZES = Sizes(batch=2, seq=5, embed=24, heads=4)

MULTI_HEAD = """\
batch, seq, embed = x.shape
q = self.query(x)
k = self.key(x)
v = self.value(x)
q = q.view(batch, seq, 4, 6).transpose(1, 2)
k = k.view(batch, seq, 4, 6).transpose(1, 2)
v = v.view(batch, seq, 4, 6).transpose(1, 2)
scores = q @ k.transpose(-2, -1)
scores = scores / 6**0.5
if mask is not None:
    scores = scores.masked_fill(mask.unsqueeze(1) == 0, -math.inf)
weights = torch.softmax(scores, dim=-1)
weights = self.dropout(weights)
heads = weights @ v
merged = heads.transpose(1, 2).reshape(batch, seq, embed)
result = self.output(merged)
return result
"""


def traced(forward: str, *, masked: bool = False, training: bool = False) -> wire.Traced:
    """The trace of a module with this forward, in one file."""
    source = f"class Layer(nn.Module):\n    def forward(self, x, mask=None):\n{indent(forward, ' ' * 8)}"
    names: dict[str, Any] = {"torch": torch, "nn": nn, "F": nn.functional, "math": __import__("math")}
    exec(compile(source, "layer.py", "exec"), names)
    layer = names["Layer"]()
    for name in ("query", "key", "value", "output"):
        layer.add_module(name, nn.Linear(24, 24))
    layer.qkv, layer.norm, layer.dropout = nn.Linear(24, 72), nn.LayerNorm(24), nn.Dropout(0.5)
    layer.weight, layer.scale = nn.Parameter(torch.eye(24)), torch.tensor(0.4)
    layer.double().train(training)
    lines = source.splitlines()

    def here(file: str, line: int, function: str) -> wire.Frame | None:
        return wire.Frame(file, line, function, lines[line - 1].strip()) if file == "layer.py" else None

    x = torch.ones(2, 5, 24, dtype=torch.float64)
    mask = padding_mask(torch.tensor([3, 4]), 5, expand=True)
    found = Recorder(here).record(lambda: layer(x, mask) if masked else layer(x))
    wire.check_trace(found)
    return found


def pointed(id_: str, forward: str, **options: bool) -> str | None:
    """The source of the line that is pointed at."""
    place = point(id_, traced(forward, masked=needs_mask(id_), **options), SIZES)
    return place and place.source


def changed(*replacements: str) -> str:
    """The correct forward with some lines replaced: one, its replacement, another, its replacement."""
    forward = MULTI_HEAD
    for old, new in zip(replacements[::2], replacements[1::2], strict=True):
        assert forward.count(f"{old}\n") == 1
        forward = forward.replace(f"{old}\n", f"{new}\n" if new else "")
    return forward


# -- each finding ------------------------------------------------------------------------------------------------------

Q, K, V = "q = self.query(x)", "k = self.key(x)", "v = self.value(x)"
Q_HEADS, K_HEADS, V_HEADS = (f"{name} = {name}.view(batch, seq, 4, 6).transpose(1, 2)" for name in "qkv")
SCORES = "scores = q @ k.transpose(-2, -1)"
SCALE = "scores = scores / 6**0.5"
MASK = "    scores = scores.masked_fill(mask.unsqueeze(1) == 0, -math.inf)"
SOFTMAX = "weights = torch.softmax(scores, dim=-1)"
DROPOUT = "weights = self.dropout(weights)"
VALUES = "heads = weights @ v"
MERGE = "merged = heads.transpose(1, 2).reshape(batch, seq, embed)"
OUTPUT = "result = self.output(merged)"
RETURN = "return result"

REPLACED = [
    ("value-not-projected", V_HEADS, "v = x.view(batch, seq, 4, 6).transpose(1, 2)"),
    ("value-uses-key", V, "v = self.key(x)"),
    ("value-uses-query", V, "v = self.query(x)"),
    ("key-uses-query", K, "k = self.query(x)"),
    ("key-uses-query", Q, "q = self.key(x)"),
    ("activation-on-projection", K, "k = torch.relu(self.key(x))"),
    ("activation-on-projection", Q, "q = F.gelu(self.query(x))"),
    ("keys-not-transposed", SCORES, "scores = torch.einsum('bhqd,bhkd->bhqk', q, k)"),
    ("transpose-wrong-axes", SCORES, "scores = q @ k.reshape(batch, 4, seq, 6).transpose(-1, -2)"),
    ("scale-embed-dim", SCALE, "scores = scores / 24**0.5"),
    ("scale-embed-dim", SCALE, "scores = scores * self.scale"),
    ("scale-d-not-sqrt", SCALE, "scores = scores / 6"),
    ("scale-d-not-sqrt", SCALE, "scores = torch.div(scores, torch.tensor(6.0))"),
    ("scale-inverted", SCALE, "scores = 6**0.5 * scores"),
    ("scale-wrong-size", SCALE, "scores /= seq**0.5"),
    ("scale-quarter", SCALE, "scores.mul_(6**-0.25)"),
    ("scale-constant", SCALE, "scores = scores * 0.125"),
    ("softmax-dim-query", SOFTMAX, "weights = torch.softmax(scores, dim=-2)"),
    ("softmax-dim-query", SOFTMAX, "weights = scores.softmax(2)"),
    ("softmax-dim-query", SOFTMAX, "weights = scores.exp() / scores.exp().sum(dim=2, keepdim=True)"),
    ("softmax-dim-head", SOFTMAX, "weights = F.softmax(scores, 1)"),
    ("softmax-dim-head", SOFTMAX, "weights = nn.Softmax(dim=1)(scores)"),
    ("softmax-dim-batch", SOFTMAX, "weights = torch.softmax(scores, dim=0)"),
    ("softmax-dim-implicit", SOFTMAX, "weights = F.softmax(scores)"),
    ("softmax-dim-implicit", SOFTMAX, "weights = nn.Softmax()(scores)"),
    ("softmax-twice", DROPOUT, "weights = F.softmax(weights, dim=-1)"),
    ("softmax-twice", SOFTMAX, "weights = scores.softmax(-1).softmax(-1)"),
    ("softmax-global", SOFTMAX, "weights = torch.softmax(scores.flatten(-2), dim=-1).view(scores.shape)"),
    ("softmax-replaced", SOFTMAX, "weights = torch.sigmoid(scores)"),
    ("softmax-replaced", SOFTMAX, "weights = scores / scores.abs().sum(dim=-1, keepdim=True)"),
    ("softmax-replaced", SOFTMAX, "weights = F.log_softmax(scores, dim=-1)"),
    ("softmax-replaced", SOFTMAX, "weights = torch.exp(scores)"),
    ("softmax-unstable", SOFTMAX, "weights = scores.exp() / scores.exp().sum(dim=-1, keepdim=True)"),
    ("attention-transposed", VALUES, "heads = weights.transpose(-2, -1) @ v"),
    ("attention-transposed", VALUES, "heads = torch.einsum('bhkq,bhkd->bhqd', weights, v)"),
    ("mask-ignored", MASK, "    scores.masked_fill(mask.unsqueeze(1) == 0, -math.inf)"),
    ("mask-inverted", MASK, "    scores = scores.masked_fill(mask.unsqueeze(1) != 0, -math.inf)"),
    ("mask-after-softmax", DROPOUT, "weights = weights if mask is None else weights * mask.unsqueeze(1)"),
    ("mask-fill-zero", MASK, "    scores = torch.where(mask.unsqueeze(1) == 0, 0.0, scores)"),
    ("mask-fill-too-small", MASK, "    scores.masked_fill_(mask.unsqueeze(1) == 0, -10.0)"),
    ("mask-fill-positive-inf", MASK, "    scores = scores.masked_fill(mask.unsqueeze(1) == 0, math.inf)"),
    ("mask-additive-01", MASK, "    scores = scores + mask.unsqueeze(1)"),
    ("mask-zero-times-inf", MASK, "    scores = scores + (1 - mask.unsqueeze(1).double()) * -math.inf"),
    ("mask-off-by-one-leak", MASK, "    scores = scores.masked_fill(torch.ones(seq, seq).tril(1) == 0, -math.inf)"),
    ("mask-off-by-one-no-self", MASK, "    scores = scores + torch.triu(torch.full((5, 5), -1e9), diagonal=0)"),
    ("mask-on-queries", MASK, "    scores = scores.masked_fill(mask.mT.unsqueeze(1) == 0, -math.inf)"),
    ("mask-first-sample-only", MASK, "    scores = scores.masked_fill(mask[0] == 0, -math.inf)"),
    ("mask-head-batch-order", MASK, "    scores = scores * mask.repeat(4, 1, 1).view(batch, 4, seq, seq)"),
    ("mask-mutated", MASK, "    mask[:, 0] = True"),
    ("heads-view-no-transpose", V_HEADS, "v = v.reshape(batch, 4, seq, 6)"),
    ("merge-view-no-transpose", MERGE, "merged = heads.reshape(batch, seq, embed)"),
    ("merge-view-no-transpose", MERGE, "merged = torch.cat(heads.unbind(1), dim=1).reshape(batch, seq, embed)"),
    ("heads-summed", MERGE, "merged = heads.sum(dim=1).repeat(1, 1, 4)"),
    ("heads-summed", MERGE, "merged = sum(heads.unbind(1)).repeat(1, 1, 4)"),
    ("heads-averaged", MERGE, "merged = heads.mean(1).repeat(1, 1, 4)"),
    ("heads-averaged", MERGE, "merged = (sum(heads.unbind(1)) / 4).repeat(1, 1, 4)"),
    ("heads-concatenated-wrong-dim", MERGE, "merged = torch.stack(heads.unbind(1), dim=-1).flatten(2)"),
    ("dropout-in-eval", DROPOUT, "weights = F.dropout(weights, 0.5)"),
    ("dropout-in-eval", DROPOUT, "weights = nn.Dropout(0.5)(weights)"),
    ("dropout-in-eval", DROPOUT, "weights = weights * (torch.rand_like(weights) > 0.5)"),
    ("dropout-before-softmax", SCALE, "scores = self.dropout(scores / 6**0.5)"),
    ("dropout-on-wrong-place", VALUES, "heads = weights @ self.dropout(v)"),
    ("dropout-never-on", DROPOUT, "self.dropout(weights) * 2.0"),
    ("not-repeatable", OUTPUT, "result = self.output(merged) + torch.randn(24)"),
    ("parameters-made-in-forward", OUTPUT, "result = nn.Linear(24, 24).double()(merged)"),
    ("gradients-detached", DROPOUT, "weights = weights.detach()"),
    ("gradients-detached", DROPOUT, "weights = weights.data"),
    ("gradients-detached", DROPOUT, "weights = torch.tensor(weights.tolist(), dtype=torch.float64)"),
    ("numpy-in-forward", DROPOUT, "weights = torch.from_numpy(weights.detach().numpy())"),
    ("inplace-on-input", OUTPUT, "result = x.copy_(self.output(merged))"),
    ("inplace-on-input", OUTPUT, "result = self.output(merged); x[:, 0] = 0.0"),
    ("inplace-after-softmax", DROPOUT, "weights /= weights.sum(dim=-1, keepdim=True)"),
    ("hard-coded-dtype", SCORES, "scores = (q @ k.transpose(-2, -1)).float().double()"),
    ("hard-coded-dtype", DROPOUT, "weights = weights + torch.zeros(seq, seq)"),
    ("hard-coded-device", DROPOUT, "weights = weights + torch.zeros(seq, seq, dtype=weights.dtype)"),
    ("residual-inside", OUTPUT, "result = x + self.output(merged)"),
    ("residual-inside", OUTPUT, "result = self.output(merged).add_(x)"),
    ("normalisation-inside", OUTPUT, "result = self.norm(self.output(merged))"),
    ("normalisation-inside", Q, "q = self.query(F.layer_norm(x, (24,)))"),
    ("activation-on-output", OUTPUT, "result = F.relu(self.output(merged))"),
    ("output-rounded", OUTPUT, "result = torch.round(self.output(merged), decimals=3)"),
    ("output-projection-unused", OUTPUT, "projected = self.output(merged); result = merged"),
]


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
@pytest.mark.parametrize(("id_", "line", "wrong"), REPLACED, ids=[f"{id_}: {new.strip()}" for id_, _, new in REPLACED])
def test_the_wrong_line_is_pointed_at(id_, line, wrong):
    assert pointed(id_, changed(line, wrong)) == wrong.strip()


ABSENT = [
    ("scale-missing", changed(SCALE, ""), SCORES),
    ("softmax-missing", changed(SOFTMAX, "weights = scores"), SCORES),
    ("value-uses-key", changed(V, "v = k"), VALUES),
    ("key-uses-query", changed(K, "k = q"), SCORES),
    ("no-projections", changed(Q, "q = x", K, "k = x", V, "v = x"), Q_HEADS),
    ("qkv-one-projection", changed(K, "k = self.query(x)", V, "v = self.query(x)"), "k = self.query(x)"),
    ("output-projection-missing", changed(OUTPUT, "result = merged"), MERGE),
    ("heads-not-split", changed(*(each for line in (Q_HEADS, K_HEADS, V_HEADS) for each in (line, ""))), None),
]


@pytest.mark.parametrize(("id_", "forward", "line"), ABSENT, ids=[id_ for id_, _, _ in ABSENT])
def test_of_what_is_absent_the_line_is_told_where_it_would_be(id_, forward, line):
    if line is None:
        forward, line = forward.replace(MERGE, "merged = heads").replace("mask.unsqueeze(1)", "mask"), SCORES

    assert pointed(id_, forward) == line


def test_where_each_line_shows_the_mistake_the_first_is_told():
    wrong = [f"{name} = {name}.view(batch, 4, seq, 6)" for name in "qkv"]
    forward = changed(Q_HEADS, wrong[0], K_HEADS, wrong[1], V_HEADS, wrong[2])

    assert pointed("heads-view-no-transpose", forward) == wrong[0]


def test_where_samples_and_tokens_change_places_the_first_such_line_is_told():
    forward = changed(Q, "x = x.transpose(0, 1)\nbatch, seq = seq, batch\nq = self.query(x)")

    assert pointed("batch-sequence-mixed", forward) == "x = x.transpose(0, 1)"


def test_where_one_softmax_is_wrong_and_one_right_it_is_the_wrong_one():
    forward = changed(SOFTMAX, "other = torch.softmax(scores, dim=-1)\nweights = torch.softmax(scores, dim=1)")

    assert pointed("softmax-dim-head", forward) == "weights = torch.softmax(scores, dim=1)"


def test_a_second_scale_is_told_for_scores_that_are_divided_twice():
    forward = changed(Q_HEADS, f"{Q_HEADS}\nq = q / 6**0.5")

    assert pointed("scale-d-not-sqrt", forward) == SCALE


# -- nothing is guessed ------------------------------------------------------------------------------------------------

SHOWN = sorted({id_ for id_, _, _ in REPLACED} - {"hard-coded-device"})
ABOUT = {
    *("scale-embed-dim", "scale-d-not-sqrt", "scale-inverted", "scale-wrong-size", "scale-quarter", "scale-constant"),
    *("softmax-dim-query", "softmax-dim-head", "softmax-dim-batch", "softmax-global", "keys-not-transposed"),
    *("mask-inverted", "mask-after-softmax", "mask-fill-zero", "mask-fill-too-small", "mask-fill-positive-inf"),
    *("mask-additive-01", "mask-zero-times-inf", "mask-off-by-one-leak", "mask-off-by-one-no-self"),
    *("mask-on-queries", "mask-first-sample-only", "mask-head-batch-order", "transpose-wrong-axes"),
    *("value-not-projected", "value-uses-key", "value-uses-query", "key-uses-query", "dropout-never-on"),
    "output-projection-unused",
}
"""Findings whose line is there in correct code as well: that it is wrong is what the finding says."""


@pytest.mark.parametrize("id_", [id_ for id_ in SHOWN if id_ not in ABOUT])
def test_in_a_correct_module_nothing_is_pointed_at(id_):
    assert pointed(id_, MULTI_HEAD) is None


@pytest.mark.parametrize("id_", sorted(ABOUT - {"mask-ignored"}))
def test_what_a_finding_is_about_is_found_in_a_correct_module_too(id_):
    assert pointed(id_, MULTI_HEAD) is not None


def test_where_two_lines_could_be_meant_none_is_told():
    on_both = changed(Q_HEADS, f"{Q_HEADS}\nq = q * 0.6", K_HEADS, f"{K_HEADS}\nk = k * 0.6", SCALE, "")

    assert pointed("scale-constant", on_both) is None
    assert pointed("scale-constant", changed(Q_HEADS, f"{Q_HEADS}\nq = q * 0.6", SCALE, "")) == "q = q * 0.6"


def test_a_line_that_serves_right_and_wrong_projections_alike_is_not_told():
    forward = changed(
        *(Q, "project = lambda layer: layer(x).view(batch, seq, 4, 6).transpose(1, 2)\nq = project(self.query)"),
        *(K, "k = project(self.query)", V, "v = project(self.value)"),
        *(Q_HEADS, "", K_HEADS, "", V_HEADS, ""),
    )

    assert pointed("key-uses-query", forward) == SCORES


def test_numbers_by_which_a_mask_is_multiplied_are_no_scale():
    forward = changed(MASK, "    scores = scores + (1.0 - mask.unsqueeze(1).double()) * -1e9")
    traced_ = traced(forward, masked=True)

    place = point("scale-constant", traced_, SIZES)
    assert place is not None
    assert place.source == SCALE


def test_an_unknown_finding_has_no_line():
    assert pointed("python-loop-over-batch", MULTI_HEAD) is None


def test_heads_in_a_loop_share_their_line():
    forward = """\
    found = []
    for q, k, v in zip(self.query(x).chunk(4, -1), self.key(x).chunk(4, -1), self.value(x).chunk(4, -1)):
        scores = q @ k.mT / 6
        weights = scores.softmax(1)
        found.append(weights @ v)
    return self.output(torch.cat(found, dim=-1))
    """

    assert pointed("scale-d-not-sqrt", dedent(forward)) == "scores = q @ k.mT / 6"
    assert pointed("softmax-dim-query", dedent(forward)) == "weights = scores.softmax(1)"
    assert pointed("output-projection-missing", dedent(forward)) == "return self.output(torch.cat(found, dim=-1))"


def test_weights_that_are_no_layers_are_followed_too():
    forward = changed(V, "v = x @ self.weight", OUTPUT, "result = merged @ self.weight")

    assert pointed("value-uses-key", forward) == "result = merged @ self.weight"


# -- softmax without an axis -------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
def test_a_softmax_without_an_axis_is_seen():
    assert is_implicit_softmax(traced(changed(SOFTMAX, "weights = F.softmax(scores)")))
    assert is_implicit_softmax(traced(changed(SOFTMAX, "weights = nn.Softmax()(scores)")))
    assert is_implicit_softmax(traced(changed(SOFTMAX, "weights = F.log_softmax(scores).exp()")))


@pytest.mark.parametrize(
    "softmax",
    ["F.softmax(scores, -1)", "F.softmax(scores, dim=-1)", "scores.softmax(-1)", "nn.Softmax(dim=-1)(scores)"],
)
def test_a_softmax_with_an_axis_is_not_implicit(softmax):
    assert not is_implicit_softmax(traced(changed(SOFTMAX, f"weights = {softmax}")))


# -- the table ---------------------------------------------------------------------------------------------------------


def test_all_findings_with_rules_are_in_the_catalogue():
    assert set(RULES) <= set(CATALOGUE)


# -- whatever a trace says ---------------------------------------------------------------------------------------------


def lie(draw: random.Random) -> wire.Traced:
    """A trace that is within its bounds and makes no sense."""
    words = re.findall(r'"(\w+)"', (ROOT / "grader" / "examiner" / "acts.py").read_text())
    tensors = tuple(
        wire.Hollow("float64", tuple(draw.choice((0, 1, 2, 4, 5, 6, 24)) for _ in range(draw.randrange(6))), "cpu")
        for _ in range(20)
    )

    def numbers() -> tuple[int, ...]:
        return tuple(draw.randrange(20) for _ in range(draw.randrange(4)))

    def step() -> wire.Step:
        values = (None, True, -9, 1, 1 << 60, math_inf, 0.5, "cpu", "", (), (1,), (0, 1))
        arguments = {draw.choice(("dim", "0", "1", "2", "other", "training")): draw.choice(values) for _ in range(3)}
        name = draw.choice(("torch.", "torch.Tensor.", "torch.nn.functional.", "aten::", "", "__", "."))
        frame = draw.choice((None, wire.Frame("a.py", draw.randrange(3), "f", "k = self.q(x) = \x1b[2J")))
        return wire.Step(
            name + draw.choice([*words, "", "_", "__", "matmul"]), numbers(), numbers(), arguments, (), 0, frame
        )

    math_inf = float("inf")
    return wire.Traced(tensors, tuple(step() for _ in range(60)), numbers(), {}, 0, 0, cut=False)


def test_no_trace_makes_pointing_fail():
    draw = random.Random(7)
    found = 0
    for _ in range(60):
        nonsense = lie(draw)
        wire.check_trace(nonsense)
        is_implicit_softmax(nonsense)
        for id_ in RULES:
            place = point(id_, nonsense, SIZES)
            found += place is not None
            assert place is None or "\x1b" not in place.source

    assert found


def test_an_empty_trace_points_nowhere():
    empty = wire.Traced((), (), (), {}, 0, 0, cut=False)

    assert {point(id_, empty, SIZES) for id_ in RULES} == {None}


# -- through a session -------------------------------------------------------------------------------------------------


def tracer_for(file: Path) -> Tracer:
    target = re.findall(r"^class (\w+)", file.read_text(), re.MULTILINE)[-1]
    construct = "embed_dim, num_heads, dropout=0.0" if "Multi" in target else "embed_dim, dropout=0.0"
    contract = Contract(construct=construct, call="x, mask=None")
    course = Course(
        id="a", checks_folder="", reference="", entry=target, contract=contract, limits=Limits(), checks=(), forbid=()
    )
    session = Session(InProcess(file), Match(file=file.name, target=target), Limits(), seed=0)
    session.begin_check()
    return Tracer(course, session)


UNCHANGED = {
    *("scale-missing", "softmax-missing", "value-not-projected", "no-projections", "heads-not-split"),
    "dropout-keep-for-drop",
}
"""Findings about what is missing, or was made in the constructor: they point at a line that the reference has too."""

WRONG = [
    (id_, file)
    for file in sorted(ROOT.glob("solutions/*/wrong/*.py"))
    for id_ in re.findall(r"^# finding: (.+)$", file.read_text(errors="replace"), re.MULTILINE)
    if id_ in RULES and id_ not in UNCHANGED
]


@pytest.mark.parametrize(("id_", "file"), WRONG, ids=[f"{file.parent.parent.name}-{file.stem}" for _, file in WRONG])
def test_in_a_wrong_solution_it_is_a_line_that_differs_from_the_reference(id_, file):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = locate(id_, tracer_for(file))
    reference = (file.parent.parent / "reference.py").read_text().splitlines()
    differing = {line[2:].strip() for line in difflib.ndiff(reference, file.read_text().splitlines()) if line[0] == "+"}

    assert place is None or place.source in differing


def test_a_module_that_cannot_be_called_with_a_mask_is_traced_without_one(tmp_path):
    file = tmp_path / "attention.py"
    file.write_text(
        "import torch\nfrom torch import nn\nclass SelfAttention(nn.Module):\n    def __init__(self, embed_dim):\n"
        "        super().__init__()\n        self.layer = nn.Linear(embed_dim, embed_dim)\n"
        "    def forward(self, x, mask=None):\n        assert mask is None\n        scores = x @ x.mT\n"
        "        scores = scores.masked_fill(torch.ones_like(scores).tril(1) == 0, -1e9)\n"
        "        return self.layer(scores.softmax(-1) @ x)\n"
    )

    place = locate("mask-off-by-one-leak", tracer_for(file))

    assert place is not None
    assert place.source == "scores = scores.masked_fill(torch.ones_like(scores).tril(1) == 0, -1e9)"


def test_what_checks_saw_without_a_line_gets_one_and_nothing_else_is_traced():
    here = tracer_for(ROOT / "solutions" / "self-attention" / "wrong" / "softmax_unstable.py")
    line = Place(file="a.py", line=1)
    unstable = finding("softmax-unstable", Certainty.OBSERVED)
    others = (
        finding("gradients-detached", Certainty.OBSERVED, where=line),
        finding("class-renamed", Certainty.OBSERVED),
        finding("layers-unused", Certainty.OBSERVED),
    )

    assert list(with_lines(others, here)) == []
    assert here.traced == {}
    (found,) = with_lines((unstable, *others), here)
    assert found.where is not None
    assert found.where.source == "weights = torch.exp(scores)"


def test_a_line_that_is_found_later_is_kept_with_the_finding():
    notebook, line = Notebook(), Place(file="a.py", line=1)
    notebook.add(finding("softmax-unstable", Certainty.OBSERVED, check="a"))
    notebook.add(finding("softmax-unstable", Certainty.OBSERVED, where=line))
    notebook.add(finding("softmax-unstable", Certainty.OBSERVED, where=Place(file="b.py", line=2)))

    (found,) = notebook.findings()
    assert (found.check, found.where) == ("a", line)


def test_most_wrong_solutions_have_a_line():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [locate(id_, tracer_for(file)) for id_, file in WRONG]

    assert sum(place is not None for place in found) / len(found) > 0.8


def test_a_line_of_a_notebook_has_its_cell():
    frame = wire.Frame("a.ipynb", 3, "forward", "weights = torch.softmax(scores, dim=1)", cell=4)
    trace_ = traced(changed(SOFTMAX, "weights = torch.softmax(scores, dim=1)"))
    steps = tuple(msgspec.structs.replace(step, frame=frame) for step in trace_.steps)

    place = point("softmax-dim-head", msgspec.structs.replace(trace_, steps=steps), SIZES)

    assert place == Place(file="a.ipynb", line=3, source=frame.source, function="forward", cell=4)
