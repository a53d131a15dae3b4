"""A module that lies about its weights gains nothing: verdicts are about weights that the examiner drew and loaded.

Every lie here is told by a class that would pass a grader which asks the class for its weights, or which lets the
class's own objects do the comparing. A truthful class is graded in the same run and earns full marks.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import grading
from grader.cli.progress import Silent
from grader.executors.local import LocalExecutor
from grader.model import Grade

ROOT = Path(__file__).parent.parent

HONEST = (ROOT / "solutions" / "self-attention" / "reference.py").read_text(encoding="utf-8")

ATTEND = """
import math
import torch
from torch import nn


def attend(x, query, key, value, mask):
    scores = query(x) @ key(x).transpose(-2, -1) / math.sqrt(x.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -math.inf)
    return torch.softmax(scores, dim=-1) @ value(x)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(embed_dim, embed_dim) for _ in range(3))
"""

LIES = {
    "shows decoys and computes with weights it hides in a closure": ATTEND
    + """
        hidden = [nn.Linear(embed_dim, embed_dim).double() for _ in range(3)]
        self.compute = lambda x, mask: attend(x, *hidden, mask)

    def forward(self, x, mask=None):
        decoy = sum(layer(x).sum() for layer in (self.query, self.key, self.value))
        return self.compute(x.double(), mask).to(x.dtype) + 0 * decoy
""",
    "zeroes whatever is loaded": ATTEND
    + """
    def forward(self, x, mask=None):
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()
        return attend(x, self.query, self.key, self.value, mask)
""",
    "puts the weights it was built with back before it computes": ATTEND
    + """
        self.kept = {name: tensor.clone() for name, tensor in self.state_dict().items()}

    def forward(self, x, mask=None):
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                parameter.copy_(self.kept[name])
        return attend(x, self.query, self.key, self.value, mask)
""",
    "uses half of the loaded weights": ATTEND
    + """
    def forward(self, x, mask=None):
        return attend(x, self.query, self.key, lambda x: self.value(x) * 0.5, mask)
""",
    "claims that nothing is to be learned": """
import math
import torch
from torch import nn

torch.manual_seed(0)


class SelfAttention(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()

    def forward(self, x, mask=None):
        scores = x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return torch.softmax(scores, dim=-1) @ x
""",
    "claims zeros": ATTEND
    + """
        hidden = [nn.Linear(embed_dim, embed_dim).double() for _ in range(3)]
        self.compute = lambda x, mask: attend(x, *hidden, mask)

    def parameters(self, recurse=True):
        return (torch.zeros_like(parameter) for parameter in super().parameters(recurse))

    def named_parameters(self, *args, **kwargs):
        return ((name, torch.zeros_like(each)) for name, each in super().named_parameters(*args, **kwargs))

    def state_dict(self, *args, **kwargs):
        return {name: torch.zeros_like(each) for name, each in super().state_dict(*args, **kwargs).items()}

    def forward(self, x, mask=None):
        return self.compute(x.double(), mask).to(x.dtype)
""",
    "reports another module's parameters": ATTEND
    + """
        OTHERS.append(nn.ModuleList(nn.Linear(embed_dim, embed_dim) for _ in range(3)))
        self.number = len(OTHERS) - 1

    def parameters(self, recurse=True):
        return OTHERS[self.number].parameters(recurse)

    def named_parameters(self, *args, **kwargs):
        return OTHERS[self.number].named_parameters(*args, **kwargs)

    def state_dict(self, *args, **kwargs):
        return OTHERS[self.number].state_dict(*args, **kwargs)

    def forward(self, x, mask=None):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            own = [nn.Linear(x.shape[-1], x.shape[-1]).to(x.dtype) for _ in range(3)]
        return attend(x, *own, mask)


OTHERS = []
""",
    "tells the worker that its output equals anything": ATTEND
    + """
    def forward(self, x, mask=None):
        class Equal(torch.Tensor):
            def __eq__(self, other):
                return torch.ones(self.shape, dtype=torch.bool)

            def __sub__(self, other):
                return torch.zeros(self.shape)

        return torch.zeros_like(x).as_subclass(Equal)
""",
}


TRICK = (
    "import time\n"
    + ATTEND
    + """
        self.version = None

    def forward(self, x, mask=None):
        right = attend(x, self.query, self.key, self.value, mask)
        wrong = attend(x, self.query, self.key, lambda x: self.value(x) * 0.5, mask)
        STATE["calls"] = STATE.get("calls", 0) + 1
        fresh, self.version = self.version != self.query.weight._version, self.query.weight._version
        return {choice}


STATE = {{"began": time.monotonic()}}
"""
)
"""Computes what is right and what is wrong, and returns one of them."""

UNTRICKED = TRICK.format(choice="wrong")

TRICKS = {
    "is right for its first calls": 'right if STATE["calls"] <= 25 else wrong',
    "is right at every other call": 'right if STATE["calls"] % 2 else wrong',
    "is right nine times of ten": 'right if STATE["calls"] % 10 else wrong',
    "keeps the first answer of each shape": "STATE.setdefault((x.shape, mask is None), right)",
    "is right at the first call after weights were loaded": "right if fresh else wrong",
    "is right in even milliseconds": "right if int(time.monotonic() * 1000) % 2 else wrong",
    "is right in its first moments": 'right if time.monotonic() - STATE["began"] < 0.02 else wrong',
    "is right in double precision": "right if x.dtype == torch.float64 else wrong",
    "is right for even sequences": "right if x.shape[1] % 2 == 0 else wrong",
    "is right by luck": "right if torch.rand(()) < 0.5 else wrong",
}

LATE = TRICK.format(choice='right if STATE["calls"] > 10 else wrong')
"""Is wrong where nothing is graded yet: it gains nothing, but its answers do change."""

FAIR = {
    "keeps its answers by their whole input": """
        if self.training or torch.is_grad_enabled() or x.is_meta:
            return super().forward(x, mask)
        tensors = [x, *self.parameters()] if mask is None else [x, mask, *self.parameters()]
        key = tuple((each.detach().numpy().tobytes(), each.shape, each.dtype) for each in tensors)
        if key not in KEPT:
            KEPT[key] = super().forward(x, mask)
        return KEPT[key].clone()
""",
    "makes its masks when they are first needed": """
        key = x.shape[1], x.device
        if key not in KEPT:
            KEPT[key] = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device)
        return super().forward(x, KEPT[key] if mask is None else mask)
