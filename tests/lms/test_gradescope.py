"""What Gradescope reads, field by field."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from grader.lms.gradescope import FILE, Delivery, Visibility, read_delivery, render
from grader.model import Cohort, Grade, HiddenFeedback, Outcome, Status

from ..reports import sample

TESTS = {"score", "max_score", "status", "name", "number", "output", "tags", "visibility"}
TOP = {
    "execution_time",
    "output",
    "output_format",
    "test_output_format",
    "test_name_format",
    "visibility",
    "stdout_visibility",
    "tests",
    "extra_data",
}
WHEN = {"hidden", "after_due_date", "after_published", "visible"}


def results(grade: Grade, feedback: HiddenFeedback = HiddenFeedback.DIAGNOSIS, **more: Any) -> dict[str, Any]:
    more.setdefault("delivery", Delivery())
    return json.loads(render(alone(grade, feedback), **more)[FILE])


def alone(grade: Grade, feedback: HiddenFeedback = HiddenFeedback.DIAGNOSIS) -> Cohort:
    """The cohort of one submission for the one assignment."""
    return msgspec.structs.replace(sample.cohort(grade), assignments=(sample.assignment(feedback),))


def test_it_has_the_fields_of_the_format_and_no_others() -> None:
    written = results(sample.ada(), seconds=3.25)

    assert written.keys() == TOP
    assert written["execution_time"] == 3.25
    assert written["stdout_visibility"] == "hidden"
    assert {written[name] for name in ("output_format", "test_output_format", "test_name_format")} <= {"md", "text"}
    for test in written["tests"]:
        assert test.keys() <= TESTS
        assert test["visibility"] in WHEN
        assert test["status"] in ("passed", "failed")
        assert test["score"] in (0, test["max_score"])


def test_points_are_those_of_the_checks_and_the_sum_is_left_to_gradescope() -> None:
    grade = sample.ada()
    written = results(grade)

    assert "score" not in written, "it would override the sum"
    assert [test["max_score"] for test in written["tests"]] == [spec.points for spec in sample.SPECS]
    assert sum(test["score"] for test in written["tests"]) == grade.points


@pytest.mark.parametrize("total", [100.0, 7.0, 33.3, 0.1])
def test_points_are_stretched_to_the_total_of_the_assignment_exactly(total: float) -> None:
    correct = sample.grade("grace")
    written = results(correct, delivery=Delivery(total=total))

    assert sum(test["max_score"] for test in written["tests"]) == pytest.approx(total, abs=1e-9)
    assert sum(test["score"] for test in written["tests"]) == pytest.approx(total, abs=1e-9)


def test_hidden_checks_are_visible_so_that_students_see_their_total() -> None:
    written = results(sample.ada())

    assert {test["visibility"] for test in written["tests"]} == {"visible"}
    assert "5 of 12 points" in written["output"]


@pytest.mark.parametrize("when", [Visibility.AFTER_DUE_DATE, Visibility.AFTER_PUBLISHED, Visibility.HIDDEN])
def test_where_hidden_checks_are_withheld_nothing_that_students_read_counts_or_tells_them(when: Visibility) -> None:
    written = results(sample.ada(), hidden=when)
    by_name = {test["name"]: test["visibility"] for test in written["tests"]}

    assert by_name == {spec.title: when.value if spec.hidden else "visible" for spec in sample.SPECS}
    for secret in (*(spec.title for spec in sample.SPECS if spec.hidden), sample.SCALED.title, "0.31", "Head 1"):
        assert secret not in written["output"]
    assert "5 of 7 points" in written["output"], "of the public checks"


def test_of_a_hidden_check_no_more_is_told_than_the_assignment_says() -> None:
    said = {level: json.dumps(results(sample.ada(), level)) for level in HiddenFeedback}

    assert "differs from the reference by up to 0.31" in said[HiddenFeedback.DIAGNOSIS]
    assert "differs from the reference by up to 0.31" not in said[HiddenFeedback.OUTCOME]
    assert not [text for text in said.values() if "tensor([0.1, 0.2])" in text], "what is for instructors only"


@pytest.mark.parametrize("status", [Status.MISSING, Status.REJECTED])
def test_what_was_not_graded_has_every_test_and_earns_nothing(status: Status) -> None:
    written = results(sample.absent("barbara", status, "the folder is empty"))

    assert sum(test["max_score"] for test in written["tests"]) == 12
    assert {test["score"] for test in written["tests"]} == {0}
    assert {test["output"] for test in written["tests"]} == {"the folder is empty"}
    assert "the folder is empty" in written["output"]


def test_our_own_failure_costs_nothing_and_does_not_look_like_a_pass_or_a_failure() -> None:
    written = results(sample.grade("alan", sample.other(sample.SPECS[0], Outcome.INTERNAL)))
    first = written["tests"][0]

    assert first["score"] == first["max_score"]
    assert "status" not in first
    assert "grader itself failed" in first["output"]


@pytest.mark.parametrize("name", sample.HOSTILE_NAMES)
def test_a_students_words_stay_words(name: str) -> None:
    written = render(alone(sample.hostile(name)), delivery=Delivery())[FILE]

    assert b"\x1b" not in written
    assert json.loads(written)["tests"][0]["status"] == "failed"


@pytest.mark.parametrize(
    ("content", "students", "total"),
    [
        (b'{"users": [{"name": "Ada"}, {"name": "Bob"}], "assignment": {"total_points": "20.0"}}', ("Ada", "Bob"), 20),
        (b"", (), None),
        (b"null", (), None),
        (b"[" * 100_000, (), None),
        (b'{"users": null, "assignment": {"total_points": "many"}}', (), None),
        (b'{"users": [{"name": 7}, "x"], "assignment": {"total_points": "nan"}}', (), None),
        (b'{"assignment": {"total_points": "inf"}}', (), None),
        (b'{"assignment": {"total_points": "-1"}}', (), None),
        (b"\xff\xfe", (), None),
        (b'{"users": [{"name": "a\\u001b[2Jb"}]}', ("a\\x1b[2Jb",), None),
    ],
)
def test_metadata_are_read_where_they_can_be_and_say_nothing_otherwise(
    content: bytes, students: tuple[str, ...], total: float | None
) -> None:
    assert read_delivery(content) == Delivery(students=students, total=total)
