from __future__ import annotations

import random
import statistics as library

import msgspec
import pytest

from grader.model import CheckSpec, Finding, Grade, Outcome, Status
from grader.reports.statistics import (
    BINS,
    ENOUGH,
    check_statistics,
    mistakes,
    point_biserial,
    quartiles,
    spread,
)

from . import sample

SHAPE, SOFTMAX, SCALE, PADDING, CAUSAL = sample.SPECS
ASSIGNMENT = sample.assignment()


def worth(student: str, *failed: CheckSpec, outcome: Outcome = Outcome.FAILED) -> Grade:
    """A grade that loses the points of these checks."""
    return sample.grade(student, *(sample.other(spec, outcome) for spec in failed))


# -- points ------------------------------------------------------------------------------------------------------------


def test_points_are_counted_by_tenths_and_full_marks_by_themselves() -> None:
    grades = [
        worth("a", *sample.SPECS),  # 0 of 12
        worth("b", SHAPE),  # 10 of 12: 83 %
        worth("c", SOFTMAX),  # 9 of 12: 75 %
        worth("d"),
        worth("e"),
    ]

    found = spread(ASSIGNMENT, grades)

    assert found.bins == (1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 2)
    assert len(found.bins) == BINS
    assert (found.graded, found.full) == (5, 2)
    assert (found.mean, found.median) == (pytest.approx(43 / 5), 10)


def test_who_handed_nothing_in_is_counted_apart() -> None:
    grades = [worth("a"), sample.absent("b", Status.MISSING, ""), sample.absent("c", Status.REJECTED, "")]

    found = spread(ASSIGNMENT, grades)

    assert (found.graded, found.absent, found.mean) == (1, 2, 12)


def test_another_assignments_grades_do_not_count() -> None:
    other = sample.changed(worth("a", SHAPE), assignment="multi-head-attention")

    assert spread(ASSIGNMENT, [other, worth("a")]).graded == 1


def test_no_grades_have_no_spread() -> None:
    found = spread(ASSIGNMENT, [])

    assert (found.graded, found.mean, found.median, sum(found.bins)) == (0, 0, 0, 0)


def test_rounding_makes_nobody_lose_full_marks_or_fall_out_of_the_bins() -> None:
    almost = sample.changed(worth("a"), points=12 - 1e-10)
    more = sample.changed(worth("b"), points=12.5)
    less = sample.changed(worth("c"), points=-1.0)

    assert spread(ASSIGNMENT, [almost, more, less]).bins == (1, *[0] * 9, 2)