""",
    "counts its calls for nothing": """
        KEPT["calls"] = KEPT.get("calls", 0) + 1
        return super().forward(x, mask)
""",
}


def fair(body: str) -> str:
    """The honest class, and a class of the same name that adds a memory to it."""
    wrapped = f"""

class SelfAttention(SelfAttention):
    def forward(self, x, mask=None):{body}

KEPT = {{}}
"""
    return HONEST + wrapped


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Grade]:
    folder = tmp_path_factory.mktemp("lies")
    tricks = [TRICK.format(choice=choice) for choice in TRICKS.values()]
    last = [UNTRICKED, LATE, *map(fair, FAIR.values()), HONEST + "# after the lies\n"]
    for number, source in enumerate([HONEST, *LIES.values(), *tricks, *last]):
        (folder / f"student{number}.py").write_text(source, encoding="utf-8")
    request = grading.Request(
        paths=(folder,),
        assignments=ROOT / "assignments",
        solutions=ROOT / "solutions",
        store=folder.parent / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
        only_assignments=("self-attention",),
    )
    names = ["honest", *LIES, *TRICKS, "without a trick", "is wrong at first", *FAIR, "honest at the end"]
    cohort = grading.run(request, Silent())
    return {names[int(grade.student.removeprefix("student"))]: grade for grade in cohort.grades}


@pytest.mark.parametrize("name", ["honest", *FAIR, "honest at the end"])
def test_a_truthful_class_earns_full_marks_in_the_same_run(name: str, grades: dict[str, Grade]) -> None:
    attempt = grades[name].attempt

    assert grades[name].points == grades[name].max_points
    assert attempt is not None
    assert (attempt.findings, attempt.flags) == ((), ())


@pytest.mark.parametrize("name", TRICKS)
def test_a_trick_earns_no_more_than_the_same_mathematics_without_it(name: str, grades: dict[str, Grade]) -> None:
    outcomes = {check.result.outcome for check in grades[name].checks}

    assert grades[name].points <= grades["without a trick"].points < 2 / 3 * grades[name].max_points
    assert "internal" not in outcomes


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("is right for its first calls", "answers-depend-on-history"),
        ("keeps the first answer of each shape", "answers-depend-on-history"),
        ("is wrong at first", "answers-depend-on-history"),
        ("is right in double precision", "answers-depend-on-precision"),
    ],
)
def test_what_answers_depend_on_is_said(name: str, finding: str, grades: dict[str, Grade]) -> None:
    attempt = grades[name].attempt
    assert attempt is not None

    assert finding in {each.id for each in attempt.findings}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_does_not_pass_the_comparison_with_the_reference(name: str, grades: dict[str, Grade]) -> None:
    outcomes = {check.spec.id: check.result.outcome for check in grades[name].checks}

    assert outcomes["test_attention.py::test_matches_the_reference"] in ("failed", "blocked", "errored")
    assert "internal" not in outcomes.values()


@pytest.mark.parametrize("name", LIES)
def test_a_lie_earns_less_than_two_thirds(name: str, grades: dict[str, Grade]) -> None:
    assert grades[name].points < 2 / 3 * grades[name].max_points
