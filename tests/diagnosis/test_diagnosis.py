"""The diagnosis names what was planted, in every style, and never anything else.

`python -m tests.diagnosis` prints the same as tables, over everything that is written; here is a fixed part of it, and
all that is correct or foreign.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from .scoring import Verdict, diagnosed
from .submissions import Submission, correct, foreigners, of_kind, pairs, triples

SINGLES = (*of_kind("singles")[::3], *of_kind("one-head")[::2])
FACTS = of_kind("facts")[::6]
PAIRS = pairs()[::6]
TRIPLES = triples()[::10]


def verdicts_of(submissions: Sequence[Submission]) -> list[Verdict]:
    return [diagnosed(made) for made in submissions]


@pytest.fixture(scope="module")
def of_singles() -> list[Verdict]:
    return verdicts_of(SINGLES)


@pytest.fixture(scope="module")
def of_pairs() -> list[Verdict]:
    return verdicts_of(PAIRS)


@pytest.fixture(scope="module")
def of_triples() -> list[Verdict]:
    return verdicts_of(TRIPLES)


def told(verdicts: Sequence[Verdict], outcome: str) -> list[str]:
    return [verdict.line() for verdict in verdicts if verdict.outcome == outcome]


@pytest.mark.parametrize("made", correct(), ids=lambda made: made.name)
def test_correct_code_is_called_correct_and_nothing_is_claimed_of_it(made):
    verdict = diagnosed(made)

    assert verdict.claimed == (), verdict.line()
    assert verdict.called_correct, verdict.line()


@pytest.mark.parametrize("made", foreigners(), ids=lambda made: made.name)
def test_a_module_that_is_no_plain_attention_is_not_called_correct_and_gets_no_name(made):
    verdict = diagnosed(made)

    assert verdict.wrong == (), verdict.line()
    assert not verdict.called_correct, verdict.line()


def test_one_mistake_is_never_named_wrong(of_singles):
    assert told(of_singles, "wrong") == []


def test_one_mistake_is_named_99_times_in_100(of_singles):
    unnamed = told(of_singles, "unnamed")

    assert len(unnamed) <= 0.01 * len(of_singles), "\n".join(unnamed)


def test_a_fact_without_another_output_gets_no_other_name():
    assert told(verdicts_of(FACTS), "wrong") == []


def test_two_mistakes_are_never_named_wrong(of_pairs):
    assert told(of_pairs, "wrong") == []


def test_two_mistakes_are_named_90_times_in_100(of_pairs):
    unnamed = told(of_pairs, "unnamed")

    assert len(unnamed) <= 0.1 * len(of_pairs), "\n".join(unnamed)


def test_three_mistakes_are_never_named_wrong(of_triples):
    assert told(of_triples, "wrong") == []
