"""Mistakes of failing submissions are named with their line and pictures; passing ones are never asked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from grader import wire
from grader.attention.exposure import TOKENS
from grader.attention.questions import questions
from grader.errors import PeerClosed
from grader.examiner.host import Examiner
from grader.examiner.proving import BEGINNINGS, Proof, prepare, prove
from grader.examiner.reference import InProcess
from grader.examiner.session import Session
from grader.forkserver import ForkServer
from grader.model import AttentionPicture, Certainty, CheckResult, Contract, Limits, Match, Outcome
from grader.orders import Course, Setup

from .raising import RIGHT, SEVERAL, SINGLE, changed, opened

UNSCALED = ("scores = q @ k.transpose(-2, -1) / math.sqrt(self.head_dim)", "scores = q @ k.transpose(-2, -1)")
FAILED = (CheckResult(check="one", outcome=Outcome.PASSED), CheckResult(check="two", outcome=Outcome.FAILED))


@pytest.fixture(autouse=True)
def unheard() -> Iterator[None]:
    """What torch has to say to a submission is not a failure of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def course(contract: Contract = SEVERAL) -> Course:
    return Course(
        id="a", checks_folder="", reference="", entry="M", contract=contract, limits=Limits(), checks=(), forbid=()
    )


def proof(folder: Path, source: str, results: tuple[CheckResult, ...] = FAILED) -> Proof:
    contract = SEVERAL if "num_heads" in source else SINGLE
    return prove(course(contract), opened(folder, source), results)


def ids(found: Proof) -> dict[str, Certainty]:
    return {each.id: each.certainty for each in found.findings if not each.informative}


UNUSED_RATE = {"dropout-never-on": Certainty.OBSERVED}
"""What is true of all modules here: they take a rate and have no dropout."""


def test_a_mistake_is_proven_and_its_line_is_told(tmp_path: Path) -> None:
    found = proof(tmp_path, changed("fused", UNSCALED))

    assert ids(found) == {"scale-missing": Certainty.PROVEN} | UNUSED_RATE
    (scale,) = [each for each in found.findings if each.id == "scale-missing"]
    assert scale.where is not None
    assert scale.where.source.strip() == "scores = q @ k.transpose(-2, -1)"
    assert scale.evidence["scores are multiplied by"] == "1"
    assert (found.unexplained, found.flags) == ("", ())


NAMED = {
    "softmax over queries": (
        "fused",
        ("torch.softmax(scores, dim=-1)", "torch.softmax(scores, dim=-2)"),
        {"softmax-dim-query"},
        "torch.softmax(scores, dim=-2)",
    ),
    "mask inverted": (
        "fused",
        ("mask.unsqueeze(-3) == 0", "mask.unsqueeze(-3) != 0"),
        {"mask-inverted"},
        "masked_fill(mask.unsqueeze(-3) != 0, -math.inf)",
    ),
    "values are keys": ("nested", ("self.value(tokens)", "self.key(tokens)"), {"value-uses-key"}, ""),
    "no last layer": (
        "separate",
        ("return self.output(joined)", "return joined"),
        {"output-projection-unused"},
        "",
    ),
    "one head, transposed": (
        "alone",
        ("return weights @ v", "return weights.mT @ v"),
        {"attention-transposed"},
        "return weights.mT @ v",
    ),
}


@pytest.mark.parametrize(("style", "change", "expected", "line"), NAMED.values(), ids=NAMED.keys())
def test_in_any_style(tmp_path: Path, style: str, change: tuple[str, str], expected: set[str], line: str) -> None:
    found = proof(tmp_path, changed(style, change))

    proven = {each.id: each for each in found.findings if each.certainty is Certainty.PROVEN}
    assert set(proven) == expected
    if line:
        where = proven[next(iter(expected))].where
        assert where is not None
        assert line in where.source


@pytest.mark.parametrize("style", RIGHT)
def test_of_right_code_nothing_is_proven_and_nothing_unexplained(tmp_path: Path, style: str) -> None:
    found = proof(tmp_path, changed(style))

    assert ids(found) == UNUSED_RATE
    assert (found.unexplained, found.pictures, found.flags) == ("", (), ())


@pytest.mark.parametrize("outcomes", [(), (Outcome.PASSED,), (Outcome.PASSED, Outcome.BLOCKED)])
def test_a_submission_that_fails_nothing_is_asked_nothing(tmp_path: Path, outcomes: tuple[Outcome, ...]) -> None:
    session = opened(tmp_path, changed("fused", UNSCALED))

    found = prove(course(), session, tuple(CheckResult(check="a", outcome=outcome) for outcome in outcomes))

    assert found == Proof()
    assert session.generation == 0


def test_an_errored_check_is_reason_enough(tmp_path: Path) -> None:
    errored = (CheckResult(check="a", outcome=Outcome.ERRORED),)

    assert "scale-missing" in ids(proof(tmp_path, changed("fused", UNSCALED), errored))


