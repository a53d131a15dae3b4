from __future__ import annotations

import msgspec

from grader.catalogue import CATALOGUE
from grader.model import Certainty, CheckGrade, Finding, Outcome
from grader.reports.cards import MOST, Card, cards, worth_knowing

from . import sample

SHAPE, SOFTMAX, SCALE, PADDING, CAUSAL = sample.SPECS


def found(id_: str, check: str | None = None, **more: object) -> Finding:
    settings: dict[str, object] = {"certainty": Certainty.OBSERVED, "title": id_}
    return Finding(id=id_, check=check, **(settings | more))  # type: ignore[arg-type]


def made(*findings: Finding, checks: tuple[CheckGrade, ...] = (), solved: bool = True) -> tuple[Card, ...]:
    return cards(findings, checks, (), solved=solved)[0]


WRONG = (
    sample.other(SHAPE, Outcome.FAILED),
    sample.other(SCALE, Outcome.FAILED),
    *sample.waiting(SCALE, PADDING),
    sample.other(CAUSAL, Outcome.BLOCKED, blocked_by=PADDING.id),
)


def test_a_card_has_all_that_the_catalogue_says_of_a_mistake() -> None:
    [card] = made(found("scale-missing"))
    entry = CATALOGUE["scale-missing"]

    assert (card.what, card.why, card.look, card.right) == (entry.explanation, entry.why, entry.look, entry.right)


def test_what_was_found_out_about_this_submission_stands_before_what_is_generally_so() -> None:
    [card] = made(found("scale-missing", explanation="By 12."))

    assert card.what == "By 12."


def test_what_correct_looks_like_is_told_only_where_it_may_be() -> None:
    [card] = made(found("scale-missing"), solved=False)

    assert card.right == ""
    assert card.look


def test_a_finding_that_no_catalogue_knows_has_a_card_too() -> None:
    [card] = made(found("made-up", explanation="So it is."))

    assert (card.what, card.why, card.look, card.right) == ("So it is.", "", "", "")


def test_that_on_which_most_points_hang_comes_first() -> None:
    first, second, third = made(found("b", SHAPE.id), found("c"), found("a", SCALE.id), checks=WRONG)

    assert [card.title for card in (first, second, third)] == ["a", "b", "c"]
    assert first.cost == "costs 7 points (3 checks)"
    assert second.cost == "costs 2 points (1 check)"
    assert third.cost == ""  # what no check saw may be behind any of the others


def test_what_no_check_saw_counts_for_all_that_nothing_else_explains() -> None:
    assert [card.title for card in made(found("b", SHAPE.id), found("c"), checks=WRONG)] == ["c", "b"]


def test_findings_with_equal_weight_keep_their_order() -> None:
    assert [card.title for card in made(found("b"), found("a"), found("c"))] == ["b", "a", "c"]


def test_our_own_failure_costs_nothing() -> None:
    internal = sample.other(SHAPE, Outcome.INTERNAL)

    assert made(found("a", SHAPE.id), checks=(internal,))[0].cost == ""


def test_mistakes_that_are_the_same_function_are_named() -> None:
    one, two = made(
        found("layers-unused", alternatives=("output-projection-unused",)),
        found("layers-unused", alternatives=("output-projection-unused", "gone", "output-projection-missing")),
    )
    titles = [CATALOGUE[id_].title for id_ in ("output-projection-unused", "output-projection-missing")]

    assert one.same.startswith(f"“{titles[0]}” gives the very same output")
    assert two.same.startswith(f"“{titles[0]}” and “{titles[1]}” give the very same output")
    assert made(found("layers-unused", alternatives=("gone",)))[0].same == ""


def test_evidence_is_told_in_sentences_in_its_order_and_shapes_are_drawn() -> None:
    evidence = {
        "relative error": 1.23e-12,
        "decimals": 2,
        "some name": "x",
        "left shape": "2 × 3",
        "right shape": "4 × 3",
    }

    [card] = made(found("shape-error", evidence=evidence))

    assert card.evidence == (
        "The two differ by 1e-12 of their size, which is rounding.",
        "Your output is rounded to 2 decimals.",
        "Some name: x.",
    )
    assert card.diagram
    assert card.how


def test_where_there_is_nothing_to_say_of_how_it_is_known_nothing_is_said() -> None:
    seen, proven = made(found("a"), found("b", certainty=Certainty.PROVEN))

    assert seen.how == ""
    assert proven.how.startswith("Proven by calculation")


def test_what_is_only_worth_knowing_stands_apart_and_says_why_it_costs_nothing() -> None:
    mistake, remark = found("scale-missing"), found("class-renamed", informative=True)

    [aside], further = worth_knowing([mistake, remark], ())

    assert [card.id for card in made(mistake, remark)] == ["scale-missing"]
    assert (aside.id, aside.why, further) == ("class-renamed", CATALOGUE["class-renamed"].harmless, 0)


def test_there_are_only_so_many_cards_and_the_rest_is_counted() -> None:
    shown, further = cards([found("a")] * (MOST + 7), (), (), solved=True)
    asides, further_asides = worth_knowing([found("a", informative=True)] * (MOST + 3), ())

    assert (len(shown), further) == (MOST, 7)
    assert (len(asides), further_asides) == (MOST, 3)


def test_a_line_is_shown_with_those_around_it() -> None:
    [card] = cards([sample.SCALED], (), (sample.LINES,), solved=True)[0]

    assert card.snippet
    assert (card.snippet.first, len(card.snippet.lines)) == (20, 7)
    assert card.snippet.inside == '"""'
    assert msgspec.structs.replace(card.snippet.around(0)).lines == ("scores = q @ k.mT / embed_dim**0.5",)
