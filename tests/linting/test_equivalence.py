from __future__ import annotations

from pathlib import Path

import pytest

from grader.assignments import load
from grader.examiner.equivalence import compare
from grader.model import Contract
from grader.orders import Comparison

ROOT = Path(__file__).parents[2]

SAME = [
    ("k.transpose(-2, -1)", "k.transpose(-1, -2)"),
    ("k.transpose(-2, -1)", "k.mT"),
    ("dim=-1", "dim=3"),
    ("must be divisible by", "cannot be shared by"),
    ("raise ValueError(", "raise TypeError("),
    ("-math.inf", "-1e30"),
    ("self.head_dim)  #", "k.shape[-1])  #"),
    ("self.dropout(weights) @ v", "torch.nn.functional.dropout(weights, self.dropout.p, self.training) @ v"),
    ("self.dropout(weights) @ v", "self.dropout(weights.mT).mT @ v"),
    ("mask.unsqueeze(-3) == 0", "mask.unsqueeze(-3) < 1"),
]
OTHER = {
    ("-math.inf", "0.0"): "the output with a causal mask",
    ("mask.unsqueeze(-3)", "mask.unsqueeze(1)"): "the output with a causal mask",
    ("dropout=0.0", "dropout=0.1"): "train mode (embed_dim=24, num_heads=4)",
    ("self.dropout(weights) @ v", "weights @ v"): "train mode (embed_dim=24, num_heads=4, dropout=0.3)",
    ("self.dropout(weights) @ v", "weights @ self.dropout(v)"): "train mode (embed_dim=24, num_heads=4, dropout=0.3)",
    ("= q @ k", "= q.detach() @ k"): "gradients",
    ("math.sqrt(self.head_dim)", "math.sqrt(embed)"): "the output without a mask",
    ("% num_heads != 0", "% num_heads == 3"): "whether it can be built (embed_dim=10",
    ("self.output = nn.Linear(embed_dim, embed_dim)", "self.output = nn.Identity()"): "what it learns",
    ("embed = x.shape", "embed = x.mul_(1).add_(1).sub_(1).shape"): "the output without a mask",
    ("torch.softmax(scores, dim=-1)", "scores.exp() / scores.exp().sum(-1, True)"): "the output for large scores",
    ("= q @ k", "= torch.zeros(1, dtype=x.dtype) + q @ k"): "the output on another device",
}
QUERY, KEY = "q = self.query(x)", "k = self.key(x)"

Change = tuple[str, str]


def differences(id_: str, *changes: tuple[Change, ...]) -> list[str]:
    """In what the reference with some of its text replaced differs from the reference."""
    assignment = load(ROOT / "assignments" / id_, solutions=ROOT / "solutions")
    source = assignment.reference.read_text()
    variants = {}
    for change in changes:
        text = source
        for old, new in change:
            assert old in text
            text = text.replace(old, new)
        variants[str(change)] = text
    order = Comparison(reference=source, entry=assignment.entry, contract=assignment.contract, variants=variants)
    return list(compare(order).differences.values())


@pytest.fixture(scope="module")
def told() -> dict[Change, str]:
    changes = [*SAME, *OTHER]
    return dict(zip(changes, differences("multi-head-attention", *((each,) for each in changes)), strict=True))


@pytest.mark.parametrize("change", SAME, ids=lambda change: change[1])
def test_the_same_program_in_other_words_differs_in_nothing(change: Change, told: dict[Change, str]) -> None:
    assert told[change] == ""


@pytest.mark.parametrize("change", OTHER, ids=lambda change: change[1])
def test_another_program_differs_in_what_it_does(change: Change, told: dict[Change, str]) -> None:
    assert told[change].startswith(OTHER[change])


def test_layers_that_exchanged_their_names_are_the_same_program_but_not_when_one_of_them_is_used_twice() -> None:
    exchanged = ((QUERY, "q = self.key(x)"), (KEY, "k = self.query(x)"))
    same, other = differences("self-attention", exchanged, exchanged[:1])

    assert same == ""
    assert other.startswith("the output")


def test_what_nobody_knows_how_to_call_is_not_compared() -> None:
    contract = Contract(construct="temperature", call="x")
    order = Comparison(reference="class A: ...", entry="A", contract=contract, variants={"variant": "class A: ..."})

    assert "temperature" in compare(order).problem