# -- pictures ----------------------------------------------------------------------------------------------------------


def weights(rows: tuple[tuple[tuple[float | None, ...], ...], ...]) -> torch.Tensor:
    return torch.tensor([[[torch.nan if each is None else each for each in row] for row in head] for head in rows])


def test_pictures_show_the_weights_of_the_public_example_with_a_mask_and_without(tmp_path: Path) -> None:
    found = proof(tmp_path, changed("fused", UNSCALED))

    assert [(picture.tokens, picture.masked) for picture in found.pictures] == [(TOKENS, False), (TOKENS, True)]
    for picture in found.pictures:
        student, expected = weights(picture.student), weights(picture.expected)
        assert student.shape == expected.shape == (4, len(TOKENS), len(TOKENS))
        for each in (student, expected):
            assert torch.allclose(each.sum(-1), torch.ones(4, len(TOKENS)), atol=1e-3)
            assert (float(each.triu(1).abs().max()) == 0) == picture.masked
        assert float((student - expected).abs().max()) > 0.01
        assert float(student.square().sum()) > float(expected.square().sum())  # what is not scaled is sharper


def test_pictures_of_any_submission_are_of_the_same_example_and_weights(tmp_path: Path) -> None:
    """Nothing of a hidden input can be in them: what is expected does not depend on who is asked."""
    one = proof(tmp_path, changed("fused", UNSCALED)).pictures
    other = proof(tmp_path, changed("fused", ("dim=-1)", "dim=-2)"))).pictures

    assert [picture.expected for picture in one] == [picture.expected for picture in other]
    assert [picture.student for picture in one] != [picture.student for picture in other]


def test_a_weight_that_is_no_number_is_none(tmp_path: Path) -> None:
    found = proof(tmp_path, changed("fused", ("mask.unsqueeze(-3) == 0", "mask.unsqueeze(-3) != 0")))

    (picture,) = found.pictures  # without a mask there is nothing to see
    assert picture.masked
    for head in picture.student:
        assert head[-1] == (None,) * len(TOKENS)  # the last query may attend to everything, so here to nothing
        assert head[0][0] == 0.0
        assert None not in head[0]
    assert all(None not in row for head in picture.expected for row in head)


WITHOUT_PICTURES = {
    "right weights": ("fused", ("return self.output(merged)", "return self.output(merged) + x")),
    "values without a way of their own": ("nested", ("self.value(tokens)", "self.key(tokens)")),
    "values mixed up": (
        "fused",
        (
            "v = self.value(x).view(batch, seq, self.num_heads, self.head_dim).transpose(1, 2)",
            "v = self.value(x).view(batch, self.num_heads, seq, self.head_dim)",
        ),
    ),
}


@pytest.mark.parametrize(("style", "change"), WITHOUT_PICTURES.values(), ids=WITHOUT_PICTURES.keys())
def test_there_is_no_picture_where_it_would_show_nothing(tmp_path: Path, style: str, change: tuple[str, str]) -> None:
    found = proof(tmp_path, changed(style, change))

    assert any(certainty is Certainty.PROVEN for certainty in ids(found).values())
    assert found.pictures == ()


def test_several_mistakes_are_in_one_picture(tmp_path: Path) -> None:
    found = proof(tmp_path, changed("separate", UNSCALED, ("masked_fill(mask == 0, -math.inf)", "clone()")))

    assert {id_ for id_, certainty in ids(found).items() if certainty is Certainty.PROVEN} == {
        "scale-missing",
        "mask-ignored",
    }
    plain, masked = cast("tuple[AttentionPicture, AttentionPicture]", found.pictures)
    assert plain.student == masked.student
    assert plain.expected != masked.expected


# -- however it has to be asked ----------------------------------------------------------------------------------------

ONE_SAMPLE = """class M(nn.Module):
    def __init__(self, embed_dim, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(embed_dim, embed_dim)
        self.key = nn.Linear(embed_dim, embed_dim)
        self.value = nn.Linear(embed_dim, embed_dim)

    def forward(self, x, mask=None):
        seq, embed = x.shape
        scores = self.query(x) @ self.key(x).T
        if mask is not None:
            scores = scores.masked_fill(mask == 0, -math.inf)
        return torch.softmax(scores, dim=-1) @ self.value(x)
"""
IMPORTS = changed("fused").partition("class M")[0]
OTHER_WAYS = {
    "one sample at a time": IMPORTS + ONE_SAMPLE,
    "float32 only": changed(
        "fused", UNSCALED, ("batch, seq, embed = x.shape", "batch, seq, embed = x.shape\n        x = x.float()")
    ),
    "without a mask": changed(
        "fused",
        UNSCALED,
        ("x, mask=None", "x"),
        ("        if mask is not None:\n", ""),
        ("            scores = scores.masked_fill(mask.unsqueeze(-3) == 0, -math.inf)\n", ""),
    ),
    "one width": changed(
        "fused", UNSCALED, ("super().__init__()", "super().__init__()\n        assert embed_dim in (24, 8, 48)")
    ),
    "other names": changed(
        "fused", UNSCALED, ("embed_dim, num_heads, dropout=0.0", "embed_dim, num_heads, p=0.0"), ("mask", "attn_mask")
    ),
}


