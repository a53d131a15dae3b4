"""What Classroom 50 and the older reporter read."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import msgspec
import pytest

from grader.model import Grade, Outcome, Status
from grader.reports import classroom
from grader.reports.classroom import ENCODED, RESULT, Handover

from ..reports import sample


def result(*grades: Grade, handover: Handover | None = None) -> dict[str, Any]:
    return json.loads(classroom.render(sample.cohort(*grades), handover)[RESULT])


def reported(*grades: Grade) -> dict[str, Any]:
    content = classroom.render(sample.cohort(*grades))[ENCODED]
    assert re.fullmatch(rb"[A-Za-z0-9+/]+=*\n", content), "one line, which can be an output of a step"
    return json.loads(base64.b64decode(content))


def quartered(grade: Grade) -> Grade:
    """The grade with all points a quarter of what they were."""
    checks = tuple(
        msgspec.structs.replace(
            each, points=each.points / 4, spec=msgspec.structs.replace(each.spec, points=each.spec.points / 4)
        )
        for each in grade.checks
    )
    return sample.changed(grade, checks=checks, points=grade.points / 4, max_points=grade.max_points / 4)


def test_the_result_has_the_fields_of_the_schema() -> None:
    handover = Handover(
        classroom="cs1", assignment="hw3", owner="ada", submission="v1", committed="2026-03-14T15:09:26+01:00"
    )
    written = result(sample.ada(), handover=handover)

    assert written["schema"] == "classroom50/result/v1"
    assert written["datetime"] == "2026-03-14T14:09:26Z"
    assert (written["classroom"], written["assignment"], written["owner"]) == ("cs1", "hw3", "ada")
    assert (written["score"], written["max-score"]) == (5, 12)
    assert [test["passed"] for test in written["tests"]] == [True, True, False, False, False]
    for test in written["tests"]:
        assert test.keys() >= {"test-name", "passed", "score", "max-score"}


def test_fractions_of_points_become_whole_ones_by_one_factor() -> None:
    written = result(quartered(sample.ada()))

    assert (written["score"], written["max-score"]) == (5, 12)
    assert all(isinstance(test[key], int) for test in written["tests"] for key in ("score", "max-score"))
    assert sum(test["score"] for test in written["tests"]) == written["score"]
    assert [test["max-points"] for test in written["tests"]] == [0.5, 0.75, 0.75, 0.5, 0.5]


def test_several_assignments_are_one_result_whose_tests_say_which() -> None:
    other = sample.changed(sample.grade("ada"), assignment="multi-head-attention")
    written = result(sample.ada(), other)

    assert (written["score"], written["max-score"]) == (17, 24)
    assert [test["test-name"].split(":")[0] for test in written["tests"][::5]] == ["self-attention", other.assignment]


def test_what_was_not_graded_earns_none_of_all_the_points() -> None:
    written = result(sample.absent("bob", Status.REJECTED, "the folder is empty"))

    assert (written["score"], written["max-score"]) == (0, 12)
    assert [(test["passed"], test["max-score"]) for test in written["tests"]] == [(False, 12)]


def test_the_older_reporter_gets_points_that_sum_up_and_a_whole_maximum() -> None:
    told = reported(quartered(sample.ada()))

    assert told["max_score"] == 3
    assert sum(test["score"] for test in told["tests"]) == 1.25
    assert told["status"] == "fail"
    assert [test["status"] for test in told["tests"]] == ["pass", "pass", "fail", "fail", "fail"]
    assert {len(test) for test in told["tests"]} == {10}


@pytest.mark.parametrize(
    ("grade", "status"),
    [
        (sample.grade("ada"), "pass"),
        (sample.absent("bob", Status.MISSING, "nothing"), "fail"),
        (
            sample.grade("eve", sample.other(sample.SPECS[0], Outcome.INTERNAL), status=Status.NEEDS_ATTENTION),
            "error",
        ),
    ],
)
def test_its_status_tells_all_correct_from_wrong_and_from_our_failure(grade: Grade, status: str) -> None:
    told = reported(grade)

    assert told["status"] == status
    assert told["tests"], "the reporter cannot do without"


@pytest.mark.parametrize("name", [*sample.HOSTILE_NAMES, "x" * 10_000, "::error::x", "##[error]x"])
def test_texts_are_short_and_nothing_in_them_acts(name: str) -> None:
    grade = sample.hostile(name)
    told, written = reported(grade), json.dumps(result(grade))

    assert all(len(test["output"]) <= 500 for test in told["tests"])
    assert "\x1b" not in written
    assert "##[" not in written
