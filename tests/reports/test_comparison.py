from __future__ import annotations

import json

import msgspec
import pytest

from grader.model import Change, Changes, Cohort, Grade, Outcome
from grader.reports import compared, results
from grader.reports.comparison import HARMLESS

from . import sample

SHAPE, SOFTMAX, SCALE, PADDING, CAUSAL = sample.SPECS
THEN = "2026-03-01T10:00:00+01:00"


def written(*grades: Grade, **changes: object) -> bytes:
    """The results file of an earlier run with these grades."""
    cohort = msgspec.structs.replace(sample.cohort(*grades), finished=THEN, **changes)
    return results.render(cohort)[results.FILE]


def since(earlier: bytes | None, *grades: Grade) -> Changes | None:
    return compared(sample.cohort(*grades), earlier).changes


def wrong(student: str, digest: str = "d" * 64) -> Grade:
    """A grade that fails what the known mistake fails."""
    failed = (sample.other(SCALE, Outcome.FAILED, "wrong"), *sample.waiting(SCALE, PADDING, CAUSAL))
    return sample.changed(sample.grade(student, *failed, findings=(sample.SCALED,)), digest=digest)


def right(student: str, digest: str = "d" * 64) -> Grade:
    return sample.changed(sample.grade(student), digest=digest)


def test_where_nothing_was_before_nothing_is_compared() -> None:
    assert since(None, right("ada")) is None


def test_a_mistake_put_right_is_told_with_the_points_and_checks_it_brings() -> None:
    changes = since(written(wrong("ada")), right("ada", "e" * 64))

    assert changes == Changes(
        since=THEN,
        changes=(
            Change(
                student="ada",
                assignment="self-attention",
                before=5.0,
                after=12.0,
                edited=True,
                gained=(SCALE.title, PADDING.title, CAUSAL.title),
                gone=(sample.SCALED.title,),
            ),
        ),
    )


def test_points_lost_with_the_same_files_are_told_as_such() -> None:
    changes = since(written(right("ada")), wrong("ada"))

    assert changes
    [change] = changes.changes
    assert not change.edited
    assert change.difference == -7
    assert change.lost == (SCALE.title, PADDING.title, CAUSAL.title)
    assert change.found == (sample.SCALED.title,)


def test_the_greatest_difference_comes_first() -> None:
    little = sample.grade("cleo", sample.other(SHAPE, Outcome.FAILED, "wrong"))

    changes = since(written(little, right("ada"), right("bob")), sample.grade("cleo"), wrong("ada"), right("bob"))

    assert changes
    assert [(change.student, change.difference) for change in changes.changes] == [("ada", -7.0), ("cleo", 2.0)]


def test_who_is_only_in_one_of_the_runs_is_counted() -> None:
    changes = since(written(right("ada"), right("bob"), right("cleo")), right("cleo"), right("dan"))

    assert changes == Changes(since=THEN, added=1, removed=2)


def test_other_files_for_the_same_points_are_counted() -> None:
    assert since(written(right("ada")), right("ada", "e" * 64)) == Changes(since=THEN, edited=1)


def test_other_versions_are_told() -> None:
    changes = since(written(right("ada"), grader="0.0.9", torch="2.12.0"), right("ada"))

    assert changes
    assert (changes.grader, changes.torch) == ("0.0.9", "2.12.0")


def test_what_is_only_worth_knowing_is_no_reason() -> None:
    noted = msgspec.structs.replace(sample.SCALED, id=min(HARMLESS), informative=True)
    before = sample.grade("ada", sample.other(SHAPE, Outcome.FAILED, "wrong"), findings=(noted,))

    changes = since(written(before), right("ada"))

    assert changes
    assert changes.changes[0].gone == ()


def test_a_check_that_was_not_there_before_is_neither_gained_nor_lost() -> None:
    earlier = json.loads(written(wrong("ada")))
    earlier["submissions"][0]["checks"] = earlier["submissions"][0]["checks"][:3]

    changes = since(json.dumps(earlier).encode(), right("ada"))

    assert changes
    assert changes.changes[0].gained == (SCALE.title,)


def test_names_that_no_file_can_hold_are_found_again() -> None:
    changes = since(written(*map(wrong, sample.HOSTILE_NAMES)), *map(right, sample.HOSTILE_NAMES))

    assert changes
    assert (changes.added, changes.removed) == (0, 0)
    assert {change.student for change in changes.changes} == set(sample.HOSTILE_NAMES)


def test_a_run_in_which_nothing_changed_passes_on_what_changed_before() -> None:
    first, second = sample.cohort(wrong("ada")), sample.cohort(right("ada", "e" * 64))
    changed = compared(second, results.render(first)[results.FILE])

    again = compared(second, results.render(changed)[results.FILE])

    assert changed.changes
    assert again.changes == changed.changes


def test_a_run_in_which_something_changed_again_forgets_what_changed_before() -> None:
    first = compared(sample.cohort(right("ada", "e" * 64)), written(wrong("ada")))

    changes = since(results.render(first)[results.FILE], wrong("ada", "f" * 64))

    assert changes
    assert [change.difference for change in changes.changes] == [-7.0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"grader/results/1"',
        b'{"format": "grader/results/2", "finished": "then", "submissions": []}',
        b'{"format": "grader/results/1"}',
        b'{"format": "grader/results/1", "finished": 3}',
        b'{"format": "grader/results/1", "finished": "then", "submissions": [{"report": 1}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_results_file_says_nothing(content: bytes) -> None:
    assert since(content, right("ada")) is None


def test_fields_of_a_later_version_are_passed_over() -> None:
    document = json.loads(results.render(compared(sample.cohort(right("ada")), written(wrong("ada"))))[results.FILE])
    for part in (document, document["submissions"][0], document["changes"], document["changes"]["changes"][0]):
        part["later"] = {"any": "thing"}

    changes = since(json.dumps(document).encode(), right("ada"))

    assert changes
    assert [change.student for change in changes.changes] == ["ada"]


def test_comparing_changes_nothing_but_the_changes() -> None:
    cohort: Cohort = sample.cohort(right("ada"))

    assert msgspec.structs.replace(compared(cohort, written(wrong("ada"))), changes=None) == cohort
