"""The scoring tells right from wrong by itself: here it judges answers that were made up."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from .mistakes import MISTAKES
from .plans import Plan
from .scoring import Verdict, judge
from .styles import STYLES
from .submissions import Submission, composed, correct, foreigners, right


@dataclass(frozen=True)
class Claim:
    id: str
    alternatives: tuple[str, ...] = ()
    informative: bool = False


@dataclass(frozen=True)
class Answer:
    findings: tuple[Claim, ...] = ()
    begins: str = ""
    correct: bool = False


def submission(*names: str, style: str = "separate") -> Submission:
    return composed("pairs", STYLES[style], tuple(MISTAKES[name] for name in names), 0)


def judged(made: Submission, *claims: str, correct: bool = False) -> Verdict:
    findings = tuple(Claim(claim.split("=")[0], tuple(claim.split("=")[1:])) for claim in claims)
    return judge(made, Answer(findings=findings, correct=correct))


@pytest.mark.parametrize(
    ("claims", "outcome"),
    [
        (("scale-missing",), "right"),
        (("scale-inverted=scale-missing",), "right"),
        ((), "unnamed"),
        (("mask-ignored",), "wrong"),
        (("scale-missing", "mask-ignored"), "wrong"),
        (("scale-embed-dim",), "wrong"),
        (("of-no-catalogue",), "wrong"),
    ],
)
def test_one_mistake_needs_its_own_name_and_no_other(claims, outcome):
    assert judged(submission("scale-missing"), *claims).outcome == outcome


def test_what_only_informs_is_not_wrong():
    answer = Answer(findings=(Claim("scale-missing"), Claim("qk-swapped", informative=True)))

    assert judge(submission("scale-missing"), answer).outcome == "right"


def test_what_a_mistake_implies_may_be_said_but_is_not_its_name():
    made = submission("value-uses-key")

    assert judged(made, "value-uses-key", "layers-unused").outcome == "right"
    assert judged(made, "layers-unused").outcome == "unnamed"


def test_two_mistakes_need_both_names():
    made = submission("scale-missing", "merge-view-no-transpose")

    assert judged(made, "scale-missing", "merge-view-no-transpose").outcome == "right"
    assert judged(made, "scale-missing").unnamed == ("merge-view-no-transpose",)


def test_a_mistake_that_changes_nothing_beside_another_needs_no_name():
    made = submission("attention-unused", "softmax-twice")
    verdict = judged(made, "attention-unused")

    assert (verdict.outcome, verdict.idle) == ("right", ("softmax-twice",))


def test_another_name_for_the_same_function_is_not_wrong_but_does_not_name_what_was_planted():
    made = submission("softmax-dim-query", "mask-ignored")

    assert judged(made, "attention-transposed", "mask-ignored").outcome == "unnamed"
    assert judged(made, "attention-transposed=softmax-dim-query", "mask-ignored").outcome == "right"
    assert judged(submission("softmax-dim-query"), "attention-transposed").outcome == "wrong"


def test_a_fact_beside_a_mistake_needs_its_name_although_the_output_is_the_same():
    made = submission("parameters-unregistered:dict", "scale-missing")

    assert judged(made, "scale-missing", "parameters-unregistered").outcome == "right"
    assert judged(made, "scale-missing").unnamed == ("parameters-unregistered:dict",)
    assert judged(made, "parameters-unregistered").unnamed == ("scale-missing",)


def test_correct_code_must_be_called_correct_and_nothing_claimed():
    made = right("correct/made up", STYLES["stacked"], Plan())

    assert judged(made, correct=True).outcome == "right"
    assert judged(made).outcome == "unnamed"
    assert judged(made, "scale-missing").outcome == "wrong"
    assert judged(correct()[-1], "scale-missing").outcome == "wrong"


def test_of_a_foreign_module_nothing_may_be_claimed_but_what_is_true():
    by_name = {made.style: made for made in foreigners()}

    assert judged(by_name["soft cap"]).outcome == "right"
    assert judged(by_name["soft cap"], "scale-constant").outcome == "wrong"
    assert judged(by_name["soft cap"], correct=True).outcome == "unnamed"
    assert judged(by_name["GELU on the values"], "activation-on-projection").outcome == "right"