@pytest.mark.parametrize("source", OTHER_WAYS.values(), ids=OTHER_WAYS.keys())
def test_the_mistake_is_proven_however_the_module_has_to_be_asked(tmp_path: Path, source: str) -> None:
    found = proof(tmp_path, source)

    assert {id_ for id_, certainty in ids(found).items() if certainty is Certainty.PROVEN} == {"scale-missing"}
    assert found.unexplained == ""


def test_an_implicit_axis_is_named_first_and_the_axis_it_came_to_be_is_an_alternative(tmp_path: Path) -> None:
    found = proof(tmp_path, changed("alone", ("torch.softmax(scores, dim=-1)", "F.softmax(scores)")))

    (axis,) = [each for each in found.findings if each.certainty is Certainty.PROVEN]
    assert axis.id == "softmax-dim-batch"
    assert axis.alternatives[0] == "softmax-dim-implicit"


def test_weights_that_are_the_same_in_every_module_are_seen(tmp_path: Path) -> None:
    reseeded = ("super().__init__()", "super().__init__()\n        torch.manual_seed(0)")

    found = proof(tmp_path, changed("fused", reseeded))

    assert ids(found) == UNUSED_RATE
    assert {each.id for each in found.findings if each.informative} == {"rng-reseeded-in-init"}


# -- what has no name --------------------------------------------------------------------------------------------------

UNKNOWN = {
    "one token": ("return self.output(merged)", "return 0.5 * self.output(merged)"),
    "several tokens": ("weights = torch.softmax(scores, dim=-1)", "weights = torch.softmax(50 * scores.tanh(), -1)"),
    "mask": ("(mask.unsqueeze(-3) == 0, -math.inf)", "(mask.unsqueeze(-3) == 0, -math.inf).relu()"),
}


@pytest.mark.parametrize(("begins", "change"), UNKNOWN.items(), ids=UNKNOWN.keys())
def test_where_an_unknown_difference_begins_is_told_in_words(
    tmp_path: Path, begins: str, change: tuple[str, str]
) -> None:
    found = proof(tmp_path, changed("fused", change))

    assert ids(found) == UNUSED_RATE
    assert found.unexplained.startswith(BEGINNINGS[begins])
    assert found.pictures == ()


def test_what_cannot_be_built_or_called_has_no_proof(tmp_path: Path) -> None:
    for change in (
        ("super().__init__()", "raise RuntimeError('no')"),
        ("batch, seq, embed = x.shape", "raise RuntimeError('no')"),
    ):
        assert proof(tmp_path, changed("fused", change)) == Proof()


# -- faults ------------------------------------------------------------------------------------------------------------


class Failing(InProcess):
    """A worker that answers so many questions, and then never again."""

    def __init__(self, file: Path, *, after: int, error: Exception) -> None:
        super().__init__(file)
        self._left = after
        self._error = error

    def ask(self, question: wire.Question, *, deadline: float) -> Any:
        self._left -= 1
        if self._left < 0:
            raise self._error
        return super().ask(question, deadline=deadline)


def failing(folder: Path, *, after: int, error: Exception) -> Session:
    file = folder / "handed_in.py"
    file.write_text(changed("fused", UNSCALED), encoding="utf-8")
    agency = Failing(file, after=after, error=error)
    return Session(agency, Match(file=str(file), target="M"), Limits(seconds=600, check_seconds=60), seed=0)


@pytest.mark.parametrize("after", [0, 3, 12, 25])
def test_a_submission_that_dies_meanwhile_has_no_proof_and_is_no_fault_of_ours(tmp_path: Path, after: int) -> None:
    found = prove(course(), failing(tmp_path, after=after, error=PeerClosed("gone")), FAILED)

    assert found == Proof()


@pytest.mark.parametrize("after", [0, 3, 12, 25])
def test_a_fault_of_the_grader_leaves_the_verdict_and_is_told_the_instructor(tmp_path: Path, after: int) -> None:
    examiner = Examiner(Setup(courses=(course(),)), cast("ForkServer", None))
    session = failing(tmp_path, after=after, error=ArithmeticError("a bug\x1b[31m"))

    found = examiner._prove(course(), session, FAILED)

    (flag,) = found.flags
    assert flag.id == "diagnosis-failed"
    assert "a fault of the grader (ArithmeticError: a bug" in flag.message
    assert "\x1b" not in flag.message
    assert (found.findings, found.pictures, found.unexplained) == ((), (), "")


def test_what_all_are_asked_is_drawn_before_anybody_comes(tmp_path: Path) -> None:
    prepare(course())
    drawn = questions.cache_info().misses

    proof(tmp_path, changed("fused", UNSCALED))

    assert questions.cache_info().misses == drawn