def test_an_assignment_without_points_divides_by_nothing() -> None:
    empty = sample.assignment(checks=())

    assert sum(spread(empty, [sample.changed(worth("a"), points=0.0)]).bins) == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [((), (0, 0, 0)), ((4.0,), (4, 4, 4)), ((1.0, 2.0, 3.0, 4.0, 5.0), (2, 3, 4)), ((1.0, 2.0), (1.25, 1.5, 1.75))],
)
def test_quartiles_lie_between_neighbours(values: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert quartiles(values) == expected


# -- checks ------------------------------------------------------------------------------------------------------------


def test_every_outcome_of_a_check_is_counted_and_our_failures_are_not_in_the_total() -> None:
    grades = [worth("a"), worth("b", SHAPE), worth("c", SHAPE, outcome=Outcome.INTERNAL)]

    shape = check_statistics(ASSIGNMENT, grades)[0]

    assert shape.counts == {Outcome.PASSED: 1, Outcome.FAILED: 1, Outcome.INTERNAL: 1}
    assert (shape.passed, shape.total, shape.percent) == (1, 2, 50)


def test_only_all_of_them_are_a_hundred_percent() -> None:
    grades = [worth(str(n)) for n in range(999)] + [worth("x", SHAPE)]

    assert check_statistics(ASSIGNMENT, grades)[0].percent == 99


def test_checks_are_numbered_in_the_order_of_the_assignment() -> None:
    found = check_statistics(ASSIGNMENT, [])

    assert [(each.number, each.spec, each.total, each.percent) for each in found] == [
        (number, spec, 0, 0) for number, spec in enumerate(sample.SPECS, 1)
    ]


def test_a_check_that_the_strong_pass_and_the_weak_do_not_discriminates() -> None:
    strong = [worth(f"s{n}", *([SHAPE] if n == 0 else [])) for n in range(20)]
    weak = [worth(f"w{n}", SCALE, PADDING, CAUSAL, *([SOFTMAX] if n % 2 else [])) for n in range(20)]
    backwards = [sample.grade(f"b{n}", sample.other(SHAPE, Outcome.FAILED)) for n in range(20)]

    shape, softmax, scale, *_ = check_statistics(ASSIGNMENT, [*strong, *weak])
    reversed_shape = check_statistics(ASSIGNMENT, [*backwards, *weak])[0]

    assert scale.discrimination is not None
    assert scale.discrimination > 0.8
    assert softmax.discrimination is not None
    assert 0 < softmax.discrimination < scale.discrimination
    assert shape.discrimination is not None
    assert abs(shape.discrimination) < 0.3
    assert reversed_shape.discrimination is not None
    assert reversed_shape.discrimination < -0.8


def test_a_check_is_compared_with_the_points_of_the_others_and_not_with_its_own() -> None:
    grades = [worth(f"a{n}") for n in range(20)] + [worth(f"b{n}", SHAPE) for n in range(20)]

    assert check_statistics(ASSIGNMENT, grades)[0].discrimination is None


def test_few_submissions_tell_nothing_about_a_check() -> None:
    half = ENOUGH // 2
    grades = [worth(f"a{n}") for n in range(ENOUGH - 1 - half)] + [worth(f"b{n}", SHAPE, SCALE) for n in range(half)]

    assert check_statistics(ASSIGNMENT, grades)[0].discrimination is None
    assert check_statistics(ASSIGNMENT, [*grades, worth("c")])[0].discrimination is not None


def test_our_failures_do_not_make_a_number_enough() -> None:
    failed = [worth(f"c{n}", SHAPE, outcome=Outcome.INTERNAL) for n in range(ENOUGH)]

    assert check_statistics(ASSIGNMENT, [worth("a"), worth("b", SHAPE, SCALE), *failed])[0].discrimination is None


def test_the_correlation_is_pearsons() -> None:
    dice = random.Random(1)
    passed = [dice.random() < 0.3 for _ in range(200)]
    rest = [dice.gauss(10 + 3 * yes, 2) for yes in passed]

    assert point_biserial(passed, rest) == pytest.approx(library.correlation(list(map(float, passed)), rest))


@pytest.mark.parametrize(
    ("passed", "rest"),
    [((), ()), ((True, True), (1.0, 2.0)), ((False, False), (1.0, 2.0)), ((True, False), (3.0, 3.0))],
)
def test_what_does_not_vary_has_no_correlation(passed: tuple[bool, ...], rest: tuple[float, ...]) -> None:
    assert point_biserial(passed, rest) is None


# -- mistakes ----------------------------------------------------------------------------------------------------------


def finding(id_: str, **changes: object) -> Finding:
    return msgspec.structs.replace(sample.SCALED, id=id_, title=id_.title(), **changes)


def test_mistakes_are_counted_by_student_and_the_most_common_comes_first() -> None:
    grades = [
        sample.grade("ada", findings=(finding("rare"), finding("common"), finding("common"))),
        sample.grade("bob", findings=(finding("common"),)),
        sample.grade("cleo"),
    ]

    found = mistakes(ASSIGNMENT, grades)

    assert [(each.id, each.title, each.students) for each in found] == [
        ("common", "Common", ("ada", "bob")),
        ("rare", "Rare", ("ada",)),
    ]


def test_what_is_only_worth_knowing_comes_last_however_common_it_is() -> None:
    noted = finding("noted", informative=True)
    grades = [
        sample.grade("ada", findings=(noted, finding("mistake"))),
        sample.grade("bob", findings=(noted,)),
    ]

    assert [(each.id, each.informative) for each in mistakes(ASSIGNMENT, grades)] == [
        ("mistake", False),
        ("noted", True),
    ]
