from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from grader.model import CellOutcome, CellRun, Isolation, IsolationLevel, Outcome, Status
from grader.reports import results, wording

from . import sample
from .gold import assert_gold

DOCUMENT = Path(__file__).parents[2] / "docs" / "results.md"


def rendered(*grades: Any) -> Any:
    return json.loads(results.render(sample.cohort(*grades))["results.json"])


def fields(value: Any) -> set[str]:
    """Names of all members anywhere in a document, except those of evidence, which are free."""
    if isinstance(value, list):
        return set().union(*map(fields, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(fields(member) for name, member in value.items() if name != "evidence"))


def examples() -> list[Any]:
    return [json.loads(text) for text in re.findall(r"```json\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)]


def test_results_are_those_accepted_before() -> None:
    assert_gold("results.json", results.render(sample.cohort(*sample.ordinary_grades()))["results.json"])


def test_results_of_hostile_names_are_those_accepted_before() -> None:
    hostile = map(sample.hostile, sample.HOSTILE_NAMES)

    assert_gold("results-hostile.json", results.render(sample.cohort(*hostile))["results.json"])


def test_every_field_written_is_specified() -> None:
    specified = set(re.findall(r"^\| `(?:\w+\.)?(\w+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)) | {"path"}

    flooded = sample.grade("ada", warnings=("much",) * 1_000)

    assert fields(rendered()) | fields(rendered(flooded)) == specified


def test_the_specification_says_what_each_level_of_isolation_means() -> None:
    document = DOCUMENT.read_text("utf-8")

    assert set(wording.ISOLATION_PROMISES) == set(IsolationLevel)
    for level, promise in wording.ISOLATION_PROMISES.items():
        assert f"- `{level.value}`: {promise}\n" in document


@pytest.mark.parametrize("level", list(IsolationLevel))
def test_every_submission_says_what_it_ran_behind(level: IsolationLevel) -> None:
    walls = Isolation(level=level, missing=("no network walls: not allowed here",))
    entries = rendered(sample.behind(sample.ada(), walls), sample.absent("barbara", Status.MISSING, ""))["submissions"]

    assert entries[0]["isolation"] == {"level": level.value, "missing": ["no network walls: not allowed here"]}
    assert entries[1]["isolation"] is None


def test_flags_are_written_with_their_place() -> None:
    entries = rendered(sample.ada(), sample.partly_run())["submissions"]

    assert entries[0]["flags"] == [
        {
            "id": "forbidden-api",
            "message": sample.FLAGGED.message,
            "where": entries[0]["findings"][0]["where"],
        }
    ]
    assert entries[1]["flags"] == []


def test_what_a_list_has_lost_is_counted_beside_it() -> None:
    trace = tuple(sample.in_cell(3, "f()", line) for line in range(1, 61))
    cell = CellRun(cell=3, outcome=CellOutcome.RAISED, error="RecursionError", trace=trace)

    entry = rendered(sample.grade("ada", warnings=("w",) * 201, cells=(cell,)))["submissions"][0]

    assert len(entry["warnings"]) == 200
    assert entry["left_out"] == {"warnings": 1}
    assert [step["line"] for step in entry["cells"][0]["trace"]] == list(range(11, 61))
    assert entry["cells"][0]["left_out"] == {"trace": 10}


def test_the_example_of_the_specification_is_a_document_of_this_format() -> None:
    example = examples()[0]
    optional = {"blocked_by", "check", "detail", "loading_where", "second_look", "supplied"}

    assert example["format"] == results.FORMAT
    assert list(example) == list(rendered())
    assert [name for name in rendered()["submissions"][0] if name not in optional] == list(example["submissions"][0])
    assert fields(example) == fields(rendered()) - optional


def test_the_example_of_a_second_look_is_one() -> None:
    written = rendered(sample.import_forgotten())["submissions"][0]["second_look"]
    example = examples()[1]["second_look"]

    assert list(example) == list(written) == ["supplied", "checks", "findings"]
    assert fields(example) == fields(written)
    assert len(written["checks"]) == len(sample.SPECS)


def test_a_second_look_is_written_only_where_there_was_one() -> None:
    entries = rendered(sample.ada(), sample.import_forgotten())["submissions"]

    assert ["second_look" in entry for entry in entries] == [False, True]


def test_what_became_of_a_notebook_is_written_as_it_is() -> None:
    partly, rescued, missing = rendered(
        sample.partly_run(), sample.rescued(), sample.absent("barbara", Status.MISSING, "")
    )["submissions"]

    assert partly["loading"] == "partly"
    assert [step["line"] for step in partly["cells"][0]["trace"]] == [2, 7]
    assert [(cell["cell"], cell["outcome"]) for cell in rescued["cells"]] == [
        (2, "raised"),
        (4, "killed"),
        *((number, "not-run") for number in range(5, 10)),
    ]
    assert len(rescued["repairs"]) == 2
    assert missing["cells"] == missing["repairs"] == []


def test_names_arrive_exactly_except_for_bytes_that_are_no_text() -> None:
    students = [entry["student"] for entry in rendered()["submissions"]]

    assert students[-len(sample.HOSTILE_NAMES) : -1] == list(sample.HOSTILE_NAMES[:-1])
    assert students[-1] == "bytes\\udcff"


def test_strict_readers_can_read_the_file() -> None:
    assert msgspec.json.decode(results.render(sample.cohort())["results.json"])["format"] == "grader/results/1"


def test_no_character_in_the_file_is_hidden() -> None:
    text = results.render(sample.cohort())["results.json"].decode()

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\u202e" in text


def test_points_have_six_decimals_at_most() -> None:
    spec = msgspec.structs.replace(sample.SPECS[0], points=1 / 3)
    grade = sample.changed(sample.grade("ada"), points=2 / 3, checks=(sample.passed(spec),))

    entry = rendered(grade)["submissions"][0]

    assert entry["points"] == 0.666667
    assert entry["checks"][0]["points"] == 0.333333


def test_detail_is_written_only_where_there_is_some() -> None:
    checks = rendered(sample.ada())["submissions"][0]["checks"]

    assert [check.get("detail") for check in checks] == [None, None, "expected tensor([0.1, 0.2])", None, None]


def test_long_messages_are_cut_with_a_note() -> None:
    grade = sample.grade("ada", sample.other(sample.SPECS[0], Outcome.FAILED, "x" * 3_000))

    message = rendered(grade)["submissions"][0]["checks"][0]["message"]

    assert message == "x" * 2_000 + "… (1000 more characters)"


def test_rendering_twice_gives_the_same_bytes() -> None:
    assert results.render(sample.cohort()) == results.render(sample.cohort())
