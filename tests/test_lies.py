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


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Grade]:
    folder = tmp_path_factory.mktemp("lies")
    for number, source in enumerate([HONEST, *LIES.values(), HONEST + "# after the lies\n"]):
        (folder / f"student{number}.py").write_text(source, encoding="utf-8")
    request = grading.Request(
        paths=(folder,),
        assignments=ROOT / "assignments",
        solutions=ROOT / "solutions",
        store=folder.parent / "attempts.sqlite",
        executor=lambda wanted: LocalExecutor(wanted, jobs=2),
        only_assignments=("self-attention",),
    )
    names = ["honest", *LIES, "honest at the end"]
    cohort = grading.run(request, Silent())
    return {names[int(grade.student.removeprefix("student"))]: grade for grade in cohort.grades}


@pytest.mark.parametrize("name", ["honest", "honest at the end"])
def test_a_truthful_class_earns_full_marks_in_the_same_run(name: str, grades: dict[str, Grade]) -> None:
    assert grades[name].points == grades[name].max_points


@pytest.mark.parametrize("name", LIES)
def test_a_lie_does_not_pass_the_comparison_with_the_reference(name: str, grades: dict[str, Grade]) -> None:
    outcomes = {check.spec.id: check.result.outcome for check in grades[name].checks}

    assert outcomes["test_attention.py::test_matches_the_reference"] in ("failed", "blocked", "errored")
    assert "internal" not in outcomes.values()


@pytest.mark.parametrize("name", LIES)
def test_a_lie_earns_less_than_two_thirds(name: str, grades: dict[str, Grade]) -> None:
    assert grades[name].points < 2 / 3 * grades[name].max_points
